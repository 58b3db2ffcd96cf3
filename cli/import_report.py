"""What an import tells while it runs and when it has ended, and its file of rejected rows."""

import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson
import typer

from cli.import_client import Reject, Told
from cli.progress import progress
from cli.refusals import Refusal

_SAY_EVERY = 5.0
# Rejected rows that are told at once; the file has them all.
_SHOWN = 5


class Report:
    """Shows how much of the file is sent, then how many rows are final. A bar on a terminal, else
    a line every few seconds.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._began = self._said = time.monotonic()
        self._again = -_SAY_EVERY
        self._what = "bytes"
        self.begun = False
        self.sent = 0
        self.rows = 0
        self._bar = progress("{task.fields[note]}", rated=False)
        self._task = self._bar.add_task("", total=size, note="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self) -> None:
        """Start the clock: from here on the file is sent."""
        self._began = self._said = time.monotonic()
        self.begun = True

    def far(self, sent: int) -> None:
        """Show how many bytes are taken. What was sent is not applied yet: of that nothing is known
        until all rows are on disk, so no share and no time is told of it.
        """
        if sent < self.sent and time.monotonic() - self._again >= _SAY_EVERY:
            self._again = time.monotonic()
            self._bar.print(
                "The connection broke: the file is sent again, and goes on from where it was; "
                "no row is taken twice."
            )
        self.sent = sent
        if sent < self._size:
            rate = sent / 2**20 / self.seconds
            self._show("bytes", sent, self._size, f"bytes sent, {rate:,.1f} MiB/s")
        else:
            self._show("rows", 0, None, f"all {sent:,} bytes are sent, and rows are being applied")

    def told(self, told: Told) -> None:
        """Show how many rows are final."""
        self.rows = told.final_rows
        rate = self.rows / self.seconds
        rejected = told.counts["rejected"]
        note = f"rows, {told.status}, {rate:,.0f} rows/s, {rejected:,} rejected"
        # It may be told later how many there are than what became of them.
        total = None if told.rows is None else max(told.rows, self.rows)
        if total is None:
            note = f"{self.rows:,} {note}"
        self._show("rows", self.rows, total, note)

    def summary(self, told: Told, rejects: Path, *, dry: bool) -> str:
        """Say in one line what became of the rows."""
        counts = told.counts
        parts = [f"{counts[each]} {each}" for each in ("applied", "unchanged", "rejected")]
        parts += [f"{counts['skipped']} skipped"] if counts["skipped"] else []
        parts += [f"{counts['other']} set aside for a defect"] if counts["other"] else []
        rate = told.final_rows / self.seconds
        rows = "row" if told.final_rows == 1 else "rows"
        line = (
            f"{told.final_rows} {rows}: {', '.join(parts)}; {self.seconds:.1f} s, {rate:.0f} rows/s"
        )
        line = f"Dry run, nothing is changed: {line}" if dry else line
        line += f"; the import was {told.status}" if told.status != "done" else ""
        return f"{line}; rejected rows: {rejects}" if counts["rejected"] else line

    @property
    def seconds(self) -> float:
        return max(time.monotonic() - self._began, 1e-9)

    def _show(self, what: str, completed: int, total: int | None, note: str) -> None:
        if what != self._what:
            # How fast bytes went says nothing of rows.
            self._what = what
            self._bar.reset(self._task, total=total)
        task = self._bar.tasks[0]
        task.total = total
        self._bar.update(self._task, completed=completed, note=note)
        if self._bar.disable and time.monotonic() - self._said >= _SAY_EVERY:
            self._said = time.monotonic()
            typer.echo(note if total is None else f"{completed:,} of {total:,} {note}", err=True)


def write_rejects(rejects: Iterable[Reject], path: Path) -> None:
    """Write rejected rows to a file in the order of their numbers, and tell the first few."""
    try:
        with path.open("wb") as file:
            for place, each in enumerate(rejects):
                file.write(orjson.dumps(asdict(each), option=orjson.OPT_APPEND_NEWLINE))
                if place < _SHOWN:
                    say(f"row {each.row}: {each.code}, {each.reason}")
                elif place == _SHOWN:
                    say(f"and more: {path} has them all")
    except OSError as error:
        raise Refusal(
            f"cannot write the rejected rows to {path}: {error.strerror}; "
            "name another file with --rejects"
        ) from None


def say(line: str) -> None:
    """Tell the person at the terminal something that is not the result."""
    typer.echo(line, err=True)
    sys.stderr.flush()
