"""The api process."""

import asyncio
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial

import structlog
from redis.exceptions import RedisError

from api.app import create_app
from api.batch_keys import remember_in
from api.rate import limit_in, unlimited
from api.request_log import RequestLog
from api.server import make_server
from api.waiting import Waiters
from api.watch import Demands, Watch
from eventlog import layout
from eventlog.batcher import Batcher
from eventlog.clients import (
    appending_pool,
    asking_client,
    counting_pool,
    listening_client,
    ringing_client,
    working_client,
)
from eventlog.losses import Losses
from eventlog.replicas import Replicas
from eventlog.revocations import mirrored
from eventlog.ring import Ring
from eventlog.witness import WitnessTaken, witnessing
from runtime import collector
from runtime.auth.guard import Guard, Unguarded, guard_of
from runtime.auth.revoked import Revoked
from runtime.failpoints import failpoints
from runtime.positions import PartitionMismatch
from runtime.serving import loop_factory
from runtime.settings import Settings
from runtime.telemetry import configure_logging
from runtime.times import now_ms
from runtime.tracing import tracing_of

_CANNOT_START = 1
_UNREACHABLE = 3

log = structlog.get_logger()


def run(settings: Settings) -> int:
    """Serve until told to stop; return the exit code."""
    configure_logging(settings, "api")
    revoked = Revoked()
    try:
        guard = guard_of(settings, revoked)
    except Unguarded as error:
        sys.stderr.write(f"itemledger api: {error}\n")
        return _CANNOT_START
    try:
        partitions = settle_partitions(settings)
    except PartitionMismatch as error:
        sys.stderr.write(f"itemledger api: {error}\n")
        return _CANNOT_START
    except (RedisError, OSError) as error:
        sys.stderr.write(
            f"itemledger api: the log does not answer ({error}): start it, or set "
            "ITEMLEDGER_REDIS_URL; `itemledger up` brings one\n"
        )
        return _UNREACHABLE
    try:
        with (
            witnessing(settings.witness, settings.log_url, partitions) as witness,
            _hearing(settings, guard, revoked),
            asyncio.Runner(loop_factory=loop_factory()) as runner,
        ):
            return runner.run(_serve(settings, partitions, Losses(witness), guard))
    except WitnessTaken as error:
        sys.stderr.write(f"itemledger api: {error}\n")
        return _CANNOT_START


def settle_partitions(settings: Settings) -> int:
    """Find the number of partitions and store it with the log at the first start.

    Raises PartitionMismatch where the log was laid out for another number.
    """
    redis = working_client(settings.log_url)
    try:
        count = settings.partitions or layout.stored_count(redis) or settings.default_partitions
        layout.claim(redis, count)
    finally:
        redis.close()
    return count


class Ringer:
    """Rings doorbells in a thread, one at a time; what comes meanwhile is rung together next."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._due: set[int] = set()
        self._task: asyncio.Task[None] | None = None

    def __call__(self, partitions: set[int]) -> None:
        self._due |= partitions
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._press(), name="ring")

    async def _press(self) -> None:
        while self._due:
            due, self._due = self._due, set()
            try:
                await asyncio.to_thread(self._ring.ring, due)
            except (RedisError, OSError) as error:
                # The command is on the log and the sweeper finds it: ringing can only be late.
                self._ring.failed(error)


@contextmanager
def _hearing(settings: Settings, guard: Guard, revoked: Revoked) -> Generator[None]:
    """Hear of revocations in a thread, where there are tokens to be revoked."""
    if not guard.wants_tokens:
        yield
        return
    source, stopping = mirrored(settings.log_url), threading.Event()
    with suppress(RedisError, OSError):
        revoked.look(source)
    threading.Thread(target=revoked.follow, args=(source, stopping), daemon=True).start()
    yield
    stopping.set()


async def _serve(settings: Settings, partitions: int, losses: Losses, guard: Guard) -> int:
    asking = asking_client(settings.log_url)
    reach = failpoints(settings.failpoints)
    demands = Demands(
        settings.least_durability,
        settings.wait_replicas,
        settings.backlog_limit,
        settings.backlog_age,
    )
    watch = Watch(asking, partitions, losses, demands)
    spans = tracing_of("api")
    if spans is None:
        batcher_type, traced = Batcher, None
    else:
        from api.traced import Traced, batcher_traced  # noqa: PLC0415  heavy, and rarely wanted

        batcher_type, traced = batcher_traced(spans), partial(Traced, spans=spans)
    batcher = batcher_type(
        appending_pool(settings.log_url),
        Ringer(Ring(ringing_client(settings.doorbell_url))),
        gate=watch.why,
        losses=losses,
        replicas=Replicas(settings.wait_replicas) if settings.wait_replicas else None,
        reach=reach,
    )
    waiters = Waiters(listening_client(settings.log_url), batcher)

    async def ping() -> None:
        await asking.ping()

    counting = counting_pool(settings.doorbell_url)
    limit = unlimited if settings.rate_limit is None else limit_in(counting, settings.rate_limit)
    app = create_app(
        settings,
        partitions,
        batcher,
        waiters,
        now_ms,
        remember_in(asking),
        ping,
        watch,
        asking,
        reach,
        guard,
        limit,
    )
    served = RequestLog(app) if settings.log_requests else app
    server = make_server(served if traced is None else traced(served), settings)
    collector.tame()
    log.info("serving", url=settings.public_command_url, partitions=partitions)
    await server.serve()
    await asking.aclose()
    await counting.disconnect()
    return 0 if server.started else _CANNOT_START
