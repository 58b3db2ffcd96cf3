"""What stands in the log: a command with its id, its sender and its circumstances; several of them
that belong together; and what is said about them.
"""

from dataclasses import dataclass
from typing import Literal

from domain.commands import Command
from domain.value import value

# Characters that an import's file may be called by.
FILE_NAME_LIMIT = 255


@value
class Envelope:
    """A command on the log.

    `fingerprint` is that of the payload it came with; `reply_to` names the API process that waits
    for the outcome, `with_item` says whether it wants the item with it, which nobody does for a row
    of a batch; `trace` is a W3C traceparent, `request_id` what its sender or a proxy called the
    request. After `deadline`, milliseconds since 1970, nobody wants the command any more.
    """

    id: str
    command: Command
    actor: str
    fingerprint: str
    reply_to: str | None = None
    reason: str | None = None
    trace: str | None = None
    with_item: bool = True
    deadline: int | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of an import that is no command: `code` and `detail` say why. `item_id` is that of the
    item it names, '' where it names none.
    """

    id: str
    fingerprint: str
    code: str
    detail: str
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of an import that are of one partition, in the order of the file; their ids are
    `row_id`s. `dry` where it is only to be told what would become of them; `stop` where none is
    taken after one that is rejected.
    """

    id: str
    import_id: str
    rows: tuple[Envelope | BadRow, ...]
    dry: bool = False
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Atomic:
    """Commands of any partitions that are applied together or not at all; their ids are
    `row_id`s of this one's. It stands in the partition of the first one's item.
    """

    id: str
    rows: tuple[Envelope, ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """Commands of one request that are of one partition, each for itself; their ids are `row_id`s
    of this one's. Each has a position of its own, in their order: the entry stands at the last.
    What is the same of all of them is written once.
    """

    id: str
    rows: tuple[Envelope, ...]
    fingerprint: str = ""


Mark = Literal["begun", "received", "paused", "resumed", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class ImportMark:
    """Where an import has got to; it stands in the import's home partition.

    `rows` counts those that were read, where it is `received`, and those that are on the log where
    whoever fed it was told that it is `cancelled`; `detail` says why it failed. The others are said
    where it has begun: `stop` at its first rejected row, nothing but a `dry` run,
    `reverts` another import, and what its `file` is called.
    """

    id: str
    import_id: str
    mark: Mark
    actor: str
    at: int
    rows: int = 0
    detail: str | None = None
    dry: bool = False
    stop: bool = False
    reverts: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class RevertRows:
    """Take back what an import did to some items of this partition: those that follow `after` in
    the order of their ids. The results are rows of the import `import_id`, numbered on from `row`.
    """

    id: str
    import_id: str
    reverts: str
    after: str
    actor: str
    reason: str | None
    at: int
    row: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to hear again what became of a command that was accepted before."""

    id: str
    command_id: str
    fingerprint: str
    reply_to: str
    with_item: bool = True


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's word on a dead command: try it again, or give it up."""

    id: str
    what: Literal["replay", "discard"]
    command_id: str
    actor: str


Entry = Envelope | Rows | Pack | Atomic | ImportMark | RevertRows | Ask | Order


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A log entry that this release can not read; `why` is a traceback.

    `id` and `item_id` are what could be made out all the same.
    """

    id: str | None
    item_id: str | None
    why: str


class UnreadableEntry(Exception):
    """A log entry that this release can not read."""
