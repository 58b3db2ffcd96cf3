"""What this service tells of itself: its description, a page to try it on, its problem codes."""

from functools import cached_property

import orjson
from flask import request

from readmodel import params
from readmodel.answers import JSON, Answer, answer
from readmodel.openapi.document import TITLE, openapi
from readmodel.problem_codes import PROBLEM_CODES
from readmodel.problems import nothing_here
from runtime import docs_page, problem_pages

_HTML = "text/html; charset=utf-8"


class PageRoutes:
    """Open to all. `public_url` is where clients reach this service."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url

    @cached_property
    def _description(self) -> bytes:
        # Written when somebody asks: it is no small part of a start.
        return openapi(self._public_url)

    def openapi(self) -> Answer:
        params.read(request.args, {})
        return answer(self._description, {"Cache-Control": "no-cache"})

    def docs(self) -> Answer:
        page = docs_page.page(TITLE, self._public_url)
        return _typed(answer(page, docs_page.PAGE_HEADERS), _HTML)

    def docs_asset(self, asset: str) -> Answer:
        """Serve a file that the page needs. Raises Trouble where there is no such file."""
        found = docs_page.assets().get(asset)
        if found is None:
            raise nothing_here(f"/docs/{asset}")
        return _typed(answer(found.body, docs_page.ASSET_HEADERS), found.media_type)

    def problems(self) -> Answer:
        known = PROBLEM_CODES.values()
        if problem_pages.wants_json(request.headers.get("Accept", "")):
            told = [
                problem_pages.told(each, self._public_url)
                for each in problem_pages.sorted_codes(known)
            ]
            return _document({"problems": told})
        page = problem_pages.catalogue(known, self._public_url)
        return _typed(answer(page, problem_pages.PAGE_HEADERS), _HTML)

    def problem(self, code: str) -> Answer:
        """Explain a problem code. Raises Trouble where there is no such code."""
        known = PROBLEM_CODES.get(code)
        if known is None:
            raise nothing_here(f"/problems/{code}")
        if problem_pages.wants_json(request.headers.get("Accept", "")):
            return _document(problem_pages.told(known, self._public_url))
        return _typed(answer(problem_pages.page(known), problem_pages.PAGE_HEADERS), _HTML)


def _document(document: object) -> Answer:
    return _typed(answer(orjson.dumps(document), problem_pages.PAGE_HEADERS), JSON)


def _typed(written: Answer, media_type: str) -> Answer:
    written.content_type = media_type
    return written
