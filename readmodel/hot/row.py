"""An item as it stands and how far the ledger was then, read in one snapshot by one statement."""

from dataclasses import dataclass

from sqlalchemy import Engine

from ledger.projections import SLOTS, Slot, name_of
from ledger.single import SingleRow
from readmodel.views import items
from runtime.positions import Point

_NAMES = {slot: name_of(items.NAME, slot).encode() for slot in SLOTS}


@dataclass(frozen=True, slots=True)
class ItemRow:
    """`slot` is the one it was read from; `is_in_step` says whether that takes events with the
    ledger, which was at `point` in the item's partition. Of the point's epoch nothing is lost after
    `lost_upto`.
    """

    version: int
    body: bytes
    slot: Slot
    partition: int
    point: Point
    is_in_step: bool
    lost_upto: int


class ItemRows:
    """Reads items that are there; for any number of threads."""

    def __init__(self, engine: Engine) -> None:
        self._row = SingleRow(engine, items.with_checkpoint)

    def read(self, item_id: str) -> ItemRow | None:
        """Read an item; `None` where there is none, or no more. Raises NotRead."""
        found = self._row.read(item_id)
        if found is None or found[1] is not None:
            return None
        version, _, body, live, partition, epoch, n, offset, last, in_step, lost_upto = found
        slot: Slot = 1 if int(live) == 1 else 2
        return ItemRow(
            int(version),
            body,
            slot,
            int(partition),
            Point(int(epoch), int(n), int(offset), last.decode()),
            _NAMES[slot] in in_step.split(b","),
            int(lost_upto),
        )
