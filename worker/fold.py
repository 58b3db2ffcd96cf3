"""Events of a partition, taken in order, with the items before and after each stretch of them."""

from collections.abc import Sequence

from sqlalchemy import Connection

from domain.evolve import evolve
from domain.item import Item
from ledger import earlier
from ledger.changes import Changes, unscheduled
from ledger.recorded import Recorded

# Items that are remembered: about a kilobyte each. Those that are not are read from the ledger.
_REMEMBERED = 50_000


class Fold:
    """Remembers the items of one partition as the last stretch left them."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._items: dict[str, Item] = {}
        self._remembered = remembered

    def take(self, connection: Connection, recorded: Sequence[Recorded]) -> Changes:
        """Take the events that follow those taken last; `connection` sees them all."""
        first = {each.event.item_id: each.version for each in reversed(recorded)}
        items = {
            item_id: self._items[item_id]
            for item_id, version in first.items()
            # Another one may have taken events in between: then what is remembered is too old.
            if item_id in self._items and self._items[item_id].version == version - 1
        }
        unknown = {
            item_id: version - 1
            for item_id, version in first.items()
            if version > 1 and item_id not in items
        }
        items |= earlier.at_versions(connection, unknown)
        before = {each: items[each] for each, version in first.items() if version > 1}
        for each in recorded:
            item_id = each.event.item_id
            items[item_id] = evolve(items.get(item_id), each.event)
        self._remember(items)
        return Changes(recorded, unscheduled(before), unscheduled(items))

    def _remember(self, items: dict[str, Item]) -> None:
        """Keep these, and forget those that were touched longest ago where there are too many."""
        for item_id, item in items.items():
            self._items.pop(item_id, None)
            self._items[item_id] = item
        for item_id in list(self._items)[: max(0, len(self._items) - self._remembered)]:
            del self._items[item_id]
