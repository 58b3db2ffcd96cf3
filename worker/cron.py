"""The clock: asks the workers for the chores that come round. Does none of them itself."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType

import structlog
from redis import Redis
from redis.exceptions import RedisError

from eventlog import ticks
from eventlog.clients import ringing_client
from eventlog.ring import HOUSEKEEP, Ring
from eventlog.ticks import Ticks
from runtime.settings import Settings
from runtime.telemetry import configure_logging
from worker.heartbeat import beat

# Seconds between two looks at whether a chore is due, and between two rounds of housekeeping.
_TICK = 5
_HOUSEKEEPING = 600

log = structlog.get_logger()


class Cron:
    """`redis` is the log's, where it says what it does; the `ring` may be on another. `clock`
    returns milliseconds since 1970.
    """

    def __init__(self, ring: Ring, redis: "Redis", clock: Callable[[], int]) -> None:
        self._ring = ring
        self._redis = redis
        self._clock = clock
        self._chores: Counter[str] = Counter()
        self._errors = 0
        self._silent = False

    def tick(self) -> None:
        """Ask for what is due, and tell of it. Never raises what Redis does."""
        try:
            if self._ring.take_turn(HOUSEKEEP, _HOUSEKEEPING):
                self._ring.enqueue(HOUSEKEEP)
                self._chores[HOUSEKEEP.rpartition(".")[2]] += 1
        except (RedisError, OSError) as error:
            self._errors += 1
            log.warning("chores wait for Redis", error=str(error))
        try:
            ticks.add(self._redis, Ticks(self._clock(), self._errors, self._chores))
        except (RedisError, OSError) as error:
            # It is told with the next; where only the answer was lost, one look counts twice.
            if not self._silent:
                log.warning("metrics of cron wait for the log's Redis", error=str(error))
            self._silent = True
            return
        self._chores.clear()
        self._errors, self._silent = 0, False


def run(settings: Settings) -> int:
    """Ask for chores until told to stop; return the exit code."""
    configure_logging(settings, "cron")
    stopping = threading.Event()

    def stop(_: int, __: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if settings.heartbeat is not None:
        threading.Thread(
            target=beat, args=(settings.heartbeat, lambda: 0.0, stopping), daemon=True
        ).start()
    cron = Cron(
        Ring(ringing_client(settings.doorbell_url)),
        ringing_client(settings.log_url),
        lambda: time.time_ns() // 1_000_000,
    )
    log.info("ticking")
    while not stopping.is_set():
        cron.tick()
        stopping.wait(_TICK)
    log.info("stopped")
    return 0
