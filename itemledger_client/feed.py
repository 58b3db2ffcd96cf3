"""The feed: every change, in order, from any cursor on: page by page, waited for, or streamed."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from itemledger_client.own_writes import Reading, fresh
from itemledger_client.problems import NotUnderstood, problem_of
from itemledger_client.session import Session, insist, succeeded, understood, whole_seconds
from itemledger_client.steps import Broken, Give, NextLine, Pause, Request, Steps, given
from itemledger_client.values import Change

_LIMIT = 1000
# After as many seconds without a byte, a heartbeat included, a stream is taken for broken.
_SILENCE = 40.0


def changes(
    session: Session,
    *,
    after: str | None = None,
    types: Iterable[str] | None = None,
    item_id: str | None = None,
    limit: int = _LIMIT,
) -> Steps[Change, None]:
    """Iterate over the changes from a cursor on (from the first one, if none is given) up to the
    head of the feed, where it ends.
    """
    params = _filters(after, types, item_id)
    while True:
        request = session.to_query("/changes", {**params, "limit": limit})
        probe = session.to_query("/changes", {"after": "head", "limit": 1})
        # Here to wait is to wait for the next change.
        reading = Reading(request, "changes", probe, item_id, waits=False)
        answer = yield from fresh(session, reading)
        found, following, behind = understood(answer, _page)
        yield from given(found)
        params["after"] = following
        if not behind:
            return


def poll(
    session: Session,
    *,
    after: str | None = None,
    types: Iterable[str] | None = None,
    item_id: str | None = None,
    limit: int = _LIMIT,
    wait: float = 20.0,
) -> Steps[Change, None]:
    """Iterate over the changes from a cursor on and, at the head, wait for more, for ever: by
    requests that each wait for so many seconds. Without `after` from the first one, with `head`
    from now on.
    """
    params = _filters(after, types, item_id)
    seconds = whole_seconds(wait)
    while True:
        request = session.to_query(
            "/changes",
            {**params, "limit": limit},
            headers={"Prefer": f"wait={seconds}"},
            timeout=session.timeout + seconds,
        )
        answer = succeeded((yield from insist(session, request)))
        found, following, behind = understood(answer, _page)
        yield from given(found)
        params["after"] = following
        if not found and not behind and "preference-applied" not in answer.headers:
            # Too many wait: this one was answered at once.
            yield Pause(1.0)


def follow(
    session: Session,
    *,
    after: str | None = None,
    types: Iterable[str] | None = None,
    item_id: str | None = None,
) -> Steps[Change, None]:
    """Iterate over the changes from a cursor on as they happen, for ever, by Server-Sent Events. A
    stream that breaks is opened again where it was; nothing is missed, and nothing comes twice.

    Raises Problem where the service refuses, and Unreachable where it is away for longer than
    patience.
    """
    params = _filters(after, types, item_id)
    request = session.to_query(
        "/changes/stream",
        params,
        headers={"Accept": "text/event-stream", "Cache-Control": "no-store"},
        timeout=_SILENCE,
    )
    place = _Place(None)
    while True:
        answer = yield from insist(session, _resumed(request, place), opens=True)
        if not answer.is_success:
            raise problem_of(answer)
        yield from _stream(place)
        # A service that ends every stream at once is not to be asked without a rest.
        yield Pause(0.1 + session.dice())


class _Place:
    """How far a follower has come: the last id, which a heartbeat moves too."""

    def __init__(self, cursor: str | None) -> None:
        self.cursor = cursor


def _resumed(request: Request, place: _Place) -> Request:
    if place.cursor is None:
        return request
    return replace(request, headers={**request.headers, "Last-Event-ID": place.cursor})


def _stream(place: _Place) -> Steps[Change, None]:
    """Hand on what an open stream brings, until it breaks (HTML standard, 9.2.6)."""
    event = _Event()
    while True:
        line: bytes | Broken | None = yield NextLine()
        if not isinstance(line, bytes):
            # What has not come to its empty line does not count.
            return
        if line:
            event.take(line)
            continue
        change = event.change()
        if event.id is not None:
            # Before it is handed on: who stops at it does not come back here.
            place.cursor = event.id
        event = _Event()
        if change is not None:
            yield Give(change)


class _Event:
    """The lines of an event, as far as they are read."""

    def __init__(self) -> None:
        self.id: str | None = None
        self._data: list[bytes] = []

    def take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"id":
            self.id = value.decode(errors="replace")
        elif name == b"data":
            self._data.append(value)

    def change(self) -> Change | None:
        """Read the change, `None` of a heartbeat. Raises NotUnderstood."""
        if not self._data:
            return None
        try:
            return Change.of(json.loads(b"\n".join(self._data)))
        except (ValueError, KeyError, TypeError) as error:
            raise NotUnderstood(f"an event of the stream is no change: {error!r}") from error


def _filters(
    after: str | None, types: Iterable[str] | None, item_id: str | None
) -> dict[str, str | None]:
    kinds = None if types is None else ",".join(types)
    return {"after": after, "types": kinds, "item_id": item_id}


def _page(told: Any) -> tuple[tuple[Change, ...], str, int]:
    return tuple(Change.of(each) for each in told["changes"]), told["next"], told["behind"]
