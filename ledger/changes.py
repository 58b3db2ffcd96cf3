"""What a projection takes: events, and the items they happened to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.item import Item
from ledger.recorded import Recorded


@dataclass(frozen=True, slots=True)
class Changes:
    """Events in the order of the ledger, of one partition or of several.

    `before` holds each touched item as it was before the first of them, and not those that they
    created; `after` each as it was after the last. What was scheduled is left out: no earlier state
    can be told with it, and what is built anew has to be equal. The events say it.
    """

    events: Sequence[Recorded]
    before: Mapping[str, Item]
    after: Mapping[str, Item]


def unscheduled(items: Mapping[str, Item]) -> dict[str, Item]:
    """Leave out what is scheduled of items."""
    if not any(item.schedules for item in items.values()):
        return dict(items)
    return {
        item_id: replace(item, schedules=()) if item.schedules else item
        for item_id, item in items.items()
    }
