"""What became of commands, and how long that took, as this process counts it; told to Redis now and
then.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from redis import Redis

from domain.commands import TakeDue
from eventlog import tally
from eventlog.envelope import Atomic, Envelope, Pack
from runtime.measures import Histogram
from worker.apply import Applied, Decoded


class Tally:
    """Shared by the threads of a worker. Between two tellings it holds what a process that is
    killed takes with it: a second's worth.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._delays = Histogram(tally.BOUNDS)
        self._outcomes: Counter[str] = Counter()
        self._empty = True

    def took(
        self, batches: Mapping[int, Sequence[Decoded]], applied: Mapping[int, Applied], now: int
    ) -> None:
        """Count the commands that these batches have made final, `now` being just after the commit,
        in milliseconds.

        Of how long it took an atomic batch counts once, and rows of imports do not: they wait for
        room before they are accepted. A price that is due was received by nobody.
        """
        waited = [
            max(0, now - received) / 1000
            for partition, each in applied.items()
            for command_id, received in _received(batches[partition])
            if command_id in each.outcomes
        ]
        statuses = [
            kept.outcome.status for each in applied.values() for kept in each.outcomes.values()
        ]
        dead = sum(len(each.dead) for each in applied.values())
        if not statuses and not dead:
            return
        with self._lock:
            self._empty = False
            self._outcomes.update(statuses)
            if dead:
                self._outcomes["set-aside"] += dead
            for seconds in waited:
                self._delays.observe(seconds)

    def tell(self, redis: "Redis") -> None:
        """Add to what is told already. Raises what Redis raises: then it is tried again, and where
        only the answer was lost, a second's worth counts twice.
        """
        with self._lock:
            if self._empty:
                return
            counted, self._delays = self._delays, Histogram(tally.BOUNDS)
            outcomes, self._outcomes = self._outcomes, Counter()
            self._empty = True
        try:
            tally.add(redis, tally.Tally(counted.seen(), outcomes))
        except BaseException:
            with self._lock:
                self._delays.add(counted.seen())
                self._outcomes.update(outcomes)
                self._empty = False
            raise


def _received(batch: Sequence[Decoded]) -> Iterator[tuple[str, int]]:
    for each in batch:
        match each.entry:
            case Envelope(command=TakeDue()):
                pass
            case Envelope() as envelope:
                yield envelope.id, envelope.command.received_at
            case Pack() as pack:
                for row in pack.rows:
                    yield row.id, row.command.received_at
            case Atomic(rows=(first, *_)):
                yield first.id, first.command.received_at
            case _:
                pass
