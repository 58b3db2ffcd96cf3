from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from domain.events import ItemCreated, ItemDeleted, ItemRenamed, ItemRepriced
from domain.refusals import REFUSALS
from ledger import epochs, gaps, quarantine
from ledger.gaps import Gap
from ledger.quarantine import Quarantined
from readmodel.app import create_app
from readmodel.views.items import render
from runtime.positions import Position
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


@pytest.mark.parametrize("known", [True, False], ids=["a row of the first", "one more"])
def test_a_row_of_another_batch_under_a_key_is_found_in_its_own_place(
    ledger: Any, client: FlaskClient, known: bool
) -> None:
    ledger.add(LAMP)
    first, place = ledger.n + 1, f"0.{EPOCH}.{ledger.n + 9}"
    if known:
        ledger.outcome("b.1", "lamp")
    ledger.outcome(
        f"b.1@{place}",
        "lamp",
        n=first + 8,
        status="rejected",
        http_status=422,
        version=0,
        code="idempotency-key-reused",
        detail="why",
    )
    told: Any = client.get(f"/commands/b.1?token={place}").json
    assert (told["command_id"], told["status"], told["token"]) == ("b.1", "rejected", place)
    assert told["outcome"]["body"]["code"] == "idempotency-key-reused"
    elsewhere = client.get(f"/commands/b.1?token=0.{EPOCH}.{first}")
    assert (elsewhere.json.get("status") if known else elsewhere.status_code) == (
        "applied" if known else 404
    )
    assert client.get("/commands/b.1").status_code == (200 if known else 404)


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
        def has_lost(self, position: Any) -> bool:
            return False

        def is_waiting(self, command_id: str, partition: Any = None) -> bool:
            ledger.outcome(command_id, "lamp", http_status=204)
            return False

    client = create_app(settings, engine, AppliesWhenAsked()).test_client()
    assert client.get("/commands/c-1").json["status"] == "applied"


def set_aside(ledger: Any, command_id: str, state: quarantine.State, n: int) -> None:
    row = Quarantined(
        command_id, Position(0, EPOCH, n), "lamp", state, b"{}", "Traceback", 1_763_798_400_000
    )
    with ledger.engine.begin() as connection:
        quarantine.store(connection, [row])


@pytest.mark.parametrize("state", ["dead", "parked"])
def test_a_command_that_is_set_aside_says_so(ledger: Any, client: FlaskClient, state: Any) -> None:
    set_aside(ledger, "c-1", state, 4)
    answer = client.get(f"/commands/c-1?token=0.{EPOCH}.4")
    assert answer.status_code == 200
    assert answer.json == {
        "command_id": "c-1",
        "item_id": "lamp",
        "status": state,
        "since": "2025-11-22T08:00:00.000Z",
        "token": f"0.{EPOCH}.4",
        "links": {
            "command": f"https://read.example/commands/c-1?token=0.{EPOCH}.4",
            "item": "https://read.example/items/lamp",
        },
    }


def test_a_command_in_a_recorded_gap_is_lost(ledger: Any, client: FlaskClient) -> None:
    with ledger.engine.begin() as connection:
        gaps.record(connection, [Gap(0, EPOCH, 5, 7), Gap(0, EPOCH, 8, 9, "kept")], 1)
    answer = client.get(f"/commands/c-1?token=0.{EPOCH}.6")
    assert (answer.status_code, answer.json["status"]) == (200, "lost")
    assert answer.json["outcome"]["status"] == 409
    assert answer.json["outcome"]["body"]["code"] == "command-lost"
    assert client.get(f"/commands/c-1?token=0.{EPOCH}.8").status_code == 404


def test_a_command_beyond_what_was_taken_of_an_epoch_that_is_over_is_lost(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.n = 1
    ledger.add(LAMP)
    with ledger.engine.begin() as connection:
        epochs.leave(connection, [Position(0, EPOCH - 9, 3)])
    assert client.get(f"/commands/c-1?token=0.{EPOCH - 9}.4").json["status"] == "lost"
    assert client.get(f"/commands/c-1?token=0.{EPOCH - 9}.3").status_code == 404
    assert client.get(f"/commands/c-1?token=0.{EPOCH}.4").status_code == 404


def test_a_command_beyond_the_end_of_an_epoch_of_the_log_is_lost_before_the_ledger_is_there(
    ledger: Any, client: FlaskClient, log: Any
) -> None:
    log.put("c-9", n=3)
    log.end_epoch(EPOCH - 9, 5)
    assert client.get(f"/commands/c-1?token=0.{EPOCH - 9}.6").json["status"] == "lost"
    assert client.get(f"/commands/c-1?token=0.{EPOCH - 9}.5").status_code == 404
    assert client.get(f"/commands/c-1?token=0.{EPOCH}.4").status_code == 404


@pytest.mark.parametrize("path", ["/items", "/items/lamp", "/items/lamp/history"])
def test_a_read_with_the_token_of_a_lost_command_is_409(
    ledger: Any, client: FlaskClient, path: str
) -> None:
    ledger.add(LAMP)
    with ledger.engine.begin() as connection:
        gaps.record(connection, [Gap(0, EPOCH, 5, 7)], 1)

    def code(token: str) -> tuple[int, str | None]:
        answer = client.get(path, headers={"Consistency-Token": token})
        return answer.status_code, answer.json.get("code")

    assert code(f"0.{EPOCH}.5") == (409, "command-lost")
    assert code(f"0.{EPOCH}.4") == (200, None)
    assert code("what") == (400, "malformed-header")
