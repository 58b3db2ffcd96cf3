"""What one query process knows of a partition by what it has heard, and whether it missed any.

Workers tell of every transaction where it began and where it ended, and each second where the
ledger is. What is told may come late, out of order or never; what is read here errs on one side
only: not to know.
"""

from runtime.positions import Point

# Seconds for which points that were passed are known again: what tells of them is late, not of
# another history.
_RECENT = 2.0
# Seconds that a notice may be behind a beat that knows of it already.
_PATIENCE = 0.5


class Line:
    """The way of one partition. `last` is how far everything was heard; only while `is_sure` is
    what was read at `last`, or later, and not named by a notice since, known to be as it stands.
    """

    __slots__ = ("_ahead", "_ahead_at", "_recent", "_witnesses", "is_sure", "last")

    def __init__(self) -> None:
        self.last: Point | None = None
        self.is_sure = False
        self._recent: dict[Point, float] = {}
        # A beat says that the ledger is there: its notice is on the way, or will never come.
        self._ahead: Point | None = None
        self._ahead_at = 0.0
        # While there is a doubt: how far it was known to be when a worker's beat was first heard.
        # The next beat of that worker was looked up after that, and tells for certain.
        self._witnesses: dict[str, Point] | None = {}

    def moved(self, before: Point, after: Point, now: float) -> bool:
        """Take in a notice; say whether all is still known that was, but for what it names."""
        known = True
        if self.last is None:
            self.last = after
        elif after == self.last or after in self._recent:
            pass
        elif before == self.last:
            self._advance(after, now)
        elif after > self.last:
            # Those in between were missed, or are late.
            self._recent[before] = now
            self._advance(after, now)
            known = False
        else:
            self._doubt()
            known = False
        self._judge()
        return known

    def beat(self, worker: str, point: Point, now: float) -> bool:
        """Take in where the ledger was when a worker looked, a moment ago; say whether all is still
        known that was.
        """
        self._recent = {each: at for each, at in self._recent.items() if now - at < _RECENT}
        known = True
        if self.last is None:
            self.last = point
        elif point == self.last or point in self._recent:
            if self._witnesses is not None and worker in self._witnesses:
                self._witnesses = None
        elif point > self.last:
            known = self._be_ahead(point, now)
        else:
            self._be_low(worker, point)
            known = False
        if self._witnesses is not None:
            self._witnesses.setdefault(worker, self.last)
        self._judge()
        return known

    def _be_ahead(self, point: Point, now: float) -> bool:
        if self._ahead is None:
            self._ahead, self._ahead_at = point, now
            return True
        self._ahead = max(self._ahead, point)
        if now - self._ahead_at < _PATIENCE:
            return True
        # Who moved it died before it could tell.
        self._advance(self._ahead, now)
        return False

    def _be_low(self, worker: str, point: Point) -> None:
        """The beat is late, or the database was set back."""
        witnesses = self._doubt()
        if worker in witnesses and point < witnesses[worker]:
            self.last, self._ahead, self._witnesses = point, None, {}
            self._recent.clear()

    def _doubt(self) -> dict[str, Point]:
        if self._witnesses is None:
            self._witnesses = {}
        return self._witnesses

    def _advance(self, point: Point, now: float) -> None:
        if self.last is not None:
            self._recent[self.last] = now
        self.last = point
        if self._ahead is not None and point >= self._ahead:
            self._ahead = None

    def _judge(self) -> None:
        self.is_sure = self.last is not None and self._witnesses is None and self._ahead is None
