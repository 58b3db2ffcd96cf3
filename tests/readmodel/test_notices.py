"""A cache that listens to real workers over a real Valkey."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient

from ledger import partitions, rebuilding
from readmodel.app import create_app
from readmodel.hot.cache import ItemCache
from readmodel.notices import Notices
from runtime.settings import Settings
from tests.readmodel.shop import Shop, opened
from tests.waiting import until
from worker import moves

_SECONDS = 30.0


@pytest.fixture
def shop(database_url: str, valkey_url: str, settings: Settings) -> Iterator[Shop]:
    with opened(database_url, valkey_url, settings) as made:
        made.create("lamp")
        made.apply()
        yield made


class Listening:
    """The query API with a cache that listens, and a worker that beats when it is told to."""

    def __init__(self, shop: Shop, cache: ItemCache, client: FlaskClient) -> None:
        self.shop = shop
        self.cache = cache
        self.client = client

    def beat(self) -> None:
        world = self.shop.world
        ledger = partitions.read(world.engine, range(world.reader.partitions))
        moves.beat(world.redis, "w", ledger.values())

    def be_sure(self) -> None:
        def sure() -> bool:
            self.beat()
            return self.cache.figures().sure == 1

        until(sure, _SECONDS, "the cache to be sure")

    def price(self, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.get("/items/lamp", headers=named)
        assert answer.status_code == 200, answer.text
        price: int = answer.json["price"]
        return price

    def hits(self) -> int:
        return self.cache.figures().hits


@pytest.fixture
def listening(
    shop: Shop, settings: Settings, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Listening]:
    # What was heard is good for as long as a test takes.
    monkeypatch.setattr("readmodel.hot.cache._GOOD", 120.0)
    cache, stopping = ItemCache(1 << 20), threading.Event()
    app = create_app(settings, shop.world.reads, shop.inspector, shop.world.clock, cache=cache)
    with followed(Notices(valkey_url, cache), stopping):
        made = Listening(shop, cache, app.test_client())
        made.be_sure()
        yield made


@contextmanager
def followed(notices: Notices, stopping: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=notices.follow, args=(stopping,))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(_SECONDS)
        assert not thread.is_alive()


def remembered(listening: Listening) -> None:
    """Read the lamp until it comes from memory."""
    until(lambda: is_hit(listening), _SECONDS, "it comes from memory")


def is_hit(listening: Listening, **headers: str) -> bool:
    before = listening.hits()
    listening.price(**headers)
    return listening.hits() == before + 1


def test_what_a_worker_applies_is_read_anew(listening: Listening) -> None:
    remembered(listening)
    token = listening.shop.reprice("lamp", 7)
    listening.shop.apply()
    # Exact at once, and for everybody as soon as the notice is heard.
    assert listening.price(Consistency_Token=token) == 7
    until(lambda: listening.price() == 7, _SECONDS, "the notice")
    remembered(listening)
    until(lambda: is_hit(listening, Consistency_Token=token), _SECONDS, "the token is covered")
    assert listening.price(Consistency_Token=token) == 7


def test_a_command_that_is_not_applied_is_not_passed_over_by_memory(listening: Listening) -> None:
    remembered(listening)
    token = listening.shop.reprice("lamp", 7)
    strict = {"Consistency-Token": token, "Prefer": "handling=strict"}
    assert listening.client.get("/items/lamp", headers=strict).status_code == 503


def test_while_nothing_is_heard_nothing_is_answered_from_memory(listening: Listening) -> None:
    remembered(listening)
    redis: Any = listening.shop.world.redis
    redis.client_kill_filter(_type="pubsub")
    until(lambda: listening.cache.figures().entries == 0, _SECONDS, "all to be forgotten")
    # It was not told; whoever reads finds it all the same.
    listening.shop.reprice("lamp", 8)
    listening.shop.apply()
    assert listening.price() == 8
    listening.be_sure()
    remembered(listening)
    assert listening.price() == 8


def test_a_view_that_was_built_anew_takes_the_place_of_what_is_in_memory(
    listening: Listening,
) -> None:
    remembered(listening)
    shop = listening.shop
    rebuilding.wish(shop.world.engine, "items", "rebuild", None, shop.world.clock.now)
    shop.build()
    with shop.world.engine.begin() as connection:
        # What only the new table has, so that it can be told from the old one.
        connection.exec_driver_sql(
            "UPDATE items_2 SET body = replace(body, '\"price\":100', '\"price\":55')"
        )

    def new() -> bool:
        listening.beat()
        return listening.price() == 55

    until(new, _SECONDS, "the new table to be read")
    remembered(listening)


def test_a_worker_that_dies_before_it_tells_leaves_nothing_stale(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered(listening)
    listening.shop.reprice("lamp", 9)
    with monkeypatch.context() as silent:
        silent.setattr("eventlog.moves.publish", lambda *_: None)
        listening.shop.apply()
    assert listening.price() == 100
    listening.beat()
    # From the beat on it is known that something is missing.
    until(lambda: listening.price() == 9, _SECONDS, "the beat")
    until(
        lambda: (listening.beat(), listening.cache.figures().sure)[1] == 1, _SECONDS, "sure again"
    )
    remembered(listening)
    assert listening.price() == 9
