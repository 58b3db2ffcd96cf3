"""What always holds of the feed, whatever is written, asked for and interrupted."""

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from domain.commands import ReplaceItem
from domain.events import Event, ItemCreated, ItemDeleted, ItemRenamed, ItemRepriced, ItemRestored
from eventlog.envelope import Envelope
from ledger import partitions
from ledger.engines import writing_engine
from readmodel.views import changes, items
from readmodel.views.changes import shares
from runtime.positions import Position
from tests.readmodel.partitioned import AT, Partitioned
from tests.worker.world import no_ends
from worker.apply import Circumstances, Decoded, apply_one

PARTITIONS = 4
TYPES = ("ItemCreated", "ItemRenamed", "ItemRepriced", "ItemDeleted", "ItemRestored")


@given(
    wishes=st.lists(st.integers(0, 50), max_size=12),
    total=st.integers(0, 200),
    turn=st.integers(-(2**63), 2**63),
)
def test_shares_are_as_large_and_as_equal_as_they_can_be(
    wishes: list[int], total: int, turn: int
) -> None:
    given_out = shares(wishes, total, turn)
    assert sum(given_out) == min(total, sum(wishes))
    assert all(0 <= got <= wish for got, wish in zip(given_out, wishes, strict=True))
    short = [got for got, wish in zip(given_out, wishes, strict=True) if got < wish]
    if short:
        # Who got less than it wished got no less, but for the odd one, than anybody else.
        assert min(short) >= max(given_out) - 1


@dataclass(slots=True)
class Happening:
    """Lets things happen at random, and remembers each partition's events in order."""

    shop: Partitioned
    chance: random.Random
    told: list[list[tuple[str, int, str]]] = field(
        default_factory=lambda: [[] for _ in range(PARTITIONS)]
    )
    at: int = AT

    def go_on(self) -> None:
        for _ in range(self.chance.randrange(4)):
            partition = self.chance.randrange(PARTITIONS)
            events: list[Event] = []
            for _ in range(self.chance.choice([1, 1, 2, 9])):
                self.at += self.chance.randrange(2)
                event = self._any(partition)
                if event.item_id not in {each.item_id for each in events}:
                    events.append(event)
            self.shop.add(partition, *events)
            for event in events:
                version = self.shop.items[event.item_id].version
                self.told[partition].append((event.item_id, version, type(event).__name__))

    def _any(self, partition: int) -> Event:
        item_id = f"i{partition}-{self.chance.randrange(3)}"
        head = (item_id, self.at, self.at)
        item = self.shop.items.get(item_id)
        if item is None:
            return ItemCreated(*head, "N", None, 1, "EUR")
        if item.is_deleted:
            return ItemRestored(*head)
        match self.chance.randrange(3):
            case 0:
                return ItemRenamed(*head, f"{self.at}")
            case 1:
                return ItemRepriced(*head, self.at, "EUR")
            case _:
                return ItemDeleted(*head)


@dataclass(slots=True)
class Follower:
    """Follows with one filter in pages of any size, and dies at any change and comes back."""

    client: FlaskClient
    chance: random.Random
    types: tuple[str, ...] | None
    item_id: str | None
    cursor: str | None = None
    met: list[tuple[int, int, str, int, str]] = field(default_factory=list)

    def read(self) -> bool:
        """Read a page, and remember what was seen of it; say whether there may be more."""
        query: dict[str, Any] = {"limit": self.chance.choice([1, 2, 3, 5, 40])}
        query |= {} if self.cursor is None else {"after": self.cursor}
        query |= {} if self.types is None else {"types": ",".join(self.types)}
        query |= {} if self.item_id is None else {"item_id": self.item_id}
        answer = self.client.get("/changes", query_string=query)
        assert answer.status_code == 200, answer.text
        page = answer.json
        found = page["changes"]
        assert len(found) <= query["limit"]
        if found and self.chance.randrange(3) == 0:
            # It dies after one of them: only what it has taken, and its cursor, are left.
            found = found[: self.chance.randrange(1, len(found) + 1)]
            self.cursor = found[-1]["cursor"]
            more = True
        else:
            self.cursor = page["next"]
            more = page["behind"] > 0
        for each in found:
            names = ("partition", "offset", "item_id", "version", "type")
            self.met.append(tuple(each[name] for name in names))
        return more

    def wanted(self, told: Sequence[Sequence[tuple[str, int, str]]]) -> Counter[Any]:
        return Counter(
            (partition, offset, *event)
            for partition, events in enumerate(told)
            for offset, event in enumerate(events, 1)
            if self.types is None or event[2] in self.types
            if self.item_id is None or event[0] == self.item_id
        )


