"""What was done and what came of it, one line per half of an operation, while it happens."""

import threading
import time
from collections.abc import Callable, Iterator
from io import BufferedWriter
from pathlib import Path
from typing import Any, Literal

import orjson

Line = dict[str, Any]
Ending = Literal["ok", "fail", "info"]


class History:
    """Written by all parts of the harness, read by the checker from the file alone.

    `invoke` is written before a request goes out; `ok` after a whole 2xx, `fail` after a definite
    refusal, `info` where it is not known what became of it.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file: BufferedWriter = file.open("wb")
        self._lock = threading.Lock()
        self._number = 0
        self._processes = 0
        self.listeners: list[Callable[[Line], None]] = []

    def process(self) -> int:
        """Give out the number of a client; who gives up goes on under another one."""
        with self._lock:
            self._processes += 1
            return self._processes

    def invoke(self, proc: int, function: str, **what: Any) -> int:
        with self._lock:
            self._number += 1
            number = self._number
        self._write({"i": number, "proc": proc, "type": "invoke", "f": function, **what})
        return number

    def end(self, number: int, proc: int, ending: Ending, function: str, **what: Any) -> None:
        self._write({"i": number, "proc": proc, "type": ending, "f": function, **what})

    def note(self, who: str, kind: str, **what: Any) -> None:
        """Write what is no operation of a client: a fault, a heal, how much waits."""
        self._write({"proc": who, "type": kind, **what})

    def _write(self, line: Line) -> None:
        line["t"] = time.monotonic()
        with self._lock:
            if self._file.closed:
                return
            self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        for listener in self.listeners:
            listener(line)

    def flush(self) -> None:
        with self._lock:
            self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()


def read(file: Path) -> Iterator[Line]:
    with file.open("rb") as lines:
        for line in lines:
            yield orjson.loads(line)
