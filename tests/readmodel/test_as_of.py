"""`GET /items?as_of=`: lists of items as they were at a moment."""

import random
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from domain.events import (
    Event,
    ItemCreated,
    ItemDeleted,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from readmodel.views.items import render
from runtime.times import rfc3339

AT = 1_763_798_400_000
SORTS = {
    "id": lambda item: (item.id,),
    "name": lambda item: (item.name.casefold(), item.id),
    "price": lambda item: (item.price, item.id),
    "updated_at": lambda item: (item.updated_at, item.id),
}


def created(item_id: str, price: int = 1, at: int = AT, currency: str = "EUR") -> ItemCreated:
    return ItemCreated(item_id, at, at, f"Thing {item_id}", None, price, currency)


def walk(
    client: FlaskClient, at: int, query: str = "", cursor: str | None = None
) -> list[dict[str, Any]]:
    """Follow `next` to the end."""
    found = []
    while True:
        on = "" if cursor is None else f"&cursor={cursor}"
        answer = client.get(f"/items?as_of={rfc3339(at)}&limit=3&{query}{on}")
        assert answer.status_code == 200, answer.text
        found += answer.json["items"]
        cursor = answer.json["next"]
        if cursor is None:
            return found


def ids(client: FlaskClient, at: int, query: str = "") -> list[str]:
    return [each["id"] for each in walk(client, at, query)]


def test_a_list_has_items_as_they_were_when_it_is_asked_for(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(created("a", at=AT), created("b", at=AT + 20))
    ledger.add(ItemRepriced("a", AT + 10, AT + 10, 9, "USD"))
    assert walk(client, AT - 1) == []
    assert [(each["id"], each["price"], each["version"]) for each in walk(client, AT)] == [
        ("a", 1, 1)
    ]
    assert [each["price"] for each in walk(client, AT + 9)] == [1]
    assert [each["price"] for each in walk(client, AT + 10)] == [9]
    answer = client.get(f"/items?as_of={rfc3339(AT + 20)}")
    joined = ",".join(render(ledger.items[each]) for each in ("a", "b"))
    assert answer.text == f'{{"items":[{joined}],"next":null}}'
    assert answer.headers["Cache-Control"] == "no-cache"


def test_what_was_deleted_then_is_left_out_unless_asked_for(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(created("a"), created("b"))
    ledger.add(ItemDeleted("a", AT + 10, AT + 10))
    ledger.add(ItemRestored("a", AT + 20, AT + 20))
    assert ids(client, AT + 9) == ["a", "b"]
    assert ids(client, AT + 15) == ["b"]
    assert ids(client, AT + 20) == ["a", "b"]
    deleted, there = walk(client, AT + 15, "include_deleted=true")
    assert (deleted["id"], deleted["deleted_at"]) == ("a", rfc3339(AT + 10))
    assert there["deleted_at"] is None


def test_filters_go_by_what_was_then(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created("a", 5), created("b", 50), created("c", 500, currency="USD"))
    ledger.add(ItemRepriced("a", AT + 10, AT + 10, 100, "USD"))
    ledger.add(ItemRepriced("b", AT + 10, AT + 10, 1, "EUR"))
    for at, query, expected in (
        (AT, "price_min=50", ["b", "c"]),
        (AT, "price_max=50", ["a", "b"]),
        (AT, "currency=EUR", ["a", "b"]),
        (AT, "ids=a,c", ["a", "c"]),
        (AT + 10, "price_min=50", ["a", "c"]),
        (AT + 10, "price_max=50", ["b"]),
        (AT + 10, "currency=EUR", ["b"]),
        (AT + 10, f"updated_since={rfc3339(AT + 1)}", ["a", "b"]),
        (AT + 9, f"updated_since={rfc3339(AT + 1)}", []),
    ):
        assert ids(client, at, query) == expected, (at, query)


def test_what_took_effect_at_one_moment_is_its_last_version(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(created("a"), ItemRepriced("a", AT, AT, 2, "EUR"))
    ledger.add(ItemRepriced("a", AT + 5, AT, 3, "EUR"), ItemRenamed("a", AT + 5, AT, "Jug"))
    ledger.add(ItemRepriced("a", AT + 6, AT + 1, 4, "EUR"))
    (item,) = walk(client, AT)
    assert (item["version"], item["price"], item["name"]) == (4, 3, "Jug")
    assert item["updated_at"] == rfc3339(AT + 5)


def test_every_moment_within_one_batch_is_kept(ledger: Any, client: FlaskClient) -> None:
    now = AT + 1_000
    ledger.add(
        ItemCreated("a", now, AT, "Lamp", None, 1, "EUR"),
        ItemCreated("b", now, AT + 2, "Jug", None, 7, "EUR"),
        ItemRepriced("a", now, AT + 1, 2, "EUR"),
        ItemRenamed("a", now, AT + 1, "Light"),
        ItemRepriced("a", now, AT + 3, 3, "EUR"),
    )
    seen = [[(each["id"], each["version"]) for each in walk(client, AT + n)] for n in range(4)]
    assert seen == [[("a", 1)], [("a", 3)], [("a", 3), ("b", 1)], [("a", 4), ("b", 1)]]


def history(seed: int) -> list[Event]:
    # The order is the point, not that it cannot be guessed.
    dice = random.Random(seed)  # noqa: S311
    last: dict[str, int] = {}
    deleted: set[str] = set()
    events: list[Event] = []
    for n in range(300):
        item_id = f"{dice.choice('aZ-~')}{dice.randrange(5)}".lstrip("-~") or "x"
        now = AT + 10 * n
        if item_id not in last:
            last[item_id] = now - dice.randrange(100)
            name, price = dice.choice(["Äpfel", "apfel", "zoo", "🎈"]), dice.randrange(4)
            events.append(ItemCreated(item_id, now, last[item_id], name, None, price, "EUR"))
            continue
        at = last[item_id] = dice.randrange(last[item_id], now + 1)
        if item_id in deleted:
            deleted.remove(item_id)
            events.append(ItemRestored(item_id, now, at))
        elif dice.random() < 0.2:
            deleted.add(item_id)
            events.append(ItemDeleted(item_id, now, at))
        elif dice.random() < 0.2:
            events.append(ItemRenamed(item_id, now, at, dice.choice(["Kohl", "apfel", "日本"])))
        else:
            events.append(ItemRepriced(item_id, now, at, dice.randrange(4), "EUR"))
    return events


def test_every_list_equals_each_item_looked_up_by_itself(ledger: Any, client: FlaskClient) -> None:
    dice = random.Random(3)  # noqa: S311
    waiting = history(3)
    while waiting:
        size = dice.choice([1, 2, 40])
        ledger.add(*waiting[:size])
        waiting = waiting[size:]
    for _ in range(25):
        at = AT + dice.randrange(-100, 3_000)
        sort = dice.choice([*SORTS])
        sign = dice.choice(["", "-"])
        low = dice.randrange(3)
        there = [
            item
            for item_id in ledger.items
            if (item := state(ledger, item_id, at)) is not None
            and not item.is_deleted
            and item.price >= low
        ]
        there.sort(key=SORTS[sort], reverse=sign == "-")
        found = walk(client, at, f"sort={sign}{sort}&price_min={low}")
        assert [(each["id"], each["version"], each["price"], each["name"]) for each in found] == [
            (item.id, item.version, item.price, item.name) for item in there
        ]
        first = client.get(f"/items?as_of={rfc3339(at)}&price_min={low}&limit=1&total=exact")
        assert first.json["total"] == len(there)
        for each in found:
            alone = client.get(f"/items/{each['id']}?as_of={rfc3339(at)}")
            assert alone.json == each


def state(ledger: Any, item_id: str, at: int) -> Any:
    """Find the last version of an item that had taken effect."""
    mine = [item for (name, _), item in ledger.states.items() if name == item_id]
    reached = [item for item in mine if item.effective_at <= at]
    return max(reached, key=lambda item: item.version, default=None)


def test_pages_of_one_moment_do_not_change_while_items_do(ledger: Any, client: FlaskClient) -> None:
    ledger.add(*(created(f"m{n:02}", n) for n in range(9)))
    first = client.get(f"/items?as_of={rfc3339(AT)}&sort=price&limit=4").json
    ledger.add(*(ItemRepriced(f"m{n:02}", AT + 5, AT + 5, 100 - n, "EUR") for n in range(9)))
    ledger.add(created("new", 6, at=AT + 6), ItemDeleted("m05", AT + 7, AT + 7))
    rest = walk(client, AT, "sort=price", first["next"])
    assert [each["id"] for each in first["items"] + rest] == [f"m{n:02}" for n in range(9)]


def test_a_cursor_is_bound_to_the_moment(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created("a"), created("b"), created("c"))
    moments = [f"as_of={rfc3339(AT)}&", f"as_of={rfc3339(AT + 1)}&", ""]
    cursors = [client.get(f"/items?{each}limit=1").json["next"] for each in moments]
    assert len({*cursors}) == len(moments)
    for moment, own in zip(moments, cursors, strict=True):
        for cursor in cursors:
            answer = client.get(f"/items?{moment}limit=1&cursor={cursor}")
            assert answer.status_code == (200 if cursor == own else 400)


def test_the_link_to_the_next_page_keeps_the_moment(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created("a"), created("b"))
    link = client.get(f"/items?as_of={rfc3339(AT)}&limit=1").headers["Link"]
    assert f"as_of={quote(rfc3339(AT))}" in link


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("as_of=yesterday", "as_of"),
        ("as_of=2025-11-22", "as_of"),
        ("as_of=2025-11-22T08:00:00", "as_of"),
        ("as_of=", "as_of"),
        (f"as_of={'9' * 30}", "as_of"),
        ("as_of=2025-11-22T08:00:00Z%00", "as_of"),
        ("as_of=2025-11-22T08:00:00Z&as_of=2025-11-22T08:00:00Z", "as_of"),
        ("as_of=2025-11-22T08:00:00Z&q=!", "q"),
    ],
)
def test_a_moment_that_is_none_is_refused(client: FlaskClient, query: str, parameter: str) -> None:
    answer = client.get(f"/items?{query}")
    assert answer.status_code == 400
    assert [each["parameter"] for each in answer.json["errors"]] == [parameter]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"])
def test_the_first_and_the_last_moment_can_be_asked_for(
    ledger: Any, client: FlaskClient, at: str
) -> None:
    ledger.add(created("a"))
    answer = client.get(f"/items?as_of={at}&sort=-updated_at")
    assert len(answer.json["items"]) == at.startswith("9")


def test_a_list_as_of_a_moment_is_read_no_older_than_the_token_asks_for(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(created("a"))
    headers = {"Consistency-Token": "0.1700000000000.99", "Prefer": "handling=strict"}
    answer = client.get(f"/items?as_of={rfc3339(AT)}", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (503, "projection-behind")
