from typing import Any

import pytest
from flask.testing import FlaskClient

from domain.events import ItemCreated, ItemDeleted, ItemRepriced, ItemRestored
from readmodel.views.items import render

AT = 1_763_798_400_000
LAMP = ItemCreated("lamp", AT, AT, "Läßt-leuchten ☀", None, 1299, "EUR")


def test_an_item_is_answered_as_it_was_rendered_with_its_version_as_strong_etag(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(LAMP, ItemRepriced("lamp", AT + 1, AT + 1, 999, "EUR"))
    answer = client.get("/items/lamp")
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.text == render(ledger.items["lamp"])
    assert answer.headers["ETag"] == '"2"'
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Vary"] == "Accept-Datetime, Prefer"
    assert answer.json["price"] == 999


@pytest.mark.parametrize("sent", ['"1"', 'W/"1"', '"0", "1"', '"0", W/"1"', "*"])
def test_a_client_that_has_the_version_gets_304_without_a_body(
    ledger: Any, client: FlaskClient, sent: str
) -> None:
    ledger.add(LAMP)
    answer = client.get("/items/lamp", headers={"If-None-Match": sent})
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Vary"] == "Accept-Datetime, Prefer"


@pytest.mark.parametrize("sent", ['"2"', 'W/"11"', ""])
def test_a_client_that_has_another_version_gets_the_item(
    ledger: Any, client: FlaskClient, sent: str
) -> None:
    ledger.add(LAMP)
    assert client.get("/items/lamp", headers={"If-None-Match": sent}).status_code == 200


@pytest.mark.parametrize("item_id", ["nobody", "%00", "-x", "a" * 65, "%FF%FE", "a b"])
def test_an_item_never_seen_is_404_whatever_its_id_looks_like(
    client: FlaskClient, item_id: str
) -> None:
    answer = client.get(f"/items/{item_id}", headers={"If-None-Match": "*"})
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "item-not-found"
    assert answer.json["type"] == "https://read.example/problems/item-not-found"


def test_a_deleted_item_is_410_and_leads_to_its_history(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, ItemDeleted("lamp", AT + 1, AT + 1))
    answer = client.get("/items/lamp", headers={"If-None-Match": '"2"'})
    assert answer.status_code == 410
    assert answer.json["code"] == "item-deleted"
    history = "https://read.example/items/lamp/history"
    assert answer.json["links"] == {"history": history}
    assert answer.json["current_version"] == 2
    assert answer.headers["Link"] == f'<{history}>; rel="version-history"'


def test_a_restored_item_is_there_again(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, ItemDeleted("lamp", AT, AT), ItemRestored("lamp", AT, AT))
    answer = client.get("/items/lamp")
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"3"')
    assert answer.json["deleted_at"] is None


def test_a_trailing_slash_changes_nothing(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP)
    assert client.get("/items/lamp/").data == client.get("/items/lamp").data
    assert client.get("/items/").data == client.get("/items").data


def test_head_answers_the_headers_of_get_without_the_body(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP)
    for path in ("/items/lamp", "/items", "/items/lamp/history", "/health/live", "/items/nobody"):
        got, head = client.get(path), client.head(path)
        assert head.status_code == got.status_code
        assert head.data == b""
        assert head.headers == got.headers


def test_an_item_takes_no_other_parameters(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP)
    answer = client.get("/items/lamp?verbose=1")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == "verbose"
    assert answer.json["errors"][0]["code"] == "unknown-parameter"
