"""Reads see the slot that is live, at one moment; nobody notices that a view was built anew."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from ledger import projections, rebuilding
from ledger.projections import Projection
from readmodel.views import items
from runtime.settings import Settings
from tests.readmodel.shop import Shop, opened
from tests.worker.world import NOW


@pytest.fixture
def shop(database_url: str, valkey_url: str, settings: Settings) -> Iterator[Shop]:
    with opened(database_url, valkey_url, settings, partitions=2) as made:
        for number in range(25):
            made.create(f"lamp-{number:02}", number % 3)
        made.apply()
        yield made


def rebuild(shop: Shop) -> Projection:
    rebuilding.wish(shop.world.engine, "items", "rebuild", None, NOW)
    shop.build()
    with shop.world.reads.connect() as connection:
        book = projections.read(connection, "items")
    assert book is not None
    assert (book.state, book.previous) == ("idle", True)
    return book


@pytest.mark.parametrize("query", ["", "sort=-price&", "price_min=1&sort=name&"])
def test_a_cursor_goes_on_over_a_switch_without_skipping(shop: Shop, query: str) -> None:
    expected = shop.client.get(f"/items?{query}limit=200").json["items"]
    seen: list[Any] = []
    live: list[int | None] = []
    cursor: str | None = ""
    while cursor is not None:
        following = f"&cursor={cursor}" if cursor else ""
        page = shop.client.get(f"/items?{query}limit=4{following}").json
        seen += page["items"]
        cursor = page["next"]
        live.append(rebuild(shop).live)

    assert seen == expected
    assert live[:3] == [2, 1, 2]


def test_every_answer_is_the_same_before_and_after_a_switch(shop: Shop) -> None:
    paths = ["/items/lamp-03", "/items", "/items/lamp-03/history", "/items?ids=lamp-04,lamp-05"]
    before = [shop.client.get(path) for path in paths]
    assert rebuild(shop).live == 2
    after = [shop.client.get(path) for path in paths]

    assert [each.data for each in after] == [each.data for each in before]
    assert after[0].headers["ETag"] == before[0].headers["ETag"]


@pytest.mark.parametrize("path", ["/items", "/items?limit=3&sort=-price"])
def test_a_list_of_before_a_switch_is_not_taken_for_one_of_after_it(shop: Shop, path: str) -> None:
    """What was built anew may differ, where somebody has accepted that."""
    sent = {"If-None-Match": shop.client.get(path).headers["ETag"]}
    assert shop.client.get(path, headers=sent).status_code == 304
    rebuild(shop)
    assert shop.client.get(path, headers=sent).status_code == 200


def test_what_is_written_after_a_switch_is_read(shop: Shop) -> None:
    rebuild(shop)
    token = shop.reprice("lamp-03", 77)
    shop.apply()

    assert shop.get("/items/lamp-03", token, "handling=strict").json["price"] == 77
    assert shop.get("/items?price_min=77", token, "handling=strict").json["items"][0]["price"] == 77


def test_a_token_of_before_a_switch_is_covered_after_it(shop: Shop) -> None:
    token = shop.reprice("lamp-03", 77)
    shop.apply()
    rebuild(shop)
    assert shop.get("/items/lamp-03", token, "handling=strict").json["price"] == 77


def test_a_snapshot_reads_on_where_its_slot_is_emptied_meanwhile(shop: Shop) -> None:
    """As an export that goes on for long."""
    with shop.world.reads.connect() as connection:
        before = connection.execute(select(items.TABLES[1].c.body)).all()
    with shop.world.reads.connect() as connection:
        assert connection.execute(select(projections.projections.c.live)).scalar() == 1
        assert [rebuild(shop).live, rebuild(shop).live] == [2, 1]
        assert connection.execute(select(items.TABLES[1].c.body)).all() == before
