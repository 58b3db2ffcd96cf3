import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from starlette.testclient import TestClient

from api.app import create_app
from api.batch_keys import remember_in
from api.rate import limit_in, unlimited
from api.request_log import RequestLog
from api.traced import Traced, batcher_traced
from api.waiting import Waiters
from api.watch import PROBE_EVERY, Demands, Watch
from eventlog.batcher import Batcher
from eventlog.clients import appending_pool, asking_client, counting_pool, listening_client
from eventlog.losses import Losses
from eventlog.replicas import Replicas
from runtime.auth.guard import Guard
from runtime.failpoints import Reach, nowhere
from runtime.settings import Settings
from runtime.spans import Spans
from runtime.times import now_ms
from tests.waiting import until
from tests.worker.world import World
from worker.told import Told, nobody, told_of

ORDINARY = Demands("fsync", 0, 1_000_000)


@dataclass(slots=True)
class Ahead:
    """The clock of the machine, and so many milliseconds more as it is said."""

    ms: int = 0

    def __call__(self) -> int:
        return now_ms() + self.ms


@dataclass(slots=True)
class Service:
    """The command API on a real Valkey, and a worker beside it that can be told to rest; both go by
    one clock.
    """

    client: TestClient
    world: World
    clock: Ahead
    works: threading.Event
    ended: threading.Event
    told: Told = nobody
    at_work: threading.Lock = field(default_factory=threading.Lock)

    def work(self) -> None:
        drain = self.world.drain(told=self.told)
        while not self.ended.is_set():
            self.works.wait()
            with self.at_work:
                if self.works.is_set():
                    drain.partition(0)
            self.ended.wait(0.005)

    @contextmanager
    def resting_worker(self) -> Generator[None]:
        self.works.clear()
        # It may have begun to drain just before.
        with self.at_work:
            pass
        yield
        self.works.set()


@dataclass(slots=True)
class Api:
    """The command API alone."""

    client: TestClient
    watch: Watch
    rung: list[set[int]]

    def ready(self) -> httpx.Response:
        return self.client.get("/health/ready")

    def until_it_accepts(self) -> None:
        until(lambda: self.ready().json()["accepting"], 30, "it accepts")

    def until_it_refuses(self, why: str) -> None:
        """Wait until it refuses for a reason that has these words in it."""
        until(lambda: why in (self.ready().json()["reason"] or ""), 30, f"refused: {why}")


@contextmanager
def running_api(
    settings: Settings,
    url: str,
    demands: Demands = ORDINARY,
    reach: Reach = nowhere,
    probe_every: float = PROBE_EVERY,
    guard: Guard | None = None,
    rate: str | None = None,
    spans: Spans | None = None,
    partitions: int = 1,
    clock: Callable[[], int] = now_ms,
) -> Generator[Api]:
    """Run the command API, wired as its process wires it, with `rung` in place of a doorbell."""
    settings = settings.model_copy(
        update={"command_url": "http://command.test", "query_url": "http://query.test"}
    )
    rung: list[set[int]] = []
    losses = Losses()
    asking: AsyncRedis = asking_client(url)
    watch = Watch(asking, partitions, losses, demands, probe_every)
    batcher_type = Batcher if spans is None else batcher_traced(spans)
    batcher = batcher_type(
        appending_pool(url),
        rung.append,
        gate=watch.why,
        losses=losses,
        replicas=Replicas(demands.replicas) if demands.replicas else None,
        reach=reach,
    )
    waiters = Waiters(listening_client(url), batcher)

    async def ping() -> None:
        await asking.ping()

    counting = counting_pool(url)
    app = create_app(
        settings,
        partitions,
        batcher,
        waiters,
        clock,
        remember_in(asking),
        ping,
        watch,
        asking,
        reach,
        guard,
        limit_in(counting, rate) if rate else unlimited,
    )
    served = RequestLog(app) if settings.log_requests else app
    served = served if spans is None else Traced(served, spans)
    with TestClient(served, "http://command.test", raise_server_exceptions=False) as client:
        yield Api(client, watch, rung)
        client.portal.call(asking.aclose)  # type: ignore[union-attr]
        client.portal.call(counting.disconnect)  # type: ignore[union-attr]


@pytest.fixture
def service(settings: Settings, sqlite_url: str, valkey_url: str) -> Generator[Service]:
    with serving(settings, sqlite_url, valkey_url) as made:
        yield made


@contextmanager
def serving(
    settings: Settings, sqlite_url: str, valkey_url: str, spans: Spans | None = None
) -> Generator[Service]:
    """Run the command API and a worker beside it, both wired as their processes wire them."""
    clock = Ahead()
    with (
        World.of(sqlite_url, valkey_url, 1) as world,
        running_api(settings, valkey_url, spans=spans, clock=clock) as api,
    ):
        world.clock = clock  # type: ignore[assignment]
        told = told_of(settings, spans)
        made = Service(api.client, world, clock, threading.Event(), threading.Event(), told)
        made.works.set()
        worker = threading.Thread(target=made.work)
        worker.start()
        yield made
        made.ended.set()
        made.works.set()
        worker.join()


@contextmanager
def configured(redis: "Redis", **values: str) -> Generator[None]:
    """Change the server's configuration, and put it back."""
    named = {name.replace("_", "-"): value for name, value in values.items()}
    before = {name: redis.config_get(name)[name] for name in named}
    for name, value in named.items():
        redis.config_set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            redis.config_set(name, value)


@pytest.fixture
def redis(valkey_url: str) -> Generator["Redis"]:
    """The server, with a limit to its memory as the embedded one has."""
    with Redis.from_url(valkey_url) as client, configured(client, maxmemory="1gb"):
        yield client


@pytest.fixture
def api(settings: Settings, valkey_url: str, redis: "Redis") -> Generator[Api]:
    with running_api(settings, valkey_url) as made:
        yield made
