from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from domain.events import (
    ItemCreated,
    ItemDeleted,
    ItemDescribed,
    ItemPriceScheduled,
    ItemPriceUnscheduled,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from domain.evolve import fold
from ledger import tables
from ledger.codec import encode
from ledger.heads import at_version
from readmodel.cursors import Cursors
from runtime.times import rfc3339

AT = 1_763_798_400_000
LAMP = ItemCreated("lamp", AT, AT - 5, "Lamp", None, 100, "EUR")


def walk(
    client: FlaskClient, limit: int, cursor: str | None = None, **asked: str
) -> list[dict[str, Any]]:
    """Follow `next` to the oldest event."""
    found: list[dict[str, Any]] = []
    while True:
        place = {} if cursor is None else {"cursor": cursor}
        answer = client.get("/items/lamp/history", query_string={"limit": limit, **place, **asked})
        assert answer.status_code == 200, answer.text
        found += answer.json["events"]
        cursor = answer.json["next"]
        assert (cursor is None) == ("Link" not in answer.headers)
        if cursor is None:
            return found


def test_a_creation_sets_each_field_from_null(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, reason="opening")
    assert client.get("/items/lamp/history").json == {
        "events": [
            {
                "version": 1,
                "type": "ItemCreated",
                "changes": {
                    "name": {"from": None, "to": "Lamp"},
                    "price": {"from": None, "to": 100},
                    "currency": {"from": None, "to": "EUR"},
                },
                "actor": "rosa",
                "reason": "opening",
                "command_id": "command-1",
                "recorded_at": "2025-11-22T08:00:00.000Z",
                "effective_at": "2025-11-22T07:59:59.995Z",
            }
        ],
        "next": None,
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_every_change_says_from_and_to_on_whatever_page_it_is(
    ledger: Any, client: FlaskClient, limit: int
) -> None:
    ledger.add(
        LAMP,
        ItemRepriced("lamp", AT, AT, 200, "EUR"),
        ItemRenamed("lamp", AT, AT, "Lantern"),
        ItemDescribed("lamp", AT, AT, "bright"),
        ItemDeleted("lamp", AT, AT),
        ItemRestored("lamp", AT, AT),
        ItemRepriced("lamp", AT, AT, 300, "USD"),
        ItemDescribed("lamp", AT, AT, None),
        ItemRenamed("lamp", AT, AT, "Lamp"),
    )
    events = walk(client, limit)
    assert [each["version"] for each in events] == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert [each["changes"] for each in events[:-1]] == [
        {"name": {"from": "Lantern", "to": "Lamp"}},
        {"description": {"from": "bright", "to": None}},
        {"price": {"from": 200, "to": 300}, "currency": {"from": "EUR", "to": "USD"}},
        {},
        {},
        {"description": {"from": None, "to": "bright"}},
        {"name": {"from": "Lamp", "to": "Lantern"}},
        {"price": {"from": 100, "to": 200}},
    ]


@pytest.mark.parametrize("limit", [1, 2, 200])
def test_the_history_of_one_field_is_who_set_it_and_nothing_else(
    ledger: Any, client: FlaskClient, limit: int
) -> None:
    ledger.add(LAMP, ItemRenamed("lamp", AT, AT, "Lantern"), ItemRepriced("lamp", AT, AT, 1, "EUR"))
    ledger.add(ItemDeleted("lamp", AT, AT), ItemRestored("lamp", AT, AT))
    ledger.add(ItemDescribed("lamp", AT, AT, "x"), ItemRepriced("lamp", AT, AT, 1, "USD"))
    ledger.add(ItemRenamed("lamp", AT, AT, "Lamp"))
    asked = {
        "price": [
            (7, {"currency": {"from": "EUR", "to": "USD"}}),
            (3, {"price": {"from": 100, "to": 1}}),
            (1, {"price": {"from": None, "to": 100}, "currency": {"from": None, "to": "EUR"}}),
        ],
        "name": [
            (8, {"name": {"from": "Lantern", "to": "Lamp"}}),
            (2, {"name": {"from": "Lamp", "to": "Lantern"}}),
            (1, {"name": {"from": None, "to": "Lamp"}}),
        ],
        "description,name": [
            (8, {"name": {"from": "Lantern", "to": "Lamp"}}),
            (6, {"description": {"from": None, "to": "x"}}),
            (2, {"name": {"from": "Lamp", "to": "Lantern"}}),
            (1, {"name": {"from": None, "to": "Lamp"}}),
        ],
    }
    for fields, expected in asked.items():
        found = walk(client, limit, fields=fields)
        assert [(each["version"], each["changes"]) for each in found] == expected


@pytest.mark.parametrize("fields", ["", "colour", "price,", "Price", "price,%00"])
def test_a_field_that_no_item_has_is_400(ledger: Any, client: FlaskClient, fields: str) -> None:
    ledger.add(LAMP)
    answer = client.get(f"/items/lamp/history?fields={fields}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == "fields"


def test_a_cursor_is_bound_to_the_fields(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, ItemRepriced("lamp", AT, AT, 1, "EUR"))
    cursor = client.get("/items/lamp/history?limit=1&fields=price").json["next"]
    assert client.get(f"/items/lamp/history?fields=price&cursor={cursor}").status_code == 200
    assert client.get(f"/items/lamp/history?cursor={cursor}").status_code == 400


def test_events_that_arrive_while_paging_neither_repeat_nor_skip_older_ones(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(LAMP, *(ItemRepriced("lamp", AT, AT, 100 + n, "EUR") for n in range(1, 9)))
    first = client.get("/items/lamp/history?limit=4").json
    ledger.add(ItemRenamed("lamp", AT, AT, "Lantern"))
    rest = walk(client, 3, first["next"])
    versions = [each["version"] for each in first["events"] + rest]
    assert versions == [9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_a_deleted_item_has_its_history(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, ItemDeleted("lamp", AT, AT))
    assert len(client.get("/items/lamp/history").json["events"]) == 2


def test_an_item_never_seen_has_no_history(ledger: Any, client: FlaskClient) -> None:
    answer = client.get("/items/nobody/history")
    assert (answer.status_code, answer.json["code"]) == (404, "item-not-found")
    assert client.get("/items/%00/history").status_code == 404


def test_a_cursor_is_bound_to_the_item(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, ItemRepriced("lamp", AT, AT, 1, "EUR"))
    ledger.add(ItemCreated("vase", AT, AT, "Vase", None, 1, "EUR"))
    cursor = client.get("/items/lamp/history?limit=1").json["next"]
    assert client.get(f"/items/lamp/history?cursor={cursor}").status_code == 200
    answer = client.get(f"/items/vase/history?cursor={cursor}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == "cursor"


@pytest.mark.parametrize("form", ["application/json", "application/link-format"])
@pytest.mark.parametrize("place", [1, 0, -1, 2**70, True, "2"])
def test_a_cursor_before_which_there_is_nothing_is_none(
    ledger: Any, client: FlaskClient, form: str, place: Any
) -> None:
    ledger.add(LAMP, ItemRepriced("lamp", AT, AT, 1, "EUR"))
    is_history = form == "application/json"
    binding = ("history", "lamp", None) if is_history else ("timemap", "lamp")
    # As anybody could write it who knows the key, which by default is everybody.
    cursor = Cursors("of this test").write(place, *binding)
    answer = client.get(f"/items/lamp/history?cursor={cursor}", headers={"Accept": form})
    assert answer.status_code == 400
    assert answer.json["errors"][0]["code"] == "cursor-mismatch"


def test_the_limit_of_a_history_is_checked(client: FlaskClient) -> None:
    assert client.get("/items/lamp/history?limit=201").status_code == 400


SOMETHING_HAPPENS = st.one_of(
    st.builds(ItemRenamed, st.just("lamp"), st.just(AT), st.just(AT), st.sampled_from("ab")),
    st.builds(
        ItemDescribed, st.just("lamp"), st.just(AT), st.just(AT), st.sampled_from(["x", None])
    ),
    st.builds(
        ItemRepriced,
        st.just("lamp"),
        st.integers(AT, AT + 9),
        st.integers(AT, AT + 9),
        st.integers(0, 3),
        st.sampled_from(["EUR", "USD"]),
    ),
    st.builds(ItemDeleted, st.just("lamp"), st.integers(AT, AT + 9), st.just(AT)),
    st.builds(ItemRestored, st.just("lamp"), st.just(AT), st.just(AT)),
)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(SOMETHING_HAPPENS, max_size=12))
def test_the_last_event_of_each_type_rebuilds_every_version(later: Any) -> None:
    events = [LAMP, *later]
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        tables.events.create(connection)
        for version, each in enumerate(events, 1):
            type_name, data = encode(each)
            connection.execute(
                tables.events.insert().values(
                    partition=0,
                    offset=version,
                    item_id="lamp",
                    version=version,
                    type=type_name,
                    data=data,
                    command_id="c",
                    actor="a",
                    recorded_at=each.recorded_at,
                    effective_at=each.effective_at,
                    hash="h",
                )
            )
        for version in range(1, len(events) + 1):
            assert at_version(connection, "lamp", version) == fold(events[:version])
        assert at_version(connection, "lamp", 0) is None
    engine.dispose()


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_what_becomes_of_a_scheduled_price_is_told_with_it_on_whatever_page_it_is(
    ledger: Any, client: FlaskClient, limit: int
) -> None:
    ends = AT + 9
    ledger.add(LAMP, ItemPriceScheduled("lamp", AT, AT, "a", 80, "EUR", AT + 5, ends, "rosa", None))
    ledger.add(
        ItemPriceScheduled("lamp", AT, AT, "b", 70, "USD", AT + 10, None, "rosa", None),
        ItemRepriced("lamp", AT, AT, 80, "EUR", "a"),
        ItemRepriced("lamp", AT, AT, 100, "EUR", "a"),
        ItemPriceUnscheduled("lamp", AT, AT, "b", "cancelled"),
    )
    a = {"id": "a", "price": 80, "currency": "EUR"}
    a |= {"effective_from": "2025-11-22T08:00:00.005Z", "effective_until": rfc3339(ends)}
    b = {"id": "b", "price": 70, "currency": "USD"}
    b |= {"effective_from": "2025-11-22T08:00:00.010Z", "effective_until": None}
    told = [each["changes"].get("scheduled_price") for each in walk(client, limit)]
    assert told == [
        {"from": b | {"status": "pending"}, "to": b | {"status": "cancelled"}},
        {"from": a | {"status": "active"}, "to": a | {"status": "done"}},
        {"from": a | {"status": "pending"}, "to": a | {"status": "active"}},
        {"from": None, "to": b | {"status": "pending"}},
        {"from": None, "to": a | {"status": "pending"}},
        None,
    ]
    # Of fields that are asked for nothing else is told.
    assert all(
        "scheduled_price" not in each["changes"] for each in walk(client, limit, fields="price")
    )
