"""What every paged answer has: a cursor that is bound to what it continues, and a link to more."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import request
from werkzeug.datastructures import MultiDict

from readmodel import params
from readmodel.answers import REVALIDATE
from readmodel.cursors import BadCursor, Cursors
from readmodel.places import Kind, is_of

PAGING: Mapping[str, params.Reader] = {"limit": params.limit, "cursor": params.text}

Args = MultiDict[str, str]


class Paging:
    """Links are under `public_url`."""

    def __init__(self, cursors: Cursors, public_url: str) -> None:
        self._cursors = cursors
        self._public_url = public_url

    def place(self, given: Mapping[str, Any], kind: Kind, *binding: object) -> Any:
        """Read where a list is to go on, `None` at its start. Raises a problem where the cursor is
        of another list, or its place is of another kind.
        """
        cursor = given.get("cursor")
        if cursor is None:
            return None
        try:
            place = self._cursors.read(cursor, *binding)
        except BadCursor as error:
            raise params.bad("cursor", "cursor-mismatch", str(error)) from error
        if not is_of(kind, place):
            detail = "not a cursor that this service has written: start again without one"
            raise params.bad("cursor", "cursor-mismatch", detail)
        return place

    def following(self, last: Any, *binding: object) -> str | None:
        """Write the cursor of what follows `last`, which is `None` at the end."""
        return None if last is None else self._cursors.write(last, *binding)

    def headers(
        self, path: str, following: str | None, args: Args | None = None
    ) -> Mapping[str, str]:
        """Make the headers of a page, with a link to the next one where there is one. `args` are
        those of the request that is answered, where Flask does not know them.
        """
        if following is None:
            return REVALIDATE
        return {**REVALIDATE, "Link": f'<{self.url(path, following, args)}>; rel="next"'}

    def url(self, path: str, cursor: str | None, args: Args | None = None) -> str:
        """Write the URL of the page at a cursor, or of the first one, with filters as they are."""
        query: MultiDict[str, str] = MultiDict(request.args if args is None else args)
        query.pop("cursor", None)
        if cursor is not None:
            query["cursor"] = cursor
        asked = f"?{urlencode(list(query.items()))}" if query else ""
        return f"{self._public_url}{path}{asked}"
