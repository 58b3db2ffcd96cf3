"""How long a command has waited that is not applied yet: the log knows."""

from collections.abc import Callable

from eventlog.inspect import LogInspector, LogUnavailable
from runtime.positions import Position


class WaitingSince:
    """Tells for how many seconds the first command after a position has waited; `None` where the
    log does not say. `clock` gives milliseconds.
    """

    def __init__(self, inspector: LogInspector, clock: Callable[[], int]) -> None:
        self._inspector = inspector
        self._clock = clock

    def __call__(self, taken: Position) -> float | None:
        try:
            first = self._inspector.first_waiting([taken]).get(taken.partition)
        except LogUnavailable:
            # The answer is stale all the same; for how long nobody can say.
            return None
        if first is None or first.received is None:
            return None
        return (self._clock() - first.received) / 1000
