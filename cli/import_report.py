"""What an import tells while it runs and when it has ended, and its file of rejected rows."""

import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import orjson
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from cli.import_rows import Reject
from cli.import_sender import Done
from cli.refusals import Refusal

_SAY_EVERY = 5.0


class Report:
    """Counts rows as they become final. A bar on a terminal, else a line every few seconds.

    Rejected rows are written to `rejects` in the order in which they become final; without any
    there is no such file.
    """

    def __init__(self, total: int, rejects: Path) -> None:
        self._total = total
        self._path = rejects
        self._file: BinaryIO | None = None
        self._began = self._said = time.monotonic()
        self.begun = False
        self.applied = self.unchanged = self.rejected = 0
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.percentage:>3.0f} %"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total, note="")

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
        if self._file is not None:
            self._file.close()

    @property
    def rows(self) -> int:
        return self.applied + self.unchanged + self.rejected

    def begin(self) -> None:
        """Start the clock: from here on rows are sent."""
        self._began = self._said = time.monotonic()
        self.begun = True

    def take(self, done: Done) -> None:
        """Count rows that are final, and write down the rejected ones."""
        self.applied += done.applied
        self.unchanged += done.unchanged
        self.rejected += len(done.rejects)
        self._write(done.rejects)
        note = f"{self._rate():,.0f} rows/s, {self.rejected:,} rejected"
        self._bar.update(self._task, completed=self.rows, note=note)
        if self._bar.disable and time.monotonic() - self._said >= _SAY_EVERY:
            self._said = time.monotonic()
            typer.echo(f"{self.rows:,} of {self._total:,} rows, {note}", err=True)

    def summary(self) -> str:
        """Say in one line what became of the rows."""
        line = (
            f"{self.rows} rows: {self.applied} applied, {self.unchanged} unchanged, "
            f"{self.rejected} rejected; {self._seconds():.1f} s, {self._rate():.0f} rows/s"
        )
        return f"{line}; rejected rows: {self._path}" if self.rejected else line

    def _write(self, rejects: Iterable[Reject]) -> None:
        try:
            for each in rejects:
                if self._file is None:
                    self._file = self._path.open("wb")
                self._file.write(orjson.dumps(asdict(each), option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise Refusal(
                f"cannot write the rejected rows to {self._path}: {error.strerror}; "
                "name another file with --rejects"
            ) from None

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _rate(self) -> float:
        return self.rows / max(self._seconds(), 1e-9)


def say(line: str) -> None:
    """Tell the person at the terminal something that is not the result."""
    typer.echo(line, err=True)
    sys.stderr.flush()
