"""Items whose id begins with what somebody has typed, from the primary key of the items view."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from ledger.projections import Slot
from readmodel.views import items

# Behind every character that an id has.
_BEHIND = "\x7f"


def beginning(connection: Connection, slot: Slot, typed: str, most: int) -> Sequence[str]:
    """Read up to `most` rendered items, deleted ones too: first those whose id begins as it was
    typed, then those in capitals, then in small letters. Each reads no more than it may return.
    """
    column = items.TABLES[slot].c
    found: list[str] = []
    for start in dict.fromkeys((typed, typed.upper(), typed.lower())):
        statement = (
            select(column.body)
            .where(column.item_id >= start, column.item_id < start + _BEHIND)
            .order_by(column.item_id)
            .limit(most - len(found))
        )
        found += connection.scalars(statement)
        if len(found) == most:
            break
    return found
