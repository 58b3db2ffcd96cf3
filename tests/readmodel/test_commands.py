from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from domain.events import ItemCreated, ItemDeleted, ItemRenamed, ItemRepriced
from domain.refusals import REFUSALS
from readmodel.app import create_app
from readmodel.views.items import render
from runtime.settings import Settings

AT = 1_763_798_400_000
EPOCH = 1_700_000_000_000
LAMP = ItemCreated("lamp", AT, AT, "Läßt leuchten ☀", None, 100, "EUR")


def test_a_creation_answers_what_waiting_would_have_answered(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(LAMP)
    ledger.outcome("c-1", "lamp", http_status=201)
    answer = client.get("/commands/c-1")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "Retry-After" not in answer.headers
    assert answer.json == {
        "command_id": "c-1",
        "item_id": "lamp",
        "status": "applied",
        "outcome": {
            "status": 201,
            "headers": {
                "Consistency-Token": f"0.{EPOCH}.1",
                "Content-Type": "application/json",
                "ETag": '"1"',
                "Location": "https://read.example/items/lamp",
            },
            "body": orjson.loads(render(ledger.items["lamp"])),
        },
        "completed_at": "2025-11-22T08:00:00.000Z",
        "token": f"0.{EPOCH}.1",
        "links": {
            "command": f"https://read.example/commands/c-1?token=0.{EPOCH}.1",
            "item": "https://read.example/items/lamp",
        },
    }


def test_the_body_is_the_item_as_of_its_outcome_byte_for_byte(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(
        LAMP,
        ItemRenamed("lamp", AT + 1, AT, "Lampe"),
        ItemRepriced("lamp", AT + 2, AT, 7, "USD"),
        ItemDeleted("lamp", AT + 3, AT),
    )
    for version in (1, 2, 3, 4):
        ledger.outcome(f"c-{version}", "lamp", version=version)
        answer = client.get(f"/commands/c-{version}")
        assert f'"body":{render(ledger.states["lamp", version])}}}' in answer.text
        headers = answer.json["outcome"]["headers"]
        assert (headers["ETag"], "Location" in headers) == (f'"{version}"', False)


def test_an_unchanged_item_is_answered_at_its_version(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP)
    ledger.outcome("c-1", "lamp", status="unchanged")
    answer = client.get("/commands/c-1").json
    assert (answer["status"], answer["outcome"]["status"]) == ("unchanged", 200)
    assert answer["outcome"]["body"]["version"] == 1


def test_a_deletion_has_neither_body_nor_etag(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, ItemDeleted("lamp", AT, AT))
    ledger.outcome("c-1", "lamp", http_status=204, version=2)
    outcome = client.get("/commands/c-1").json["outcome"]
    headers = {"Consistency-Token": f"0.{EPOCH}.1"}
    assert outcome == {"status": 204, "headers": headers, "body": None}


def test_a_rejection_holds_the_problem_of_the_command_api(ledger: Any, client: FlaskClient) -> None:
    ledger.outcome(
        "c-1",
        "lamp",
        status="rejected",
        http_status=412,
        version=7,
        code="precondition-failed",
        detail="the item is at version 7",
    )
    answer = client.get("/commands/c-1").json
    assert answer["status"] == "rejected"
    assert answer["outcome"] == {
        "status": 412,
        "headers": {
            "Consistency-Token": f"0.{EPOCH}.1",
            "Content-Type": "application/problem+json",
        },
        "body": {
            "type": "https://write.example/problems/precondition-failed",
            "title": "The item has changed",
            "status": 412,
            "detail": "the item is at version 7",
            "code": "precondition-failed",
            "current_version": 7,
        },
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_every_refusal_keeps_its_title(ledger: Any, client: FlaskClient, refusal: Any) -> None:
    ledger.outcome(
        "c-1",
        "lamp",
        status="rejected",
        http_status=404,
        version=0,
        code=refusal.code,
        detail="because",
    )
    body = client.get("/commands/c-1").json["outcome"]["body"]
    assert body["title"] == refusal.title
    assert "current_version" not in body


def test_a_command_still_in_the_log_is_accepted(ledger: Any, client: FlaskClient, log: Any) -> None:
    log.put("c-9", n=3, partition=1)
    answer = client.get(f"/commands/c-9?token=1.{EPOCH}.3")
    assert answer.status_code == 200
    assert answer.headers["Retry-After"] == "1"
    assert answer.json == {
        "command_id": "c-9",
        "status": "accepted",
        "token": f"1.{EPOCH}.3",
        "links": {"command": f"https://read.example/commands/c-9?token=1.{EPOCH}.3"},
    }


def test_without_a_token_all_partitions_are_asked(
    ledger: Any, client: FlaskClient, log: Any
) -> None:
    log.put("c-9", partition=1)
    assert client.get("/commands/c-9").json["status"] == "accepted"
    assert client.get(f"/commands/c-9?token=0.{EPOCH}.1").status_code == 404


@pytest.mark.parametrize("command_id", ["c-9", "%00", "x" * 65])
def test_a_command_never_accepted_is_404(ledger: Any, client: FlaskClient, command_id: str) -> None:
    answer = client.get(f"/commands/{command_id}")
    assert (answer.status_code, answer.json["code"]) == (404, "command-not-found")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("token", ["", "abc", "1.2", "1.2.3.4", "-1.2.3"])
def test_a_malformed_token_is_400(ledger: Any, client: FlaskClient, token: str) -> None:
    ledger.outcome("c-1", "lamp", http_status=204)
    answer = client.get(f"/commands/c-1?token={token}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == "token"
    assert answer.json["errors"][0]["code"] == "malformed-token"


def test_final_outcomes_are_answered_while_the_log_is_down(
    ledger: Any, client: FlaskClient, log: Any
) -> None:
    ledger.outcome("c-1", "lamp", http_status=204)
    log.go_down()
    assert client.get(f"/commands/c-1?token=0.{EPOCH}.1").status_code == 200


def test_what_needs_the_log_is_503_while_it_is_down(
    ledger: Any, client: FlaskClient, log: Any
) -> None:
    log.go_down()
    for path in ("/commands/c-1", "/status"):
        answer = client.get(path)
        assert (answer.status_code, answer.json["code"]) == (503, "log-unavailable")
        assert answer.headers["Retry-After"] == "1"
        assert answer.content_type == "application/problem+json"


def test_a_command_applied_between_the_two_looks_is_found(
    ledger: Any, engine: Engine, settings: Settings
) -> None:
    class AppliesWhenAsked:
        def is_waiting(self, command_id: str, partition: Any = None) -> bool:
            ledger.outcome(command_id, "lamp", http_status=204)
            return False

    client = create_app(settings, engine, AppliesWhenAsked()).test_client()
    assert client.get("/commands/c-1").json["status"] == "applied"
