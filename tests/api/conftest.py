import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis as AsyncRedis
from starlette.testclient import TestClient

from api.app import create_app
from api.waiting import Waiters
from eventlog.batcher import Batcher
from eventlog.clients import appending_pool, asking_client, listening_client
from eventlog.keys import batch as batch_key
from runtime.settings import Settings
from runtime.times import now_ms
from tests.worker.world import World


@dataclass(slots=True)
class Service:
    """The command API on a real Valkey, and a worker beside it that can be told to rest."""

    client: TestClient
    world: World
    works: threading.Event
    ended: threading.Event

    def work(self) -> None:
        drain = self.world.drain()
        while not self.ended.is_set():
            self.works.wait()
            drain.partition(0)
            self.ended.wait(0.005)

    @contextmanager
    def resting_worker(self) -> Generator[None]:
        self.works.clear()
        yield
        self.works.set()


@pytest.fixture
def service(settings: Settings, sqlite_url: str, valkey_url: str) -> Generator[Service]:
    settings = settings.model_copy(
        update={"command_url": "http://command.test", "query_url": "http://query.test"}
    )
    rung: list[set[int]] = []
    batcher = Batcher(appending_pool(valkey_url), rung.append)
    waiters = Waiters(listening_client(valkey_url), batcher)
    asking: AsyncRedis = asking_client(valkey_url)

    async def remember(batch_id: str, payload: str) -> str | None:
        if await asking.set(batch_key(batch_id), payload, nx=True, ex=60):
            return None
        before = await asking.get(batch_key(batch_id))
        return None if before is None else before.decode()

    async def ping() -> None:
        await asking.ping()

    app = create_app(settings, 1, batcher, waiters, now_ms, remember, ping)
    with World.of(sqlite_url, valkey_url, 1) as world:
        world.clock = now_ms  # type: ignore[assignment]
        with TestClient(app, raise_server_exceptions=False) as client:
            made = Service(client, world, threading.Event(), threading.Event())
            made.works.set()
            worker = threading.Thread(target=made.work)
            worker.start()
            yield made
            made.ended.set()
            made.works.set()
            worker.join()
            client.portal.call(asking.aclose)  # type: ignore[union-attr]
