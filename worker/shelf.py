"""Items as they become while a batch is decided, and what has happened to them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Connection

from domain.events import Event
from domain.evolve import evolve, fold
from domain.item import Item
from ledger import heads
from ledger.partitions import Checkpoint
from ledger.recorded import Recorded


class Cause(Protocol):
    """Which command something happened by, and who asked for it: an envelope says it."""

    @property
    def id(self) -> str: ...

    @property
    def actor(self) -> str: ...

    @property
    def reason(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class DueCause:
    """The cause of what happens because it is due."""

    id: str
    actor: str
    reason: str | None


class Shelf:
    """The items of one partition; what happens is recorded, in its order."""

    def __init__(self, connection: Connection, checkpoint: Checkpoint, now: int) -> None:
        self._connection = connection
        self._partition = checkpoint.position.partition
        # The wall clock may go back, the ledger's does not.
        self.recorded_at = max(now, checkpoint.recorded_at)
        self.offset = checkpoint.offset
        self.changed: dict[str, Item] = {}
        # Of what changed and was there before, how it was then.
        self.before: dict[str, Item] = {}
        self.recorded: list[Recorded] = []
        self._items: dict[str, Item] = {}

    def learn(self, items: Mapping[str, Item], touched: Iterable[str]) -> None:
        """Take in the items as they stand."""
        self._items = {item_id: items[item_id] for item_id in touched if item_id in items}

    def get(self, item_id: str) -> Item | None:
        return self._items.get(item_id)

    def happen(self, item_id: str, happened: Sequence[Event], cause: Cause) -> Item | None:
        """Record what happens to an item, and return it as it is then."""
        before = after = self._items.get(item_id)
        offset, recorded = self.offset, list[Recorded]()
        for event in happened:
            after = evolve(after, event)
            offset += 1
            recorded.append(
                Recorded(
                    self._partition,
                    offset,
                    after.version,
                    event,
                    cause.id,
                    cause.actor,
                    cause.reason,
                )
            )
        if after is None or not recorded:
            return after
        # Only now: where an event can not happen, nothing of it has.
        if before is not None and item_id not in self.changed:
            self.before[item_id] = before
        self.offset = offset
        self.recorded += recorded
        self._items[item_id] = self.changed[item_id] = after
        return after

    def earlier(self, item_id: str, version: int) -> Item:
        """Rebuild an item as it was at a version that it has reached, also within this batch."""
        mine = [each for each in self.recorded if each.event.item_id == item_id]
        stored = mine[0].version - 1 if mine else version
        item = None
        if stored:
            item = heads.at_version(self._connection, item_id, min(version, stored))
        for each in mine:
            if each.version <= version:
                item = evolve(item, each.event)
        if item is None:
            raise LookupError(f"item {item_id} has no version {version}")
        return replace(item, version=version)


class DryShelf:
    """Items as a dry run would leave them: nothing is recorded."""

    def __init__(self, shelf: Shelf, left: Mapping[str, Item]) -> None:
        """`left` are the items that the run has changed before."""
        self._shelf = shelf
        self._left = dict(left)
        self.changed: dict[str, Item] = {}
        self.recorded_at = shelf.recorded_at

    def get(self, item_id: str) -> Item | None:
        return self._left.get(item_id) or self._shelf.get(item_id)

    def happen(self, item_id: str, happened: Sequence[Event], _: Cause) -> Item | None:
        after = fold(happened, self.get(item_id))
        if after is not None and happened:
            self._left[item_id] = self.changed[item_id] = after
        return after

    def earlier(self, item_id: str, version: int) -> Item:
        """A dry run is of an import's rows, and none of those goes back to a version."""
        raise AssertionError(f"a dry run does not go back to version {version} of {item_id}")
