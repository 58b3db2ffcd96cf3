"""Tell a frozen child from a living one by the file that it touches."""

from pathlib import Path

from runtime.child import Pace

# The longest gap between two looks that still says something about the child.
_LONGEST_GAP = 1.5


class Heartbeat:
    """Watches one run of one child; time is given by the caller and never goes back.

    Changes are counted, not ages: the wall clock that stamps the file may be set at any time.
    """

    def __init__(self, file: Path, pace: Pace, now: float) -> None:
        self._file = file
        self._pace = pace
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        self._seen: int | None = None
        self._since = now
        self._looked = now

    def silence(self, now: float) -> str | None:
        """Say why the child is taken for frozen, or None while it is not."""
        beat = self._read()
        # After a gap of ours (a laptop that slept, a stopped terminal) its time starts anew.
        if beat != self._seen or now - self._looked > _LONGEST_GAP:
            self._seen = beat
            self._since = now
        self._looked = now
        limit = self._pace.first_heartbeat if self._seen is None else self._pace.heartbeat
        if now - self._since <= limit:
            return None
        which = "no heartbeat since its start" if self._seen is None else "no heartbeat"
        return f"{which} for {limit:g} s"

    def _read(self) -> int | None:
        try:
            return self._file.stat().st_mtime_ns
        except FileNotFoundError:
            # Deleted by hand: the last one seen counts.
            return self._seen
