"""What verification has to know of the views: their live tables, and the row that an item makes."""

from collections.abc import Mapping

from sqlalchemy import Connection

from ledger import projections
from ledger.projections import name_of
from ledger.verify.rows import View
from readmodel.views.listing import all_views


def live_views(connection: Connection) -> Mapping[str, View]:
    """Find the tables to compare, by the names of their projections: those with a row per item."""
    books = {each.view: each for each in projections.read_all(connection)}
    found: dict[str, View] = {}
    for view in all_views():
        book = books.get(view.name)
        if view.row is not None and book is not None and book.live is not None:
            name = name_of(view.name, book.live)
            found[name] = View(view.tables[book.live][0], view.row)
    return found
