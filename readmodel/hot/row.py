"""Items as they stand and how far the ledger was then, each read with that in one snapshot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from ledger.moments import Moments
from ledger.projections import SLOTS, Slot, name_of
from ledger.single import SingleRow, Values
from readmodel.views import items
from runtime.positions import Point

if TYPE_CHECKING:
    from readmodel.hot.cache import ItemCache

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
        return _row(self._row.read(item_id))

    def read_several(self, item_ids: Iterable[str]) -> dict[str, ItemRow]:
        """Read several by one round trip, on PostgreSQL; those that are there. Raises NotRead."""
        rows = self._row.read_all(",".join(item_ids))
        return {found[0].decode(): row for found in rows if (row := _row(found)) is not None}


class ItemMoments:
    """Reads items from SQLite by the thread that serves."""

    def __init__(self, engine: Engine) -> None:
        self._moments = Moments(engine, items.with_checkpoint)
        # As of which all that was committed has been heard of by the cache.
        self._heard: tuple[int, int] | None = None

    def read_several(self, item_ids: Sequence[str]) -> dict[str, ItemRow]:
        """Read several as they stood in one moment; those that are there. Raises NotRead."""
        rows = map(_row, self._moments.read(item_ids))
        return {name: row for name, row in zip(item_ids, rows, strict=True) if row is not None}

    def version(self) -> tuple[int, int]:
        """Tell what stays the same as long as nobody has committed anything. Raises NotRead."""
        return self._moments.version()

    def has_all(self, cache: "ItemCache") -> bool:
        """Say whether the cache has heard of everything that was committed until now. Raises
        NotRead.
        """
        if self._moments.version() == self._heard:
            return True
        version, places = self._moments.places()
        self._heard = version if cache.is_at(places) else None
        return self._heard is not None


def _row(found: Values | None) -> ItemRow | None:
    if found is None or found[2] is not None:
        return None
    _, version, _, body, live, partition, epoch, n, offset, last, in_step, lost_upto = found
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
