"""The resource `/changes/stream`: the feed as Server-Sent Events (HTML standard, 9.2)."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from flask import Response, request

from readmodel import params
from readmodel.answers import FRESH_ONLY, Answer
from readmodel.feed.reading import Asked, Feed, Start
from readmodel.feed.routes import PARAMETERS
from readmodel.feed.stream import Follower, Streams
from readmodel.guard import Doorkeeper
from readmodel.params import BadParameters
from readmodel.problem_codes import TOO_MANY_FOLLOWERS
from readmodel.problems import Trouble, problem
from readmodel.reads import LEDGER, Reads
from readmodel.scopes import NEEDED
from readmodel.views.changes import Wanted
from runtime.problem_pages import MALFORMED_HEADER

PATH = "/changes/stream"
RESUME = "Last-Event-ID"

_FIRST = 500
_PARAMETERS = {name: reader for name, reader in PARAMETERS.items() if name != "limit"}
# Proxies are asked to hand on every event at once.
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Accept"}
_LATER = {**FRESH_ONLY, "Retry-After": "5"}


class _Followed(Answer):
    """An answer whose server gets the follower as it is, and may know better than to iterate."""

    def __init__(self, follower: Follower) -> None:
        super().__init__(follower, headers=_HEADERS, content_type="text/event-stream")
        self._follower = follower

    def get_app_iter(self, environ: dict[str, Any]) -> Iterable[bytes]:  # noqa: ARG002  Flask's
        return self._follower


class StreamRoutes:
    """Answers for the feed as a stream; the door is asked again while it lasts."""

    def __init__(self, reads: Reads, feed: Feed, streams: Streams, door: Doorkeeper) -> None:
        self._reads = reads
        self._feed = feed
        self._streams = streams
        self._door = door

    def stream(self) -> Response:
        given = params.read(request.args, _PARAMETERS)
        wanted = Wanted(given.get("types"), given.get("item_id"))
        asked = Asked(self._start(given), _FIRST, wanted)
        # Now, while a problem can still be answered.
        with self._reads.snapshot(LEDGER) as read:
            first = self._streams.portions.of(self._feed.read(read.connection, asked))
        if request.method == "HEAD":
            return Response(b"", headers=_HEADERS, content_type="text/event-stream")
        leave = self._streams.enter()
        if leave is None:
            detail = "as many follow already as this process takes; ask again later, or elsewhere"
            raise Trouble(problem(TOO_MANY_FOLLOWERS, detail), _LATER)
        who = request.environ, NEEDED[PATH]
        follower = Follower(
            self._streams,
            first,
            wanted,
            partial(self._door.may_stay, *who),
            partial(self._door.may_stay_at_once, *who),
            leave,
        )
        return _Followed(follower)

    def _start(self, given: Mapping[str, str]) -> Start:
        """Find where to begin: a client that was cut off says in a header what it has."""
        last = request.headers.get(RESUME)
        if not last:
            return self._feed.start(given.get("after"))
        try:
            return self._feed.start(last)
        except BadParameters as error:
            errors = [
                {"header": RESUME, "code": each["code"], "detail": each["detail"]}
                for each in error.errors
            ]
            detail = "a header is not right; errors says which and why"
            raise Trouble(problem(MALFORMED_HEADER, detail, errors=errors), FRESH_ONLY) from error
