"""Both sides of the ledger: a worker that applies when it is told to, and the query API."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from domain.commands import Command, CreateItem, PatchItem
from eventlog.inspect import LogInspector, inspect_log
from eventlog.partition import partition_of
from ledger.engines import reading_engine
from readmodel.app import create_app
from readmodel.views.listing import all_projections, all_views
from runtime.settings import Settings
from tests.engines import put_away
from tests.worker.world import World, envelope
from worker.apply import Project
from worker.builder import Builder
from worker.stores import Stores


@dataclass(slots=True)
class Shop:
    world: World
    inspector: LogInspector
    client: FlaskClient
    given: int = 0
    known: Mapping[str, Project] = field(default_factory=all_projections)

    def write(self, command: Command) -> str:
        """Append a command as the command API does, and return its token."""
        self.given += 1
        partition = partition_of(command.item_id, self.world.reader.partitions)
        (appended,) = self.world.append(envelope(f"c{self.given}", command), partition=partition)
        assert appended.position is not None
        return appended.position.token

    def create(self, item_id: str, price: int = 100) -> str:
        return self.write(CreateItem(item_id, self.world.clock.now, item_id, None, price, "EUR"))

    def reprice(self, item_id: str, price: int) -> str:
        return self.write(PatchItem(item_id, self.world.clock.now, price=price))

    def apply(self, projections: Mapping[str, Project] | None = None) -> None:
        drain = self.world.drain(self.known if projections is None else projections)
        for partition in range(self.world.reader.partitions):
            while not drain.partition(partition):
                pass

    def build(self) -> None:
        world = self.world
        stores = Stores(world.engine, world.reads, world.reader.partitions)
        Builder(stores, all_views(), world.clock, world.stopping).look()

    def get(self, path: str, token: str | Sequence[str], *prefer: str) -> TestResponse:
        tokens = [token] if isinstance(token, str) else token
        headers = [("Consistency-Token", each) for each in tokens]
        headers += [("Prefer", each) for each in prefer]
        return self.client.get(path, headers=headers)


@contextmanager
def opened(
    database_url: str, valkey_url: str, settings: Settings, partitions: int = 1
) -> Generator[Shop]:
    with World.of(database_url, valkey_url, partitions) as world:
        inspector = inspect_log(valkey_url, partitions)
        client = create_app(settings, world.reads, inspector, world.clock).test_client()
        yield Shop(world, inspector, client)
        inspector.close()


@contextmanager
def asked_at(shop: Shop, url: str, settings: Settings) -> Generator[FlaskClient]:
    """Open the query API over another copy of the same ledger."""
    reads = reading_engine(url)
    yield create_app(settings, reads, shop.inspector, shop.world.clock).test_client()
    put_away(reads)
