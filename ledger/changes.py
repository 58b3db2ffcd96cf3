"""What a projection takes: events, and the items they happened to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.item import Item
from ledger.recorded import Recorded


@dataclass(frozen=True, slots=True)
class Changes:
    """Events in the order of the ledger, of one partition or of several.

    `before` holds each touched item as it was before the first of them, and not those that they
    created; `after` each as it was after the last.
    """

    events: Sequence[Recorded]
    before: Mapping[str, Item]
    after: Mapping[str, Item]
