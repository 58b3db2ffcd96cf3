"""Say how this worker is, where the services can read it."""

import time
from collections.abc import Callable

import structlog
from redis import Redis
from redis.exceptions import RedisError

from eventlog import workers
from eventlog.workers import REPORT_EVERY, Report
from runtime.measures import usage
from worker.pause import Pause
from worker.tally import Tally

log = structlog.get_logger()


class Reporter:
    """`clock` returns milliseconds since 1970; `tally` is what this worker counts."""

    def __init__(
        self,
        redis: "Redis",
        name: str,
        pause: Pause,
        clock: Callable[[], int],
        tally: Tally,
    ) -> None:
        self._redis = redis
        self._name = name
        self._pause = pause
        self._clock = clock
        self._tally = tally
        self._told: tuple[str | None, int] | None = None
        self._told_at = 0.0

    def report(self) -> None:
        """Tell what has changed, and every few seconds that nothing has. Raises what Redis does."""
        self._tell_state()
        self._tally.tell(self._redis)

    def _tell_state(self) -> None:
        state = self._pause.state
        due = time.monotonic() - self._told_at >= REPORT_EVERY
        if state == self._told and not due:
            return
        why, since = state
        how = "working" if why is None else "paused"
        used, now = usage(), self._clock()
        told = Report(self._name, how, why, since, now, used.cpu_seconds, used.memory)
        workers.tell(self._redis, told)
        self._told, self._told_at = state, time.monotonic()

    def sign_off(self) -> None:
        """Say that this worker has ended in order."""
        try:
            self._tally.tell(self._redis)
            workers.sign_off(self._redis, self._name, self._clock())
        except (RedisError, OSError) as error:
            # Who does not report is taken for gone before long.
            log.debug("signing off was not possible", error=str(error))
