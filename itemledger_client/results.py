"""What became of what was sent: writes, the rows of a batch, commands, imports."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, Required, TypedDict

from itemledger_client.problems import Problem, problem_from
from itemledger_client.values import Item, ScheduledPrice

_FINAL_IMPORTS = frozenset({"done", "stopped", "cancelled", "failed"})


@dataclass(frozen=True, slots=True)
class Written:
    """A write that was accepted: on disk, and applied a moment later. Where it was waited for, and
    that was in time, it is `final`, and has the item, or the scheduled price, as it left it (a
    deleted item has none). `key` is its Idempotency-Key, `replayed` says that the service had it
    already; a `command_id` is told of those that are not final.
    """

    final: bool
    token: str
    key: str
    replayed: bool
    item_id: str
    command_id: str | None = None
    item: Item | None = None
    scheduled_price: ScheduledPrice | None = None
    schedule_id: str | None = None

    @property
    def version(self) -> int | None:
        """The item's version after it, where that is known."""
        return None if self.item is None else self.item.version


class Row(TypedDict, total=False):
    """A command of a batch; times are RFC 3339."""

    op: Required[Literal["create", "put", "patch", "delete"]]
    id: str
    name: str
    description: str | None
    price: int
    currency: str
    effective_at: str
    if_version: int
    reason: NotRequired[str | None]


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of a row: its number (from 0 in a batch, the line in an import), a `status`, and
    the `problem` of one that was refused.
    """

    row: int
    status: str
    item_id: str | None
    command_id: str | None = None
    token: str | None = None
    version: int | None = None
    problem: Problem | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "RowResult":
        problem = document.get("problem")
        return cls(
            document["row"],
            document["status"],
            document["item_id"],
            document.get("command_id"),
            document.get("token"),
            document.get("version"),
            None if problem is None else problem_from(problem, 0),
        )

    @property
    def is_refused(self) -> bool:
        return self.problem is not None


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of a batch, in their order; `final` says that none of them still waits."""

    rows: tuple[RowResult, ...]
    final: bool
    key: str
    replayed: bool

    @property
    def refused(self) -> tuple[RowResult, ...]:
        return tuple(each for each in self.rows if each.is_refused)


@dataclass(frozen=True, slots=True)
class Command:
    """What is known of a command. `status` is `accepted`, `applied`, `unchanged`, `rejected`,
    `expired`, `parked`, `dead` or `lost`; `outcome` is what waiting would have answered, where that
    is final: `status`, `headers`, `body`.
    """

    command_id: str
    status: str
    item_id: str | None
    token: str | None
    outcome: Mapping[str, Any] | None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Command":
        return cls(
            document["command_id"],
            document["status"],
            document.get("item_id"),
            document.get("token"),
            document.get("outcome"),
        )

    @property
    def problem(self) -> Problem | None:
        """Why it was refused, where it was."""
        if self.outcome is None or self.outcome["status"] < 400:  # noqa: PLR2004  as HTTP has it
            return None
        return problem_from(self.outcome["body"], self.outcome["status"])


@dataclass(frozen=True, slots=True)
class Import:
    """An import, and how many of its rows came out how; `rows` is `None` until that is known.
    `reverts` is the import that this one takes back, `reverted_by` the one that took this back
    and is in force; `file_name` is what the sender called the file.
    """

    import_id: str
    status: str
    rows: int | None
    applied: int
    unchanged: int
    rejected: int
    skipped: int
    other: int
    dry_run: bool
    detail: str | None
    reverts: str | None = None
    reverted_by: str | None = None
    file_name: str | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Import":
        return cls(
            document["import_id"],
            document["status"],
            document["rows"],
            document["applied"],
            document["unchanged"],
            document["rejected"],
            document["skipped"],
            document["other"],
            document["dry_run"],
            document["detail"],
            document["reverts"],
            # A service of an earlier release does not tell these.
            document.get("reverted_by"),
            document.get("file_name"),
        )

    @property
    def final(self) -> bool:
        """Whether every row is final."""
        return self.status in _FINAL_IMPORTS


@dataclass(frozen=True, slots=True)
class ImportSent:
    """An import that the command API has taken: follow it by its id."""

    import_id: str
    status: str
    rows: int | None
    key: str
    replayed: bool