@pytest.fixture
def shop(database_url: str) -> Iterator[Partitioned]:
    with Partitioned.of(database_url, PARTITIONS) as made:
        yield made


def test_whatever_is_written_and_interrupted_every_event_is_read_once_and_in_order(
    shop: Partitioned, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that pages with a filter end before they have looked at everything.
    monkeypatch.setattr(changes, "LOOKED_AT", 7)
    seed = random.randrange(2**32)  # noqa: S311
    print(f"seed {seed}")  # noqa: T201  shown when it fails
    chance = random.Random(seed)  # noqa: S311
    world = Happening(shop, chance)
    followers = [
        Follower(client, chance, types, item_id)
        for types in (None, None, ("ItemDeleted",), ("ItemCreated", "ItemRepriced"))
        for item_id in (None, "i1-0")
    ]
    for _ in range(120):
        world.go_on()
        for each in followers:
            if chance.randrange(2):
                each.read()
    for each in followers:
        while each.read():
            pass
        assert Counter(each.met) == each.wanted(world.told), seed
        for partition in range(PARTITIONS):
            offsets = [offset for of, offset, *_ in each.met if of == partition]
            assert offsets == sorted(offsets), seed
        for item_id in {met[2] for met in each.met}:
            versions = [version for _, _, of, version, _ in each.met if of == item_id]
            assert versions == sorted(versions), seed


def test_beside_writers_at_work_followers_miss_nothing_and_meet_nothing_twice(
    database_url: str, app: Flask
) -> None:
    """The worker's own code writes, one thread a partition; each follower is a thread of its own,
    and cut off at random.
    """
    each_writes = 150
    engine = writing_engine(database_url)
    partitions.lay_out(engine, PARTITIONS)
    over = threading.Event()

    def follow(seed: int) -> list[tuple[int, int]]:
        follower = Follower(app.test_client(), random.Random(seed), None, None)  # noqa: S311
        while True:
            was_over = over.is_set()
            if not follower.read() and was_over:
                return [(partition, offset) for partition, offset, *_ in follower.met]

    with ThreadPoolExecutor(PARTITIONS + 3) as pool:
        following = [pool.submit(follow, seed) for seed in range(3)]
        writing = [
            pool.submit(_write, engine, partition, each_writes) for partition in range(PARTITIONS)
        ]
        for each in writing:
            each.result()
        over.set()
        found = [each.result() for each in following]
    engine.dispose()
    for met in found:
        for partition in range(PARTITIONS):
            offsets = [offset for of, offset in met if of == partition]
            assert offsets == list(range(1, each_writes + 1))


def _write(engine: Engine, partition: int, count: int) -> None:
    for n in range(1, count + 1):
        # One event each: the item's creation, then its prices.
        replaced = ReplaceItem(f"i{partition}-{n % 5}", AT, "name", None, n, None, "EUR")
        entry = Envelope(f"c-{partition}-{n}", replaced, "anna", "f")
        batch = [Decoded(Position(partition, 1, n), entry)]
        apply_one(engine, {items.NAME: items.VIEW.into(1)}, batch, Circumstances(no_ends, AT + n))
