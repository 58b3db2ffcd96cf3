"""What makes one state of an item into another, as a JSON Patch."""

import itertools
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from domain.events import (
    ItemCreated,
    ItemDeleted,
    ItemDescribed,
    ItemPriceScheduled,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from readmodel.views.items import render
from tests.readmodel.timelines import AT

LAMP = ItemCreated("lamp", AT, AT, "Läßt-leuchten ☀", None, 100, "EUR")


def lived(ledger: Any) -> None:
    ledger.add(
        LAMP,
        ItemRepriced("lamp", AT + 1, AT + 1, 90, "USD"),
        ItemDescribed("lamp", AT + 2, AT + 2, 'a "quoted" / ~ thing'),
        ItemRenamed("lamp", AT + 3, AT + 3, "Lantern"),
        ItemDeleted("lamp", AT + 4, AT + 4),
        ItemRestored("lamp", AT + 5, AT + 5),
        ItemDescribed("lamp", AT + 6, AT + 6, None),
        ItemPriceScheduled("lamp", AT + 7, AT + 7, "s", 5, "EUR", AT + 99, None, "rosa", None),
    )


def applied(document: Any, patch: list[dict[str, Any]]) -> Any:
    """Apply a patch by the letter of RFC 6902 (add, remove, replace, test)."""
    for operation in patch:
        op, path = operation["op"], operation["path"]
        if path == "":
            assert op in {"add", "replace"}
            document = operation["value"]
            continue
        parts = [each.replace("~1", "/").replace("~0", "~") for each in path.split("/")]
        assert parts[0] == ""
        place = document
        for each in parts[1:-1]:
            place = place[each]
        last = parts[-1]
        if op != "add":
            assert last in place
        if op == "remove":
            del place[last]
        elif op == "test":
            assert place[last] == operation["value"]
        else:
            assert op in {"add", "replace"}
            place[last] = operation["value"]
    return document


def document(ledger: Any, version: int) -> Any:
    return orjson.loads(render(ledger.states["lamp", version])) if version else None


def test_the_patch_makes_any_state_into_any_other(ledger: Any, client: FlaskClient) -> None:
    lived(ledger)
    for before, after in itertools.product(range(9), repeat=2):
        answer = client.get(f"/items/lamp/diff?from={before}&to={after}")
        assert answer.status_code == 200
        assert answer.content_type == "application/json-patch+json"
        patch = orjson.loads(answer.data)
        assert applied(document(ledger, before), patch) == document(ledger, after)
        assert answer.headers["ETag"] == f'"{before}-{after}"'
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"


def test_a_patch_says_no_more_than_what_differs(ledger: Any, client: FlaskClient) -> None:
    lived(ledger)
    patch = orjson.loads(client.get("/items/lamp/diff?from=1&to=2").data)
    assert patch == [
        {"op": "replace", "path": "/price", "value": 90},
        {"op": "replace", "path": "/currency", "value": "USD"},
        {"op": "replace", "path": "/version", "value": 2},
        {"op": "replace", "path": "/updated_at", "value": "2025-11-22T08:00:00.001Z"},
    ]
    assert orjson.loads(client.get("/items/lamp/diff?from=3&to=3").data) == []


def test_without_versions_it_is_the_last_change(ledger: Any, client: FlaskClient) -> None:
    lived(ledger)
    newest = client.get("/items/lamp/diff")
    assert newest.headers["ETag"] == '"7-8"'
    assert newest.headers["Cache-Control"] == "no-cache"
    assert newest.data == client.get("/items/lamp/diff?from=7&to=8").data
    since = client.get("/items/lamp/diff?from=2")
    assert (since.headers["ETag"], since.headers["Cache-Control"]) == ('"2-8"', "no-cache")
    to_one = client.get("/items/lamp/diff?to=1")
    assert to_one.headers["ETag"] == '"0-1"'
    assert "immutable" in to_one.headers["Cache-Control"]
    assert client.get("/items/lamp/diff?to=0").headers["ETag"] == '"0-0"'


def test_who_has_the_patch_gets_304(ledger: Any, client: FlaskClient) -> None:
    lived(ledger)
    path = "/items/lamp/diff?from=1"
    answer = client.get(path, headers={"If-None-Match": '"1-8"'})
    assert (answer.status_code, answer.data) == (304, b"")
    ledger.add(ItemRenamed("lamp", AT + 8, AT + 8, "Lamp"))
    assert client.get(path, headers={"If-None-Match": '"1-8"'}).headers["ETag"] == '"1-9"'


@pytest.mark.parametrize("query", ["from=9", "to=9", "from=9&to=1", f"to={'9' * 400}"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_version_beyond_the_last_is_404(ledger: Any, client: FlaskClient, query: str) -> None:
    lived(ledger)
    answer = client.get(f"/items/lamp/diff?{query}")
    assert (answer.status_code, answer.json["code"]) == (404, "version-not-found")
    assert answer.json["current_version"] == 8


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize("value", ["-1", "x", "", "1.0", "00", "%00"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_version_that_is_none_is_400(
    ledger: Any, client: FlaskClient, name: str, value: str
) -> None:
    lived(ledger)
    answer = client.get(f"/items/lamp/diff?{name}={value}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == name


def test_an_item_never_seen_has_no_states(client: FlaskClient) -> None:
    for item_id in ("nobody", "%00"):
        answer = client.get(f"/items/{item_id}/diff")
        assert (answer.status_code, answer.json["code"]) == (404, "item-not-found")
