"""What verification has to know of the views: their live tables, and what events make of them."""

from collections.abc import Callable, Mapping
from functools import partial

from sqlalchemy import Connection

from ledger import projections
from ledger.projections import Slot, name_of
from ledger.verify.anew import Projected
from ledger.verify.rows import View
from readmodel.views.listing import all_views


def live_views(connection: Connection) -> Mapping[str, View | Projected]:
    """Find what to compare, by the names of the projections: tables with a row per item as they
    are, all others by making them anew.
    """
    books = {each.view: each for each in projections.read_all(connection)}
    found: dict[str, View | Projected] = {}
    for view in all_views():
        book = books.get(view.name)
        if book is None or book.live is None:
            continue
        slot = book.live
        tables = view.tables[slot]
        found[name_of(view.name, slot)] = (
            View(tables[0], view.row)
            if view.row is not None
            else Projected(tables, partial(_make, view.make, slot), view.into(slot))
        )
    return found


def _make(make: Callable[[Connection, Slot], None], slot: Slot, connection: Connection) -> None:
    make(connection, slot)
