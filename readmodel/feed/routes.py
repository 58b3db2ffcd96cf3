"""The resource of the feed: `/changes`, page by page, or waited for at its head."""

import hashlib
import time
from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Response, request
from werkzeug.datastructures import MultiDict

from ledger.shapes import NEWEST
from readmodel import params
from readmodel.answers import answer
from readmodel.cursors import FeedCursors
from readmodel.feed.forms import FORMS, Forms
from readmodel.feed.reading import Asked, Feed
from readmodel.negotiation import choose
from readmodel.presence import presence_of
from readmodel.reads import LEDGER, Reads, heeded
from readmodel.views.changes import Stretch, Wanted
from runtime.preferences import read_preferences

LIMIT = 1000
DEFAULT_LIMIT = 100

PARAMETERS: Mapping[str, params.Reader] = {
    "after": params.text,
    "limit": params.limit_upto(LIMIT),
    "types": params.some_of(tuple(NEWEST)),
    "item_id": params.item_id,
}
_HEADERS = {"Cache-Control": "no-cache", "Vary": "Accept, Prefer"}


class ChangeRoutes:
    """Answers for the feed; links are under `public_url`."""

    def __init__(
        self, reads: Reads, feed: Feed, cursors: FeedCursors, forms: Forms, public_url: str
    ) -> None:
        self._reads = reads
        self._feed = feed
        self._cursors = cursors
        self._forms = forms
        self._public_url = public_url

    def changes(self) -> Response:
        given = params.read(request.args, PARAMETERS)
        media_type = choose(FORMS)
        wanted = Wanted(given.get("types"), given.get("item_id"))
        start = self._feed.start(given.get("after"))
        asked = Asked(start, given.get("limit", DEFAULT_LIMIT), wanted)
        preferences = read_preferences(request.headers.getlist("Prefer"))
        # Whoever waits for a command first has the rest of it for what comes.
        until = time.monotonic() + preferences.wait
        with self._reads.snapshot(LEDGER) as read:
            stretch = self._feed.read(read.connection, asked)
        waited = True
        if preferences.wait and not stretch.rows and not stretch.behind:
            client = presence_of(request.environ)
            left = until - time.monotonic()
            stretch, waited = self._feed.wait(stretch, asked, left, client)
        heeded(preferences, waited=waited)
        following = self._cursors.write(stretch.end)
        etag = _etag(media_type, stretch, following)
        headers = {**_HEADERS, "ETag": f'W/"{etag}"', "Link": self._link(following)}
        if request.if_none_match.contains_weak(etag):
            return answer(b"", headers, 304)
        page = answer(self._forms.page(media_type, stretch), headers)
        page.content_type = media_type
        return page

    def _link(self, following: str) -> str:
        query: MultiDict[str, str] = MultiDict(request.args)
        query["after"] = following
        return f'<{self._public_url}/changes?{urlencode(list(query.items()))}>; rel="next"'


def _etag(media_type: str, stretch: Stretch, following: str) -> str:
    """Name what a page says; how many events are behind it is not a part of that."""
    named = hashlib.blake2b(f"{media_type} {following}".encode(), digest_size=15)
    for row in stretch.rows:
        named.update(row.hash.encode())
    return named.hexdigest()
