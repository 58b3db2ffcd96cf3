"""Imports as an API process puts them on the log, for the tests."""

from collections.abc import Sequence
from typing import Any

from domain.commands import Command, CreateItem, DeleteItem, PatchItem, ReplaceItem
from eventlog.envelope import BadRow, Entry, Envelope, ImportMark, Mark, RevertRows, Rows
from eventlog.partition import partition_of
from ledger import imports, tables
from ledger.imports import Counts, Import
from runtime.row_ids import row_id
from tests.worker.checks import outcomes
from tests.worker.world import NOW, World

BROKEN = "no command"


def put(item_id: str, price: int = 100, **members: Any) -> Command:
    return ReplaceItem(item_id, NOW, "Thing", None, price, None, "EUR", **members)


def create(item_id: str, price: int = 100) -> Command:
    return CreateItem(item_id, NOW, "Thing", None, price, "EUR")


def patch(item_id: str, price: int) -> Command:
    return PatchItem(item_id, NOW, price=price)


def delete(item_id: str) -> Command:
    return DeleteItem(item_id, NOW)


def row(import_id: str, number: int, command: Command | str) -> Envelope | BadRow:
    name = row_id(import_id, number)
    if isinstance(command, str):
        return BadRow(name, f"f{number}", "invalid-body", command)
    return Envelope(name, command, "anna", f"f{number}", with_item=False)


class Importing:
    """One import; rows are numbered on from call to call."""

    def __init__(
        self, world: World, name: str = "imp", *, dry: bool = False, stop: bool = False
    ) -> None:
        self._world = world
        self.name = name
        self._dry = dry
        self._stop = stop
        self._entries = 0
        self.rows = 0

    def mark(self, mark: Mark, **members: Any) -> None:
        self._entries += 1
        given = {"dry": self._dry, "stop": self._stop} | members
        name = f"{self.name} {mark} {self._entries}"
        self._append(self._home, ImportMark(name, self.name, mark, "anna", NOW, **given))

    def feed(self, *commands: Command | str) -> None:
        """Put rows on the log, one entry per partition, and before the first that it has begun."""
        if not self._entries:
            self.mark("begun")
        mine: dict[int, list[Envelope | BadRow]] = {}
        for command in commands:
            self.rows += 1
            partition = (
                self._home
                if isinstance(command, str)
                else partition_of(command.item_id, self._world.reader.partitions)
            )
            mine.setdefault(partition, []).append(row(self.name, self.rows, command))
        for partition, rows in mine.items():
            self.send(partition, rows)

    def send(self, partition: int, rows: Sequence[Envelope | BadRow]) -> None:
        self._entries += 1
        name = f"{self.name} entry {self._entries}"
        self._append(partition, Rows(name, self.name, tuple(rows), self._dry, self._stop))

    def received(self) -> None:
        self.mark("received", rows=self.rows)

    def revert(self, name: str = "rev") -> "Importing":
        """Take it back, as a new import."""
        taking = Importing(self._world, name)
        taking.mark("begun", reverts=self.name)
        first = RevertRows(f"{name} first", name, self.name, "", "anna", "a mistake", NOW)
        self._append(0, first)
        return taking

    def told(self) -> Import:
        with self._world.engine.connect() as connection:
            found = imports.find(connection, self.name)
        assert found is not None
        return found

    def counts(self) -> Counts:
        with self._world.engine.connect() as connection:
            return imports.total(connection, self.name)

    def statuses(self) -> dict[int, str]:
        """Tell what became of each row, by its number."""
        prefix = f"{self.name}."
        return {
            int(name.removeprefix(prefix)): found["status"]
            for name, found in outcomes(self._world).items()
            if name.startswith(prefix)
        }

    @property
    def _home(self) -> int:
        return partition_of(self.name, self._world.reader.partitions)

    def _append(self, partition: int, entry: Entry) -> None:
        self._world.append(entry, partition=partition)


def catalogue(world: World) -> dict[str, tuple[Any, ...]]:
    """Tell what every item is that is not deleted."""
    return {
        each["item_id"]: (each["name"], each["description"], each["price"], each["currency"])
        for each in world.rows(tables.heads, "item_id")
        if each["deleted_at"] is None
    }
