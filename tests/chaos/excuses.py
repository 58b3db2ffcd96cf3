"""What the product itself has recorded as lost need not become final."""

from collections.abc import Iterable
from pathlib import Path

from tests.chaos.collect import gaps, kept_logs
from tests.chaos.databases import ERRORS
from tests.chaos.final import GapRow, Position
from tests.chaos.world import World


class Excuses:
    """Knows positions of commands from copies of the log that were made before a set-back."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._read: set[Path] = set()
        self._positions: dict[str, Position] = {}

    def lost(self, ids: Iterable[str]) -> set[str]:
        files = set(self._folder.glob("log-*.jsonl"))
        if not files:
            return set()
        if files != self._read:
            self._read = files
            self._positions = {each.id: each.position for each in kept_logs(self._folder)}
        try:
            recorded = gaps(self._world)
        except ERRORS:
            return set()
        return {
            each
            for each in ids
            if each in self._positions and is_lost(self._positions[each], recorded)
        }


def is_lost(position: Position, recorded: Iterable[GapRow]) -> bool:
    return any(gap.kind == "lost" and position.inside(gap) for gap in recorded)
