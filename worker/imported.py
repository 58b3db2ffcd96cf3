"""Imports, as far as a batch of one partition touches them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from domain.commands import AtVersion, DeleteItem, RevertItem
from domain.outcomes import Outcome
from eventlog.envelope import Envelope, ImportMark, RevertRows, Rows
from ledger import imports
from ledger.imports import MIXED, Counts, Import, Touched
from ledger.partitions import Checkpoint
from ledger.recorded import Recorded
from ledger.reverts import left_behind
from runtime.row_ids import row_id
from worker.shelf import DryShelf, Shelf

# Items that one entry takes back at most: interactive commands come in between.
REVERT_AT_ONCE = 500

# What is counted by the name of an outcome's status; everything else is `other`.
_COUNTED = frozenset(["applied", "unchanged", "rejected", "skipped"])


class Imported:
    def __init__(self, connection: Connection, checkpoint: Checkpoint, now: int) -> None:
        self._connection = connection
        self._partition = checkpoint.position.partition
        self._offset = checkpoint.offset
        self._now = now
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._over: dict[str, bool] = {}
        self._dry: dict[str, DryShelf] = {}
        self._wanted: dict[str, set[str]] = {}

    def want(self, entry: Rows) -> None:
        """Take note of which items a dry run needs."""
        if entry.dry:
            wanted = self._wanted.setdefault(entry.import_id, set())
            wanted |= {each.command.item_id for each in entry.rows if isinstance(each, Envelope)}

    def dry_shelf(self, import_id: str, shelf: Shelf) -> DryShelf:
        """Give the items as that dry run has left them."""
        if import_id not in self._dry:
            wanted = self._wanted.get(import_id, set())
            left = imports.load_dry(self._connection, import_id, wanted)
            self._dry[import_id] = DryShelf(shelf, left)
        return self._dry[import_id]

    def is_over(self, import_id: str) -> bool:
        """Say whether no more rows of it are taken."""
        if import_id not in self._over:
            self._over[import_id] = imports.is_over(self._connection, import_id)
        return self._over[import_id]

    def count(self, import_id: str, outcome: Outcome | None, *, stops: bool = False) -> None:
        """Count what became of a row; `None` where it is set aside. With `stops`, a rejected one
        ends the import.
        """
        what = outcome.status if outcome is not None and outcome.status in _COUNTED else "other"
        counts = self._counts[import_id]
        counts[what] += 1
        if stops and what == "rejected":
            self._over[import_id] = True
            counts["stopped"] = 1

    def has(self, import_id: str) -> bool:
        """Say whether an import has had rows in this partition."""
        counts = imports.counted(self._connection, import_id, self._partition)
        return counts.final > 0 or import_id in self._counts

    def recount(self, import_id: str) -> None:
        """Take back that a row is set aside: it is tried again, and counted anew."""
        self._counts[import_id]["other"] -= 1

    def take_back(self, entry: RevertRows) -> list[Envelope]:
        """Make the commands that take back what an import did."""
        touched = imports.touched_after(
            self._connection, entry.reverts, self._partition, entry.after, REVERT_AT_ONCE
        )
        # What a revert has changed that was reverted is not changed by somebody else.
        versions = left_behind(self._connection, entry.reverts, self._partition, touched)
        return [
            Envelope(
                row_id(entry.import_id, entry.row + place),
                _back(each, versions[each.item_id], entry.at),
                entry.actor,
                "",
                reason=entry.reason,
            )
            for place, each in enumerate(touched, start=1)
        ]

    def mark(self, mark: ImportMark) -> None:
        """Take note of where an import has got to."""
        known = imports.find(self._connection, mark.import_id)
        if known is None:
            known = self._unbegun(mark)
        if mark.mark == "begun":
            # Something may have been said of it before, but only this says what it is.
            known = replace(
                known,
                actor=mark.actor,
                dry=mark.dry,
                stop=mark.stop,
                reverts=mark.reverts,
                file=mark.file or known.file,
            )
        known = replace(known, status=_moved(known, mark), changed_at=self._now)
        if known.status != "failed":
            known = replace(known, detail=None)
        elif mark.mark == "failed":
            known = replace(known, detail=mark.detail)
        if mark.mark == "received":
            # Who sends less under the same key has taken nothing back.
            rows = max(known.rows or 0, mark.rows)
            known = replace(self._ended(known), rows=rows)
        if mark.mark == "cancelled":
            self._over[mark.import_id] = True
            # Whoever fed it says after the cancellation how many rows it had put on the log.
            known = replace(known, rows=max(known.rows or 0, mark.rows) or None)
        imports.store(self._connection, known)

    def _unbegun(self, mark: ImportMark) -> Import:
        return replace(
            imports.unheard_of(mark.import_id),
            partition=self._partition,
            actor=mark.actor,
            begun_at=self._now,
        )

    def _ended(self, known: Import) -> Import:
        """Say of a revert that is at its end where there was nothing to take back. Not before: it
        may overtake what another partition has to say of the import, but ends behind it.
        """
        if known.reverts is None:
            return known
        reverted = imports.find(self._connection, known.reverts)
        if reverted is None:
            detail = f"no import {known.reverts} is known"
        elif reverted.dry:
            detail = f"import {known.reverts} was a dry run: it changed nothing"
        else:
            return known
        return replace(known, status="failed", detail=detail)

    def write(self, recorded: Sequence[Recorded]) -> None:
        """Write what has changed; `recorded` is what has happened in the whole batch."""
        for import_id, more in self._counts.items():
            before = imports.counted(self._connection, import_id, self._partition)
            own = [each for each in recorded if each.command_id.startswith(f"{import_id}.")]
            imports.count(
                self._connection,
                import_id,
                self._partition,
                before.plus(Counts(**more)),
                after=self._offset,
                last=own[-1].offset if own else None,
            )
            imports.touch(self._connection, import_id, self._partition, _touched(own))
        for import_id, shelf in self._dry.items():
            imports.store_dry(self._connection, import_id, shelf.changed.values())


def _touched(own: Iterable[Recorded]) -> list[Touched]:
    """Find the items that rows of an import have changed in a batch. One that somebody else has
    changed between two of them can not go back without undoing that, too.
    """
    found: dict[str, Touched] = {}
    for each in own:
        item_id = each.event.item_id
        first = found.get(item_id)
        if first is None:
            found[item_id] = Touched(item_id, each.version - 1, each.version)
        else:
            after = each.version if first.after == each.version - 1 else MIXED
            found[item_id] = replace(first, after=after)
    return list(found.values())


def _back(touched: Touched, versions: frozenset[int], at: int) -> RevertItem | DeleteItem:
    unchanged = AtVersion(versions)
    if touched.before == 0:
        return DeleteItem(touched.item_id, at, unchanged)
    return RevertItem(touched.item_id, at, touched.before, unchanged, revive=True)


def _moved(known: Import, mark: ImportMark) -> imports.ImportStatus:
    """Say where an import is after a mark: what is over stays so."""
    over = known.status == "cancelled" or (known.reverts is not None and known.status == "failed")
    if over or (known.status == "received" and mark.mark != "cancelled"):
        return known.status
    match mark.mark:
        case "begun" | "resumed":
            return "receiving" if known.reverts is None else "received"
        case "received" | "paused" | "cancelled" | "failed":
            return mark.mark
