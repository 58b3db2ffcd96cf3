"""The currencies that items are in, from the index of the items view: one look for each."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from ledger.projections import Slot
from readmodel.views import items


def currencies(connection: Connection, slot: Slot) -> Sequence[str]:
    """Read them in order, also those of deleted items alone."""
    column = items.TABLES[slot].c.currency
    found = select(func.min(column).label("currency")).cte("found", recursive=True)
    following = select(func.min(column)).where(column > found.c.currency).scalar_subquery()
    found = found.union_all(select(following).where(found.c.currency.is_not(None)))
    statement = select(found.c.currency).where(found.c.currency.is_not(None))
    return sorted(connection.scalars(statement))
