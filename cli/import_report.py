"""What an import tells while it runs and when it has ended, and which rows were rejected."""

import sys
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import typer

from cli.import_client import Reject, Told
from cli.lines import tell
from cli.progress import progress

_SAY_EVERY = 5.0
_SAY_AGAIN = 60.0
# Rejected rows that are told at once; the file has them all.
_SHOWN = 5
# Seconds from which on it can be told how fast it goes.
_RATED = 1.0
# While rows come in it is not known how many there will be.
_FED = frozenset({"receiving", "paused"})
_GOES_ON = frozenset({"receiving", "running", "done"})


class Report:
    """Shows how many rows are final, and, as long as nothing is known of that, how much of the file
    is sent. A bar on a terminal, else a line every few seconds.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._began = self._said = time.monotonic()
        self._why, self._why_at = "", 0.0
        self._what = "bytes"
        self.begun = False
        self.sent = 0
        self.rows = 0
        # Rows of what is sent, and the first that was heard of them: how many were final, and when.
        self._sent_rows = 0
        self._first: tuple[int, float] | None = None
        self._bar = progress("{task.fields[note]}", rated=False)
        # Nothing is shown before there is something to tell.
        self._task = self._bar.add_task("", total=size or None, note="", visible=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Above what went wrong there is no place for how far it was, unless that was interrupted.
        self._bar.live.transient = kind is not None and issubclass(kind, Exception)
        self._bar.stop()

    def begin(self) -> None:
        """Start the clock: from here on the file is sent."""
        self._began = self._said = time.monotonic()
        self.begun = True

    def far(self, sent: int, rows: int) -> None:
        """Take in how much is sent. What was sent is not applied yet: while nothing is known of
        that, no share and no time is told of it.
        """
        self.sent, self._sent_rows = sent, rows
        if self._first is not None:
            return
        if sent < self._size:
            rate = sent / 2**20 / self.seconds
            self._show("bytes", sent, self._size, f"bytes sent, {rate:,.1f} MiB/s")
        else:
            self._show("rows", 0, None, f"all {sent:,} bytes are sent, no row is final yet")

    def again(self, why: str) -> None:
        """Say why the file has to be sent again, unless that was just said."""
        now = time.monotonic()
        if why != self._why or now - self._why_at >= _SAY_AGAIN:
            self._why, self._why_at = why, now
            self._bar.print(
                f"{why[0].upper()}{why[1:]}: the file is sent again, and goes on from where it was;"
                " no row is taken twice."
            )

    def told(self, told: Told) -> None:
        """Show how many rows are final, of how many there are, or are likely to be."""
        before, self.rows, now = self.rows, told.final_rows, time.monotonic()
        if self._first is None:
            self._first = self.rows, now
        is_fed = told.status in _FED
        rows = self._likely_rows() if is_fed else told.rows
        rejected = f"{told.counts['rejected']:,} rejected"
        if is_fed and rows is not None and before == self.rows >= rows:
            # All of an earlier upload; which rows those were the service finds out as they come.
            note = f"{self.rows:,} rows are final, {rejected}; the file is looked through"
            self._show("rows", self.rows, None, note)
            return
        notes = ["rows", *self._rate(now), rejected]
        notes += [] if told.status in _GOES_ON else [told.status]
        # It may be told later how many there are than what became of them.
        total = None if rows is None else max(rows, self.rows)
        note = ", ".join(notes) if total is not None else f"{self.rows:,} {', '.join(notes)}"
        self._show("rows", self.rows, total, note)

    def _likely_rows(self) -> int | None:
        """Tell how many rows the file has if it goes on as it began."""
        return round(self._sent_rows * self._size / self.sent) if self._sent_rows else None

    def _rate(self, now: float) -> list[str]:
        """Tell how many rows a second become final, once that can be told. Of an import that is
        taken up again those that were before do not count.
        """
        rows, since = self._first or (0, now)
        return [f"{(self.rows - rows) / (now - since):,.0f}/s"] if now - since >= _RATED else []

    def summary(self, told: Told, *, dry: bool) -> str:
        """Say in one line what became of the rows."""
        counts = told.counts
        parts = [f"{counts[each]:,} {each}" for each in ("applied", "unchanged", "rejected")]
        parts += [f"{counts['skipped']:,} skipped"] if counts["skipped"] else []
        parts += [f"{counts['other']:,} set aside for a defect"] if counts["other"] else []
        rate = told.final_rows / self.seconds
        rows = "row" if told.final_rows == 1 else "rows"
        line = f"{told.final_rows:,} {rows}: {', '.join(parts)}"
        line += f"; {self.seconds:.1f} s, {rate:,.0f} rows/s"
        line = f"Dry run, nothing is changed: {line}" if dry else line
        return line + (f"; the import was {told.status}" if told.status != "done" else "")

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
        self._bar.update(self._task, completed=completed, note=note, visible=True)
        if self._bar.disable and time.monotonic() - self._said >= _SAY_EVERY:
            self._said = time.monotonic()
            typer.echo(note if total is None else f"{completed:,} of {total:,} {note}", err=True)


def telling(rejects: Iterable[Reject], reasons: Path) -> Generator[Reject]:
    """Tell the first few rejected rows as they go by."""
    for place, each in enumerate(rejects):
        yield each
        if place < _SHOWN:
            say(f"row {each.row:,}: {each.code}, {each.reason}")
        elif place == _SHOWN:
            say(f"and more: {reasons} has them all")


def say(line: str) -> None:
    """Tell the person at the terminal something that is not the result."""
    tell(line, err=True, hang=2)
    sys.stderr.flush()
