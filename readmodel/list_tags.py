"""Entity tags of lists, told from what the list is read from: without reading the list."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

import orjson
from sqlalchemy import Connection, and_, case, select
from sqlalchemy.sql import ClauseElement

from ledger.prepared import Prepared, among, listed
from ledger.projections import name_of
from ledger.tables import checkpoints, events, projections

# Bytes of a digest that are kept: two lists have the same tag once in 2^72.
_KEPT = 18

_live = case(
    (projections.c.live == 2, projections.c.view + name_of("", 2)),  # noqa: PLR2004  the slot
    else_=projections.c.view,
)


def _state(dialect_name: str) -> ClauseElement:
    """Read how far views are. The hash of an event is one of all that came before it in its
    partition, too.
    """
    last = and_(
        events.c.partition == checkpoints.c.partition, events.c.offset == checkpoints.c.offset
    )
    taken = projections.outerjoin(checkpoints, checkpoints.c.projection == _live)
    return (
        select(
            projections.c.view,
            projections.c.begun_at,
            checkpoints.c.projection,
            checkpoints.c.partition,
            checkpoints.c.offset,
            events.c.hash,
        )
        .select_from(taken.outerjoin(events, last))
        .where(among(dialect_name, projections.c.view, "views"))
        .order_by(projections.c.view, checkpoints.c.partition)
    )


STATE = Prepared(_state)


class ListTags:
    """Makes weak tags (RFC 9110, 8.8.3); `key` is that of the cursors, which lists have in them."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._release = version("itemledger")

    def tag(self, connection: Connection, views: Sequence[str], *asked: object) -> str:
        """Make the tag of a list of these views in the snapshot of the connection. It changes with
        every event that they take, and where they are read from what was built anew.
        """
        state = STATE.run(connection, {"views": listed(connection, views)})
        return self.of(state, *asked)

    def of(self, state: Iterable[Any], *asked: object) -> str:
        """Make the same of rows of `STATE`."""
        stood = [self._release, asked, [list(row) for row in state]]
        digest = hmac.digest(self._key, b"list " + orjson.dumps(stood), "sha256")
        return urlsafe_b64encode(digest[:_KEPT]).decode()
