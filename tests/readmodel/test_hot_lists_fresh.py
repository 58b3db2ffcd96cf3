"""Plain lists answered by the loop: never older than the last commit, and only what is quick."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from orjson import loads
from sqlalchemy import Engine, update

from domain.events import ItemRepriced
from ledger.moments import ShortReads
from ledger.tables import projections
from readmodel.hot import lists
from readmodel.hot.lists import MOST_STEPS
from runtime.settings import Settings
from tests.readmodel.hot_lists import Answer, Served, fill, request, run
from tests.readmodel.operated import AT
from tests.readmodel.test_desk import HotLine
from tests.readmodel.test_hot_answers import LAMP

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def filled(ledger: Any) -> Any:
    fill(ledger)
    return ledger


def test_nothing_is_answered_that_is_older_than_the_last_commit(
    settings: Settings, engine: Engine, log: Any, filled: Any
) -> None:
    served = Served(settings, engine, log, memory=1 << 20)

    async def compare() -> None:
        for price in range(3):
            filled.add(ItemRepriced("lamp-1", AT + 20 + price, AT + 20 + price, 500 + price, "EUR"))
            for query in ("", "limit=2", "", "limit=2"):
                page = await served.same(request(query))
                prices = {each["id"]: each["price"] for each in loads(page.body)["items"]}
                assert prices["lamp-1"] == 500 + price
        tag = page.headers["etag"]
        filled.add(ItemRepriced("lamp-1", AT + 30, AT + 30, 9, "EUR"))
        had = ("If-None-Match", tag)
        assert (await served.same(request("limit=2", had))).status == 200

    run(compare())
    figures = served.memory.figures()
    assert (figures.hits, figures.misses) == (3 * 2, 3 * 2 + 1)


@pytest.mark.usefixtures("filled")
def test_what_was_committed_while_a_page_was_read_makes_it_old(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    served = Served(settings, engine, log, memory=1 << 20)
    snapshot = served.reads.snapshot

    @contextmanager
    def slow() -> Generator[Any]:
        with snapshot() as taken:
            yield taken
            ledger.add(ItemRepriced("lamp-1", AT + 20, AT + 20, 777, "EUR"))

    async def compare() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(served.reads, "snapshot", slow)
            await HotLine(served.hot).ask(request())
        assert b'"price":777' in (await served.same(request())).body

    run(compare())
    assert served.answered == 2


def test_what_takes_long_is_left_to_a_thread(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    """As a list does that has thousands of deleted items before it."""
    ledger.add(*(replace(LAMP, item_id=f"lamp-{number:03}") for number in range(300)))
    served = Served(settings, engine, log, steps=1_000)

    async def compare() -> None:
        assert len((await served.same(request("limit=200&sort=name"))).ids) == 200
        assert served.answered == 0
        await served.same(request("limit=2"))
        assert served.answered == 1

    run(compare())


@pytest.mark.usefixtures("filled")
def test_a_view_that_is_not_built_yet_is_told_of_by_flask(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    served = Served(settings, engine, log, memory=1 << 20)

    async def compare() -> None:
        await served.same(request())
        with ledger.engine.begin() as connection:
            connection.execute(update(projections).values(live=0))
        assert (await served.same(request())).status == 503

    run(compare())
    assert served.answered == 1


@pytest.mark.usefixtures("filled")
def test_a_view_that_was_built_anew_is_read_where_it_is_now(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    served = Served(settings, engine, log, memory=1 << 20)

    async def compare() -> None:
        assert (await served.same(request())).ids
        with ledger.engine.begin() as connection:
            connection.execute(
                update(projections).where(projections.c.view == "items").values(live=2)
            )
        assert (await served.same(request())).ids == []

    run(compare())
    assert served.answered == 2


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("where", ["version", "_read"])
def test_a_defect_leaves_the_answer_to_flask(
    settings: Settings, engine: Engine, log: Any, where: str
) -> None:
    served = Served(settings, engine, log)

    def defective(*_: Any) -> Any:
        raise ZeroDivisionError

    async def compare() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(served.reads if where == "version" else served.desk, where, defective)
            assert (await served.same(request())).status == 200
        assert served.answered == 0
        await served.same(request())
        assert served.answered == 1

    run(compare())


def test_after_a_defect_in_the_middle_of_a_page_commits_are_seen_as_before(
    settings: Settings, engine: Engine, log: Any, filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot that is left open has the same version for ever."""
    served = Served(settings, engine, log, memory=1 << 20)

    def defective(*_: Any) -> Any:
        raise ZeroDivisionError

    async def compare() -> None:
        await served.same(request("limit=1"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lists, "statements", defective)
            assert (await served.same(request("limit=3"))).status == 200
        filled.add(ItemRepriced("lamp-0", AT + 20, AT + 20, 777, "EUR"))
        assert b'"price":777' in (await served.same(request("limit=1"))).body

    run(compare())


def test_a_page_and_its_tag_are_of_one_moment(
    settings: Settings, engine: Engine, log: Any, filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Served(settings, engine, log, memory=1 << 20)
    look = lists._look

    def and_then_commit(*given: Any) -> Any:
        stood = look(*given)
        filled.add(ItemRepriced("lamp-0", AT + 20, AT + 20, 777, "EUR"))
        return stood

    async def compare() -> None:
        before = await served.same(request("limit=1"))
        filled.add(ItemRepriced("lamp-1", AT + 19, AT + 19, 1, "EUR"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lists, "_look", and_then_commit)
            read = Answer.of(await HotLine(served.hot).ask(request("limit=1")))
        assert loads(read.body)["items"] == loads(before.body)["items"]
        assert b'"price":777' in (await served.same(request("limit=1"))).body

    run(compare())


def test_what_takes_long_is_tried_again_only_when_something_was_committed(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    ledger.n = 3
    ledger.add(*(replace(LAMP, item_id=f"lamp-{number:03}") for number in range(300)))
    served = Served(settings, engine, log, steps=1_000, memory=1 << 20)
    long, short, tries = request("limit=200&sort=name"), request("limit=2"), [0]
    snapshot = served.reads.snapshot

    def counting() -> Any:
        tries[0] += 1
        return snapshot()

    async def compare() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(served.reads, "snapshot", counting)
            for _ in range(3):
                await served.same(long)
                await served.same(short)
            # The connection is the same, so that what is in memory stays good.
            assert (tries[0], served.memory.figures().hits) == (2, 2)
            ledger.add(ItemRepriced("lamp-001", AT + 1, AT + 1, 5, "EUR"))
            await served.same(long)
            assert tries[0] == 3

    run(compare())


@pytest.mark.usefixtures("filled")
def test_another_connection_has_other_versions(engine: Engine) -> None:
    reads = ShortReads(engine, MOST_STEPS)
    before = reads.version()
    engine.dispose()
    assert reads.version() != before
