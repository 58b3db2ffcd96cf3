"""The forms of the feed, which of them a client gets, and the schemas they name."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import orjson
import pytest
from flask.testing import FlaskClient

from domain.events import ItemCreated, ItemPriceScheduled, ItemPriceUnscheduled, ItemRepriced
from ledger.shapes import NEWEST, SHAPES
from tests.readmodel.partitioned import AT, Partitioned

READ = "https://read.example"
JSON, NDJSON = "application/json", "application/x-ndjson"
BATCH = "application/cloudevents-batch+json"
LAMP = ItemCreated("lamp", AT, AT - 5, "Lamp", None, 100, "EUR")


@pytest.fixture
def shop(database_url: str) -> Iterator[Partitioned]:
    with Partitioned.of(database_url, 2) as made:
        yield made


def asking(client: FlaskClient, accept: str, **query: Any) -> Any:
    return client.get("/changes", headers={"Accept": accept}, query_string=query)


def test_lines_are_the_changes_of_the_document_one_by_one(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(1, LAMP, ItemRepriced("lamp", AT, AT, 1, "EUR"))
    document, lines = asking(client, JSON), asking(client, NDJSON)
    assert lines.content_type == NDJSON
    assert [orjson.loads(each) for each in lines.data.splitlines()] == document.json["changes"]
    assert lines.headers["Link"] == document.headers["Link"]
    assert asking(client, NDJSON, after="head").data == b""


def test_a_cloud_event_has_the_attributes_of_its_change(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(1, LAMP, reason="opening")
    answer = asking(client, BATCH)
    assert answer.content_type == BATCH
    assert answer.json == [
        {
            "specversion": "1.0",
            "id": "1-1",
            "source": f"{READ}/changes#1",
            "type": "itemledger.ItemCreated.v1",
            "subject": "lamp",
            "time": "2025-11-22T08:00:00.000Z",
            "datacontenttype": "application/json",
            "dataschema": f"{READ}/schemas/events/ItemCreated/v1",
            "sequence": "0000000000000000001",
            "partitionkey": "lamp",
            "itemversion": 1,
            "effectiveat": "2025-11-22T07:59:59.995Z",
            "commandid": "c-1",
            "cursor": asking(client, JSON).json["next"],
            "actor": "rosa",
            "reason": "opening",
            "data": {"name": "Lamp", "description": None, "price": 100, "currency": "EUR"},
        }
    ]
    assert asking(client, BATCH, after="head").json == []
    assert answer.headers["Link"] == asking(client, JSON).headers["Link"]


def test_names_of_cloud_event_attributes_are_lower_case_letters_and_digits(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(0, LAMP, reason="x")
    (event,) = asking(client, BATCH).json
    assert [name for name in event if not re.fullmatch("[a-z0-9]{1,20}", name)] == []


def test_what_no_cloud_event_attribute_may_hold_is_a_space_there(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add_row(0, actor="ro\x7fsa\ufdd0", reason="two\nlines\t☀\U0001ffff")
    (event,) = asking(client, BATCH).json
    assert (event["actor"], event["reason"]) == ("ro sa ", "two lines ☀ ")
    assert asking(client, JSON).json["changes"][0]["reason"] == "two\nlines\t☀\U0001ffff"


def test_a_cloud_event_of_a_newer_release_names_its_version_and_no_schema(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add_row(0, type="ItemPainted.v3", data='{"colour":"red"}')
    (event,) = asking(client, BATCH).json
    assert event["type"] == "itemledger.ItemPainted.v3"
    assert event["data"] == {"colour": "red"}
    assert "dataschema" not in event
    assert "reason" not in event


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (NDJSON, NDJSON),
        (BATCH, BATCH),
        (f"{JSON};q=0.5, {BATCH}", BATCH),
        (f"{JSON};q=0.5, {NDJSON};q=0.7", NDJSON),
        (f"{JSON};q=0, */*", BATCH),
        (f"*/*;q=0.1, {NDJSON};q=0.2", NDJSON),
        (f"application/*;q=0.2, {JSON};q=0.1", BATCH),
        ("application/json; charset=utf-8", JSON),
        ("APPLICATION/X-NDJSON", NDJSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        (f"nonsense, {NDJSON}", NDJSON),
    ],
)
def test_the_client_gets_the_form_it_likes_best(
    shop: Partitioned, client: FlaskClient, accept: str | None, form: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = client.get("/changes", headers=headers)
    assert (answer.status_code, answer.content_type) == (200, form)


@pytest.mark.parametrize("accept", ["text/html", f"{JSON};q=0", "*/*;q=0", "nonsense", "text/*"])
def test_a_client_that_takes_no_form_there_is_is_told_which_there_are(
    shop: Partitioned, client: FlaskClient, accept: str
) -> None:
    answer = asking(client, accept)
    assert (answer.status_code, answer.json["code"]) == (406, "not-acceptable")
    assert all(form in answer.json["detail"] for form in (JSON, NDJSON, BATCH))
    assert answer.headers["Vary"] == "Accept"


def test_every_schema_is_listed_and_served_for_ever_under_its_own_id(client: FlaskClient) -> None:
    listed = client.get("/schemas/events").json["schemas"]
    assert [(each["type"], each["version"]) for each in listed] == [
        (shape.type, shape.version) for shape in SHAPES
    ]
    for each in listed:
        answer = client.get(each["schema"].removeprefix(READ))
        assert answer.json["$id"] == each["schema"]
        assert answer.content_type == "application/schema+json"
        assert "immutable" in answer.headers["Cache-Control"]
        assert each["newest"] == (NEWEST[each["type"]].version == each["version"])


@pytest.mark.parametrize(
    "path", ["ItemPainted/v1", "ItemCreated/v2", "ItemCreated/1", "ItemCreated/v01", "%00/☀"]
)
def test_a_schema_that_there_is_not_is_a_problem(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/schemas/events/{path}")
    assert (answer.status_code, answer.json["code"]) == (404, "schema-not-found")


def test_the_data_of_every_change_is_what_its_schema_says(
    shop: Partitioned, client: FlaskClient
) -> None:
    asked = ("s", 9, "EUR", AT + 1, AT + 2, "rosa", "black week")
    shop.add(
        0,
        LAMP,
        ItemRepriced("lamp", AT, AT, 1, "EUR", "s"),
        ItemPriceScheduled("lamp", AT, AT, *asked),
        ItemPriceUnscheduled("lamp", AT, AT, "s", "cancelled"),
    )
    shop.add_row(1, item_id="cup", type="ItemRepriced", data='{"price":1,"currency":"EUR"}')
    changes = asking(client, JSON).json["changes"]
    assert len(changes) == 5
    for change in changes:
        schema = client.get(change["schema"].removeprefix(READ)).json
        jsonschema_rs.validate(schema, change["data"], validate_formats=True)
