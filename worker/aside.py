"""The quarantine of one partition while a batch is decided."""

from collections.abc import Sequence

from sqlalchemy import Connection

from ledger import quarantine
from ledger.quarantine import Quarantined


class Aside:
    """What is set aside, as far as the batch touches it.

    Rows of items that nobody gave an order about are not loaded: they can only become more.
    """

    def __init__(self, connection: Connection, partition: int, quarantined: int) -> None:
        self._connection = connection
        self._partition = partition
        self._quarantined = quarantined
        self._loaded: dict[str, Quarantined] = {}
        self._rows: dict[str, Quarantined] = {}
        self._blocked: set[str] = set()

    def load(self, command_ids: Sequence[str], ordered: Sequence[str]) -> set[str]:
        """Load what the batch needs: `ordered` are the commands that orders are about.

        Returns which of the commands are set aside already.
        """
        if not self._quarantined:
            return set()
        self._blocked = quarantine.blocked(self._connection, self._partition)
        for command_id in ordered:
            found = quarantine.find(self._connection, command_id)
            if found is None or found.position.partition != self._partition:
                continue
            self._loaded[found.command_id] = found
            if found.item_id is not None:
                same = quarantine.of_item(self._connection, self._partition, found.item_id)
                self._loaded |= {each.command_id: each for each in same}
        self._rows = dict(self._loaded)
        return quarantine.known(self._connection, self._partition, command_ids)

    def items(self) -> set[str]:
        """Name the items whose commands may be tried again."""
        return {each.item_id for each in self._loaded.values() if each.item_id is not None}

    def ids(self) -> list[str]:
        """Name the commands that may be tried again."""
        return list(self._loaded)

    def blocks(self, item_id: str | None) -> bool:
        return item_id in self._blocked

    def put(self, row: Quarantined) -> None:
        """Set a command aside; a dead one blocks its item."""
        self._rows[row.command_id] = row
        if row.state == "dead" and row.item_id is not None:
            self._blocked.add(row.item_id)

    def dead(self, command_id: str) -> Quarantined | None:
        found = self._rows.get(command_id)
        return None if found is None or found.state != "dead" else found

    def parked_behind(self, row: Quarantined) -> list[Quarantined]:
        """List what waits behind a dead command, in the order of acceptance."""
        if row.item_id is None:
            return []
        same = [
            each
            for each in self._rows.values()
            if each.item_id == row.item_id and each.state == "parked"
        ]
        return sorted(same, key=lambda each: each.position)

    def take_out(self, row: Quarantined) -> None:
        """Take a command out; one that was dead blocks its item no longer."""
        del self._rows[row.command_id]
        if row.state == "dead" and row.item_id is not None:
            self._blocked.discard(row.item_id)

    @property
    def growth(self) -> int:
        return len(self._rows) - len(self._loaded)

    def write(self) -> None:
        """Write what has changed."""
        changed = [
            row for command_id, row in self._rows.items() if row is not self._loaded.get(command_id)
        ]
        quarantine.store(self._connection, changed)
        gone = [command_id for command_id in self._loaded if command_id not in self._rows]
        quarantine.remove(self._connection, gone)
