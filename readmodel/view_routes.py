"""What views answer by themselves, each at `/views/{name}`; `/stats` is one of them."""

import hashlib

import orjson
from flask import Response, request

from readmodel import params
from readmodel.answers import REVALIDATE, answer
from readmodel.params import BadValue
from readmodel.problem_codes import NOT_FOUND
from readmodel.problems import Trouble, problem
from readmodel.reads import Reads
from readmodel.views import stats
from readmodel.views.listing import all_views
from readmodel.views.query import BadParameter, Query


class ViewRoutes:
    """Answers from `reads`."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def stats(self) -> Response:
        return self.view(stats.NAME)

    def view(self, name: str) -> Response:
        """Ask a view. Raises Trouble where there is none of this name that can be asked."""
        query = _query(name)
        given = params.read(request.args, dict.fromkeys(query.parameters, _text))
        with self._reads.snapshot(name) as read:
            try:
                found = query.answer(read.connection, read.slots[name], given)
            except BadParameter as error:
                raise params.bad(error.parameter, "bad-value", str(error)) from error
        # SQLAlchemy's names of columns, which make good keys, are a kind of text of their own.
        body = orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS)
        etag = hashlib.sha256(body).hexdigest()[:32]
        headers = {**REVALIDATE, "ETag": f'W/"{etag}"'}
        if request.if_none_match.contains_weak(etag):
            return answer(b"", headers, 304)
        return answer(body, headers)


def _query(name: str) -> Query:
    askable = {view.name: view.query for view in all_views() if view.query is not None}
    if name not in askable:
        detail = f"there is no view {name} that can be asked; there are: {', '.join(askable)}"
        raise Trouble(problem(NOT_FOUND, detail))
    return askable[name]


def _text(value: str) -> str:
    if "\0" in value:
        raise BadValue("not-text", "text without NUL characters")
    return value
