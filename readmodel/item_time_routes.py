"""The resources of an item's past: its state at a version or a moment, the list of its states, and
what differs between two of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import orjson
from flask import Response, request
from sqlalchemy import Connection

from domain.item import Item
from ledger import heads
from readmodel import json_patch, memento, params
from readmodel.answers import REVALIDATE, SETTLED, answer, tagged
from readmodel.item_problems import gone_then, known, never_seen, no_such_version, not_yet_created
from readmodel.memento import Mementos
from readmodel.paging import PAGING, Paging
from readmodel.places import LATER_VERSIONS
from readmodel.reads import LEDGER, Reads
from readmodel.views import items, versions
from readmodel.views.versions import Stamp

TIMES: Mapping[str, params.Reader] = {"version": params.version(1), "as_of": params.moment}
# Of a TimeGate, also where the header is not sent.
NEGOTIATED: Mapping[str, str] = {**REVALIDATE, "Vary": memento.VARY}

_DIFF: Mapping[str, params.Reader] = {"from": params.version(0), "to": params.version(0)}


@dataclass(frozen=True, slots=True)
class AtVersion:
    version: int


@dataclass(frozen=True, slots=True)
class AsOf:
    """The state at a moment, in milliseconds since 1970; there has to be one."""

    at: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """The state at a moment, or the first one where that came later."""

    at: int


Asked = AtVersion | AsOf | Nearest


def asked() -> Asked | None:
    """Read which state of an item is asked for, `None` for the one it has now.

    A URL that names a state says more than the header Accept-Datetime, which then is not looked at.
    """
    given = params.read(request.args, TIMES)
    match given:
        case {"version": _, "as_of": _}:
            raise params.bad("as_of", "not-with-version", "either version or as_of, not both")
        case {"version": int(version)}:
            return AtVersion(version)
        case {"as_of": int(at)}:
            return AsOf(at)
        case _:
            at = memento.asked()
            return None if at is None else Nearest(at)


class ItemTimeRoutes:
    """Answers for the states of items from `reads`; links are under `public_url`."""

    def __init__(self, reads: Reads, paging: Paging, public_url: str) -> None:
        self._reads = reads
        self._paging = paging
        self._public_url = public_url

    def state(self, item_id: str, asked: Asked) -> Response:
        """Answer with the item as it was, and where to find what was before and after."""
        vary = NEGOTIATED if isinstance(asked, Nearest) else REVALIDATE
        checked = known(item_id, vary)
        with self._reads.snapshot(LEDGER) as read:
            connection = read.connection
            last = versions.last(connection, checked)
            if last is None:
                raise never_seen(checked, vary)
            item = _find(connection, checked, last, asked)
            mementos = Mementos(self._public_url, checked, last)
            around = versions.effective(connection, checked, mementos.neighbours(item.version))
        headers = {**_kept(asked, last), **mementos.headers(item.version, around)}
        if not isinstance(asked, AtVersion):
            headers["Content-Location"] = mementos.url(item.version)
        if item.is_deleted:
            raise gone_then(mementos.timemap, checked, item.version, headers)
        return tagged(items.render(item), str(item.version), headers)

    def timemap(self, item_id: str) -> Response:
        """List the states of an item as a TimeMap (RFC 7089, 5), newest first."""
        given = params.read(request.args, PAGING)
        checked = known(item_id)
        binding = ("timemap", checked)
        place: int | None = self._paging.place(given, LATER_VERSIONS, *binding)
        limit: int = given.get("limit", params.DEFAULT_PAGE)
        with self._reads.snapshot(LEDGER) as read:
            connection = read.connection
            last = versions.last(connection, checked)
            if last is None:
                raise never_seen(checked)
            before = last.version + 1 if place is None else place
            page = versions.page(connection, checked, limit, before)
        following = self._paging.following(page.last, *binding)
        path = f"/items/{checked}/history"
        headers = {
            **self._paging.headers(path, following),
            "Content-Type": memento.LINK_FORMAT,
            "Vary": memento.TIMEMAP_VARY,
        }
        more = None if following is None else self._paging.url(path, following)
        own = self._paging.url(path, given.get("cursor"))
        return answer(
            Mementos(self._public_url, checked, last).page(page.stamps, own, more), headers
        )

    def diff(self, item_id: str) -> Response:
        """Answer with the patch (RFC 6902) that makes one state of an item into another."""
        given = params.read(request.args, _DIFF)
        checked = known(item_id)
        with self._reads.snapshot(LEDGER) as read:
            connection = read.connection
            last = versions.last(connection, checked)
            if last is None:
                raise never_seen(checked)
            after: int = given.get("to", last.version)
            before: int = given.get("from", max(after - 1, 0))
            if max(before, after) > last.version:
                raise no_such_version(checked, last.version)
            documents = [_document(connection, checked, each) for each in (before, after)]
        # What is before a version is fixed, too.
        kept = SETTLED if "to" in given else REVALIDATE
        headers = {**kept, "Content-Type": json_patch.MEDIA_TYPE}
        return tagged(orjson.dumps(json_patch.patch(*documents)), f"{before}-{after}", headers)


def _find(connection: Connection, item_id: str, last: Stamp, asked: Asked) -> Item:
    """Read the state that is asked for. Raises Trouble where there is none."""
    match asked:
        case AtVersion(version):
            if version > last.version:
                raise no_such_version(item_id, last.version)
        case AsOf(at):
            version = versions.as_of(connection, item_id, last, at)
            if version == 0:
                first = versions.effective(connection, item_id, [1])
                raise not_yet_created(item_id, first[1])
        case Nearest(at):
            # RFC 7089, 4.5.3: before the first one, the first one.
            version = max(versions.as_of(connection, item_id, last, at), 1)
        case _:
            assert_never(asked)
    item = heads.at_version(connection, item_id, version)
    if item is None:
        raise LookupError(f"item {item_id} has a version {version} and no events up to it")
    return item


def _kept(asked: Asked, last: Stamp) -> Mapping[str, str]:
    """Tell how long an answer may be kept. What takes effect later does so at or after the last
    change of its item: only moments before that one are settled.
    """
    match asked:
        case AtVersion():
            return SETTLED
        case AsOf(at):
            return SETTLED if at < last.effective_at else REVALIDATE
        case Nearest():
            return NEGOTIATED
        case _:
            assert_never(asked)


def _document(connection: Connection, item_id: str, version: int) -> dict[str, Any] | None:
    """Make the document of an item at a version; 0 is nothing."""
    item = heads.at_version(connection, item_id, version)
    return None if item is None else orjson.loads(items.render(item))
