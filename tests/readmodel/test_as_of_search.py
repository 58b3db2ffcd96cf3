"""`GET /items?as_of=&q=`: what had the words at a moment, whatever it is called now."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from domain.events import ItemCreated, ItemDeleted, ItemDescribed, ItemRenamed, ItemRepriced
from ledger.projections import Slot
from ledger.tables import projections
from readmodel.views import timeline, wordings
from readmodel.views.chosen import Filter, Sort
from runtime.times import rfc3339

AT = 1_763_798_400_000


@pytest.fixture(params=[0, 30_000], ids=["along the order", "by the index"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "_FEW", request.param)


def created(item_id: str, name: str, at: int = AT) -> ItemCreated:
    return ItemCreated(item_id, at, at, name, None, 1, "EUR")


def found(client: FlaskClient, at: int, q: str, **more: str) -> list[str]:
    answer = client.get("/items", query_string={"as_of": rfc3339(at), "q": q, **more})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json["items"]]


@pytest.mark.usefixtures("_both_ways")
def test_an_item_is_found_by_what_it_was_called_and_described_by_then(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(created("a", "Desk lamp"), created("b", "Lamp shade"))
    ledger.add(ItemRenamed("a", AT + 10, AT + 10, "Desk light"))
    ledger.add(ItemDescribed("b", AT + 20, AT + 20, "a light one"))
    ledger.add(ItemRenamed("a", AT + 30, AT + 30, "Lamp of yore"))
    seen = {
        at: [found(client, AT + at, q) for q in ("lamp", "LIGHT", "desk lamp")]
        for at in (-1, 0, 9, 10, 19, 20, 29, 30)
    }
    assert seen == {
        -1: [[], [], []],
        0: [["a", "b"], [], ["a"]],
        9: [["a", "b"], [], ["a"]],
        10: [["b"], ["a"], []],
        19: [["b"], ["a"], []],
        20: [["b"], ["a", "b"], []],
        29: [["b"], ["a", "b"], []],
        30: [["a", "b"], ["b"], []],
    }


@pytest.mark.usefixtures("_both_ways")
def test_of_words_that_changed_twice_at_a_moment_only_the_last_were_there(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(created("a", "one"))
    ledger.add(ItemRenamed("a", AT + 5, AT + 5, "two"), ItemRenamed("a", AT + 5, AT + 5, "three"))
    ledger.add(ItemRenamed("a", AT + 6, AT + 5, "four"))
    words = ("one", "two", "three", "four")
    assert [found(client, AT + 4, q) for q in words] == [["a"], [], [], []]
    assert [found(client, AT + 5, q) for q in words] == [[], [], [], ["a"]]


def test_of_an_item_that_had_the_words_many_times_no_other_is_forgotten(
    ledger: Any, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "_FEW", 2)
    ledger.add(created("a", "lamp 0"), created("z", "lamp"))
    ledger.add(*(ItemRenamed("a", AT + n, AT + n, f"lamp {n}") for n in range(1, 9)))
    ledger.add(ItemRenamed("z", AT + 9, AT + 9, "gone"))
    assert found(client, AT, "lamp") == ["a", "z"]


def test_what_is_called_by_the_same_words_had_no_others(ledger: Any) -> None:
    ledger.add(created("a", "Lamp"))
    ledger.add(ItemRenamed("a", AT + 1, AT + 1, "LAMP!"))
    ledger.add(ItemRenamed("a", AT + 2, AT + 2, "light"))
    with ledger.engine.connect() as connection:
        kept = connection.execute(select(wordings.TABLES[1].c["item_id", "until"])).all()
    assert kept == [("a", AT + 2)]


@pytest.mark.usefixtures("_both_ways")
def test_a_search_of_the_past_is_filtered_sorted_counted_and_cut_like_any_list(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(*(created(f"m{n}", f"lamp {n}") for n in range(7)), created("x", "jug"))
    ledger.add(*(ItemRepriced(f"m{n}", AT + 1, AT + 1, 9 - n, "EUR") for n in range(6)))
    ledger.add(ItemDeleted("m2", AT + 2, AT + 2))
    ledger.add(*(ItemRenamed(f"m{n}", AT + 3, AT + 3, "gone") for n in range(0, 7, 2)))
    asked = {"sort": "price", "price_min": "4", "limit": "2", "total": "exact"}
    asked |= {"q": "lamp", "as_of": rfc3339(AT + 2)}
    pages = [client.get("/items", query_string=asked).json]
    while pages[-1]["next"] is not None:
        asked["cursor"] = pages[-1]["next"]
        pages.append(client.get("/items", query_string=asked).json)
    assert [[each["id"] for each in page["items"]] for page in pages] == [
        ["m5", "m4"],
        ["m3", "m1"],
        ["m0"],
    ]
    assert [page["total"] for page in pages] == [5, 5, 5]
    deleted = found(client, AT + 2, "lamp", include_deleted="true", ids="m2,m5,x")
    assert deleted == ["m2", "m5"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("sort", [Sort(), Sort("price", descending=True), Sort("name")])
def test_few_that_had_the_words_are_looked_up_and_not_walked_to(ledger: Any, sort: Sort) -> None:
    ledger.add(*(created(f"m{n:04}", "jug") for n in range(2_000)), created("now", "lamp"))
    ledger.add(created("once", "lamp"), ItemRenamed("once", AT + 9, AT + 9, "light"))
    slots: dict[str, Slot] = {"timeline": 1, "search": 1, "wordings": 1}
    past, steps = Filter(words=("lamp",)), list[None]()
    with ledger.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: steps.append(None), 1)
        page = timeline.Past(connection, slots, AT, past).page(sort, 5, None)
        driver.set_progress_handler(None, 0)
    assert len(page.bodies) == 2
    # Two thousand items that are looked at take many thousands.
    assert len(steps) < 2_000


def test_its_cursor_belongs_to_its_words(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created("a", "red lamp"), created("b", "red lamp"))
    asked = {"as_of": rfc3339(AT), "limit": "1"}
    cursor = client.get("/items", query_string={**asked, "q": "red"}).json["next"]
    refused = client.get("/items", query_string={**asked, "q": "lamp", "cursor": cursor})
    assert refused.status_code == 400
    assert [each["code"] for each in refused.json["errors"]] == ["cursor-mismatch"]


def test_its_tag_changes_with_what_is_called_otherwise(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created("a", "lamp"))
    asked = {"as_of": rfc3339(AT + 5), "q": "lamp"}
    tag = client.get("/items", query_string=asked).headers["ETag"]
    same = client.get("/items", query_string=asked, headers={"If-None-Match": tag})
    assert same.status_code == 304
    ledger.add(ItemRenamed("a", AT + 9, AT + 4, "light"))
    other = client.get("/items", query_string=asked, headers={"If-None-Match": tag})
    assert (other.status_code, other.json["items"]) == (200, [])


@pytest.mark.parametrize("view", ["search", "timeline", "wordings"])
def test_while_a_view_that_it_takes_is_not_built_it_is_said(
    ledger: Any, client: FlaskClient, view: str
) -> None:
    ledger.add(created("a", "lamp"))
    with ledger.engine.begin() as connection:
        connection.execute(
            update(projections).where(projections.c.view == view).values(live=0, state="building")
        )
    answer = client.get("/items", query_string={"as_of": rfc3339(AT), "q": "lamp"})
    assert (answer.status_code, answer.json["code"]) == (503, "view-unbuilt")
    assert view in answer.json["detail"]
    # What asks for no words does not take those of words.
    plain = client.get("/items", query_string={"as_of": rfc3339(AT)})
    assert plain.status_code == (503 if view == "timeline" else 200)
