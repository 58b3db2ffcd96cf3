"""Sees from SQL when what was acknowledged becomes final: lag, heal times, and what never does."""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

from tests.chaos.databases import ERRORS
from tests.chaos.history import History, Line
from tests.chaos.waits import NotInTime, until

_EVERY = 0.1
_NOTE_EVERY = 1.0
# A database that is set back forgets what it knew: so much is looked for again.
_RECENT = 120.0

Finals = Callable[[Collection[str]], set[str]]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    id: str
    at: float


class Watch:
    """Listens to the history; `finals` says which of some command ids have an outcome.

    `excused` says which of those that wait will wait for ever, because the product has said so.
    """

    def __init__(self, history: History, finals: Finals, excused: Finals) -> None:
        self._history = history
        self._finals = finals
        self._excused = excused
        self._lock = threading.Lock()
        self._waiting: dict[str, float] = {}
        self._recent: deque[Acknowledged] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.acknowledged = 0
        # Those that were accepted, however often that was said.
        self.accepted: set[str] = set()
        self.lags: list[tuple[float, float]] = []
        self.last_error: str | None = None
        history.listeners.append(self._listen)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _listen(self, line: Line) -> None:
        if line["type"] != "ok" or line.get("f") != "write":
            return
        with self._lock:
            for row in line["rows"]:
                if row["st"] == "accepted":
                    self.acknowledged += 1
                    self.accepted.add(row["cmd"])
                    if row["cmd"] not in self._waiting:
                        self._waiting[row["cmd"]] = line["t"]
                        self._recent.append(Acknowledged(row["cmd"], line["t"]))
                elif row["st"] == "final":
                    self.acknowledged += 1

    def look_again(self) -> None:
        """The database may have forgotten: all that was acknowledged lately is to be seen again."""
        with self._lock:
            for each in self._recent:
                self._waiting.setdefault(each.id, each.at)

    def excuse(self) -> None:
        with self._lock:
            waiting = list(self._waiting)
        self.give_up(self._excused(waiting))

    def give_up(self, ids: Collection[str]) -> None:
        """Wait for these no more: that they are missing is told."""
        with self._lock:
            for each in ids:
                self._waiting.pop(each, None)

    def waiting(self, before: float) -> list[str]:
        """List what was acknowledged before a moment and is not final yet."""
        with self._lock:
            return [each for each, at in self._waiting.items() if at <= before]

    def until_visible(self, before: float, limit: float, every: float = 0.02) -> float | None:
        """Wait until all acknowledged before a moment is final; how long after it that was."""

        def visible() -> bool:
            if not self.waiting(before):
                return True
            self.excuse()
            return not self.waiting(before)

        try:
            until(visible, limit, "all visible", every)
        except NotInTime:
            return None
        return time.monotonic() - before

    def worst_lag(self, since: float, to: float) -> float:
        """Tell the longest time from acknowledged to visible, of what was acknowledged then."""
        with self._lock:
            return max((seen - at for at, seen in self.lags if since <= at <= to), default=0.0)

    def _run(self) -> None:
        noted = 0.0
        while not self._stop.wait(_EVERY):
            with self._lock:
                waiting = dict(self._waiting)
                while self._recent and self._recent[0].at < time.monotonic() - _RECENT:
                    self._recent.popleft()
            self._look(waiting)
            now = time.monotonic()
            if now - noted >= _NOTE_EVERY:
                noted = now
                with self._lock:
                    oldest = min(self._waiting.values(), default=now)
                    count = len(self._waiting)
                self._history.note("watch", "lag", waiting=count, oldest=round(now - oldest, 3))

    def _look(self, waiting: dict[str, float]) -> None:
        if not waiting:
            return
        try:
            found = self._finals(list(waiting))
        except ERRORS as error:
            self.last_error = str(error)
            return
        now = time.monotonic()
        with self._lock:
            for each in found:
                if self._waiting.pop(each, None) is not None:
                    self.lags.append((waiting[each], now))
