"""The clock: asks the workers for the chores that come round. Does none of them itself."""

import signal
import threading
from types import FrameType

import structlog
from redis.exceptions import RedisError

from eventlog.clients import ringing_client
from eventlog.ring import HOUSEKEEP, Ring
from runtime.settings import Settings
from runtime.telemetry import configure_logging
from worker.heartbeat import beat

# Seconds between two looks at whether a chore is due, and between two rounds of housekeeping.
_TICK = 5
_HOUSEKEEPING = 600

log = structlog.get_logger()


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
    ring = Ring(ringing_client(settings.doorbell_url))
    log.info("ticking")
    while not stopping.is_set():
        try:
            if ring.take_turn(HOUSEKEEP, _HOUSEKEEPING):
                ring.enqueue(HOUSEKEEP)
        except (RedisError, OSError) as error:
            log.warning("chores wait for Redis", error=str(error))
        stopping.wait(_TICK)
    log.info("stopped")
    return 0
