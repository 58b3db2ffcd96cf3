"""What is there at the end, as plain values: SQL rows, log entries, answers of the query API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class EventRow:
    partition: int
    offset: int
    item_id: str
    version: int
    type: str
    data: str
    command_id: str
    actor: str
    reason: str | None
    recorded_at: int
    effective_at: int
    hash: str

    @property
    def name(self) -> str:
        """The type, whatever version of it is stored."""
        return self.type.partition(".v")[0]

    @property
    def members(self) -> dict[str, Any]:
        """What it says; nothing here is about scheduled prices."""
        data: dict[str, Any] = orjson.loads(self.data)
        if self.name == "ItemRepriced" and data.get("schedule_id") is None:
            data.pop("schedule_id", None)
        return data


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    command_id: str
    partition: int
    epoch: int
    n: int
    item_id: str
    status: str
    http_status: int
    version: int
    code: str | None

    @property
    def position(self) -> "Position":
        return Position(self.partition, self.epoch, self.n)


@dataclass(frozen=True, slots=True)
class HeadRow:
    item_id: str
    partition: int
    version: int
    name: str
    description: str | None
    price: int
    currency: str
    created_at: int
    updated_at: int
    deleted_at: int | None


@dataclass(frozen=True, slots=True)
class ViewRow:
    item_id: str
    partition: int
    version: int
    deleted_at: int | None
    body: str


@dataclass(frozen=True, slots=True)
class PartitionRow:
    partition: int
    epoch: int
    n: int
    offset: int
    recorded_at: int
    hash: str


@dataclass(frozen=True, slots=True)
class GapRow:
    partition: int
    from_epoch: int
    from_n: int
    to_epoch: int
    to_n: int
    kind: str


@dataclass(frozen=True, slots=True, order=True)
class Position:
    partition: int
    epoch: int
    n: int

    @classmethod
    def of_token(cls, token: str) -> "Position":
        partition, epoch, n = token.split(".")
        return cls(int(partition), int(epoch), int(n))

    def inside(self, gap: GapRow) -> bool:
        here = (self.epoch, self.n)
        return self.partition == gap.partition and (gap.from_epoch, gap.from_n) <= here <= (
            gap.to_epoch,
            gap.to_n,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A log entry: where it stands, the id in it, and the reason it was given."""

    position: Position
    id: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class LogHead:
    """How far a partition's log goes, and how far it is marked done."""

    partition: int
    epoch: int
    n: int
    done: str | None


@dataclass(frozen=True, slots=True)
class Final:
    """`pages` is what `GET /items` says of every item; `earlier` holds what was seen in the log
    before it was set back.
    """

    events: list[EventRow]
    outcomes: list[OutcomeRow]
    heads: list[HeadRow]
    view: list[ViewRow]
    partitions: list[PartitionRow]
    checkpoints: list[tuple[str, int, int]]
    gaps: list[GapRow]
    quarantined: list[str]
    log: list[Entry]
    log_heads: list[LogHead]
    pages: Mapping[str, Mapping[str, Any]] | None = None
    leftovers: list[str] = field(default_factory=list)
    earlier: list[Entry] = field(default_factory=list)
