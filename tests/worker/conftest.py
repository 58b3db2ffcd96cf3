from collections.abc import Callable, Iterator

import pytest

import worker.work
from domain.commands import Command, PatchItem
from domain.decide import Earlier, decide
from domain.events import Event
from domain.item import Item
from tests.worker.poison import POISON, Forker, running_forker
from tests.worker.world import World


@pytest.fixture
def world(database_url: str, valkey_url: str) -> Iterator[World]:
    """A worker's parts on real engines, with nobody else about."""
    with World.of(database_url, valkey_url, partitions=1) as made:
        yield made


@pytest.fixture
def two_partitions(database_url: str, valkey_url: str) -> Iterator[World]:
    with World.of(database_url, valkey_url, partitions=2) as made:
        yield made


@pytest.fixture(scope="session")
def forker() -> Iterator[Forker]:
    with running_forker() as made:
        yield made


@pytest.fixture
def allergic(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A release that does not stand one price; call it to mend that."""

    def picky(command: Command, item: Item | None, now: int, earlier: Earlier) -> tuple[Event, ...]:
        if isinstance(command, PatchItem) and command.price == POISON:
            raise ZeroDivisionError("a defect of this release")
        return decide(command, item, now, earlier)

    monkeypatch.setattr(worker.work, "decide", picky)
    return lambda: monkeypatch.setattr(worker.work, "decide", decide)
