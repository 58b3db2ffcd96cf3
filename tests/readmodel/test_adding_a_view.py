"""The guide docs/adding-a-view.md: its view is a file like any other, and does what it says."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import readmodel.views
from domain.commands import CreateItem, PatchItem
from domain.events import ItemCreated, ItemRepriced
from eventlog.inspect import LogInspector
from ledger import projections, rebuilding
from ledger.migrate import migrate
from ledger.projections import Projection
from readmodel.app import create_app
from readmodel.views.listing import all_projections, all_views, install
from readmodel.views.view import View, metadata
from runtime.settings import Settings
from tests.worker.world import NOW, World, builder, envelope

GUIDE = Path(__file__).parents[2] / "docs" / "adding-a-view.md"
NAME = "price_cuts"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def world(database_url: str, valkey_url: str) -> Iterator[World]:
    with World.of(database_url, valkey_url, partitions=1) as made:
        yield made


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Put the file of the guide beside the other views, as long as the test runs."""

    def put() -> View:
        code, _ = blocks()
        (tmp_path / f"{NAME}.py").write_text(code, "utf-8")
        beside = [*readmodel.views.__path__, str(tmp_path)]
        monkeypatch.setattr(readmodel.views, "__path__", beside)
        all_views.cache_clear()
        (view,) = [each for each in all_views() if each.name == NAME]
        return view

    before = set(metadata.tables)
    yield put
    sys.modules.pop(f"{readmodel.views.__name__}.{NAME}", None)
    monkeypatch.undo()
    all_views.cache_clear()
    for name in set(metadata.tables) - before:
        metadata.remove(metadata.tables[name])


def ask(world: World, query: str = "") -> Any:
    settings = Settings(_env_file=None, cursor_secret="of this test")  # noqa: S106
    client: FlaskClient = create_app(
        settings, world.reads, LogInspector(world.redis, 1)
    ).test_client()
    return client.get(f"/views/{NAME}{query}")


def book(world: World) -> Projection:
    with world.reads.connect() as connection:
        found = projections.read(connection, NAME)
    assert found is not None
    return found


def price(world: World, command_id: str, item_id: str, to: int, currency: str = "EUR") -> None:
    world.append(envelope(command_id, PatchItem(item_id, NOW, price=to, currency=currency)))
    world.drain(all_projections()).partition(0)


def cuts(world: World, query: str = "") -> list[tuple[str, int, int]]:
    answer = ask(world, query)
    assert answer.status_code == 200, answer.text
    return [(each["item_id"], each["version"], each["percent"]) for each in answer.json["cuts"]]


def test_a_view_of_one_file_is_built_from_the_ledger_and_kept_in_step(
    world: World, database_url: str, add: Any
) -> None:
    world.append(
        envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 5_000, "EUR")),
        envelope("c2", CreateItem("jug-1", NOW, "Jug", None, 1_000, "EUR")),
        envelope("c3", PatchItem("lamp-1", NOW, price=4_000)),
        envelope("c4", PatchItem("lamp-1", NOW, price=1_000)),
    )
    world.drain(all_projections()).partition(0)

    view = add()
    migrate(database_url, install)
    assert book(world).state == "wanted"
    unbuilt = ask(world)
    assert (unbuilt.status_code, unbuilt.json["code"]) == (503, "view-unbuilt")

    # Commands go on before it is built, and after.
    price(world, "c5", "jug-1", 700)
    builder(world, view).look()
    assert (book(world).state, book(world).live) == ("idle", 1)
    assert cuts(world) == [("lamp-1", 3, 75), ("jug-1", 2, 30), ("lamp-1", 2, 20)]

    price(world, "c6", "jug-1", 70, "USD")
    price(world, "c7", "jug-1", 7, "USD")
    price(world, "c8", "lamp-1", 9_000)
    expected = [("jug-1", 4, 90), ("lamp-1", 3, 75), ("jug-1", 2, 30), ("lamp-1", 2, 20)]
    assert cuts(world) == expected
    assert cuts(world, "?currency=EUR&limit=1") == [("lamp-1", 3, 75)]

    rebuilding.wish(world.engine, NAME, "rebuild", None, NOW)
    builder(world, view).look()
    assert (book(world).state, book(world).live) == ("idle", 2)
    assert (book(world).detail or "").startswith("equal: 4 rows")
    assert cuts(world) == expected


def test_the_answer_is_what_the_guide_shows(world: World, database_url: str, add: Any) -> None:
    add()
    migrate(database_url, install)
    world.append(
        envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 4_995, "EUR")),
        envelope("c2", PatchItem("lamp-1", NOW, price=3_995)),
    )
    world.drain(all_projections()).partition(0)
    (shown,) = re.findall(r'^\{"cuts".*$', GUIDE.read_text("utf-8"), re.MULTILINE)
    told = re.sub(r'"effective_at":"[^"]*"', "", ask(world, "?currency=EUR&limit=1").text)
    assert told == re.sub(r'"effective_at":"[^"]*"', "", shown)


@pytest.mark.parametrize("query", ["?limit=0", "?limit=ten", "?limit=9" + "0" * 30, "?other=1"])
def test_what_the_view_does_not_take_is_refused(
    world: World, database_url: str, add: Any, query: str
) -> None:
    add()
    migrate(database_url, install)
    answer = ask(world, query)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == query[1:].split("=", maxsplit=1)[0]


def test_the_test_of_the_guide_passes(
    ledger: Any, client: FlaskClient, database_url: str, add: Any
) -> None:
    add()
    migrate(database_url, install)
    _, shown = blocks()
    names: dict[str, Any] = {
        each.__name__: each for each in (Any, FlaskClient, ItemCreated, ItemRepriced)
    }
    names["AT"] = NOW
    exec(shown, names)  # noqa: S102  it is the page's own
    names["test_the_largest_cut_comes_first"](ledger, client)
