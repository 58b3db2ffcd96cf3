"""What is told of imports, over tables that the worker would have written."""

import csv
import io
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import Engine

from eventlog import keys
from ledger import import_results, imports, quarantine
from ledger.imports import Counts, Import
from ledger.quarantine import Quarantined
from readmodel import import_rows
from readmodel.app import create_app
from runtime.positions import Position
from runtime.settings import Settings

AT = 1_763_798_400_000
# Whenever the tests are run.
LATELY = 2**45
ID = "0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a"
OTHER = "0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7b"


def begun(ledger: Any, counts: Counts | None = None, import_id: str = ID, **said: Any) -> None:
    """Store an import; its first row came `after` an event, its `last` event is another."""
    offsets = {name: said.pop(name, None) for name in ("after", "last")}
    members: dict[str, Any] = {
        "id": import_id,
        "partition": 0,
        "status": "received",
        "actor": "rosa",
        "dry": False,
        "stop": False,
        "reverts": None,
        "rows": 3,
        "detail": None,
        "begun_at": AT,
        "changed_at": AT + 1000,
    }
    with ledger.engine.begin() as connection:
        imports.store(connection, Import(**members | said))
        if counts is not None:
            imports.count(connection, import_id, 0, counts, **offsets)


def results(ledger: Any, import_id: str = ID, rows: int = 3) -> None:
    for row in range(2, rows + 2):
        refused = {"status": "rejected", "http_status": 422, "version": 0}
        refused |= {"code": "invalid-body", "detail": f"name: is required, in row {row}"}
        values: dict[str, Any] = refused if row % 2 else {}
        item_id = "" if row % 2 else f"lamp-{row}"
        ledger.outcome(f"{import_id}.{row:09d}", item_id, **values)


def told(client: FlaskClient, path: str = f"/imports/{ID}", **headers: str) -> Any:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json


def lines(client: FlaskClient, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/imports/{ID}/rows{query}")
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/x-ndjson"
    return [orjson.loads(line) for line in answer.text.splitlines()]


def test_an_import_is_told_with_its_counts_over_all_partitions(
    ledger: Any, client: FlaskClient
) -> None:
    begun(ledger, Counts(applied=1, rejected=1))
    with ledger.engine.begin() as connection:
        imports.count(connection, ID, 1, Counts(unchanged=1))
    assert told(client) == {
        "import_id": ID,
        "file_name": None,
        "status": "done",
        "dry_run": False,
        "on_error": "skip",
        "rows": 3,
        "applied": 1,
        "unchanged": 1,
        "rejected": 1,
        "skipped": 0,
        "other": 0,
        "actor": "rosa",
        "reverts": None,
        "reverted_by": None,
        "detail": None,
        "begun_at": "2025-11-22T08:00:00.000Z",
        "changed_at": "2025-11-22T08:00:01.000Z",
        "links": {
            "import": f"https://read.example/imports/{ID}",
            "rows": f"https://read.example/imports/{ID}/rows",
            "revert": f"https://write.example/imports/{ID}/revert",
        },
    }


@pytest.mark.parametrize(
    ("said", "counts", "status"),
    [
        ({}, Counts(applied=2), "running"),
        ({"rows": 0}, None, "done"),
        ({"rows": None, "reverts": OTHER}, Counts(applied=9), "running"),
        ({"status": "cancelled"}, Counts(stopped=1), "cancelled"),
        ({"status": "failed", "detail": "so it is"}, None, "failed"),
        ({"status": "receiving", "rows": None}, Counts(rejected=1, stopped=1), "stopped"),
        ({"status": "receiving", "rows": None, "changed_at": LATELY}, None, "receiving"),
        ({"status": "paused", "rows": None, "changed_at": LATELY}, None, "paused"),
        ({"status": "receiving", "rows": None}, None, "failed"),
        ({}, Counts(applied=1, skipped=1, other=1), "done"),
    ],
)
def test_the_status_follows_from_what_was_said_and_counted(
    ledger: Any, client: FlaskClient, said: dict[str, Any], counts: Counts | None, status: str
) -> None:
    begun(ledger, counts, **said)
    assert told(client)["status"] == status


def test_what_is_still_fed_says_how_many_rows_were_read(
    ledger: Any, settings: Settings, engine: Engine, log: Any, log_redis: "Redis"
) -> None:
    begun(ledger, status="receiving", rows=None)
    fields = {"state": "receiving", "feeder": "f", "beat": AT, "rows": 4711}
    log_redis.hset(keys.import_state(ID), mapping=fields)
    soon, late = (
        create_app(settings, engine, log.inspector, lambda now=now: now).test_client()
        for now in (AT + 2000, AT + 60_000)
    )
    assert (told(soon)["rows"], told(soon)["status"]) == (4711, "receiving")
    assert told(late)["status"] == "failed"
    assert "it had no Idempotency-Key" in told(late)["detail"]


def test_an_upload_that_is_gone_can_be_resumed_where_it_has_a_key(
    ledger: Any, client: FlaskClient, log_redis: "Redis"
) -> None:
    keyed = f"{ID[:14]}8{ID[15:]}"
    begun(ledger, import_id=keyed, status="receiving", rows=None)
    log_redis.hset(
        keys.import_state(keyed), mapping={"state": "receiving", "feeder": "f", "beat": 1}
    )
    found = told(client, f"/imports/{keyed}")
    assert found["status"] == "failed"
    assert "under the same Idempotency-Key" in found["detail"]


def test_a_revert_that_no_worker_has_seen_yet_is_running(
    client: FlaskClient, log_redis: "Redis"
) -> None:
    fields = {"state": "received", "feeder": "", "beat": 0, "rows": 0}
    log_redis.hset(keys.import_state(ID), mapping=fields)
    found = told(client)
    assert (found["status"], found["detail"], found["rows"]) == ("running", None, None)


@pytest.mark.parametrize(
    ("said", "counts", "is_told"),
    [
        ({}, None, True),
        ({"begun_at": LATELY}, None, False),
        ({"reverts": None}, None, False),
        ({"rows": 0}, None, False),
        ({}, Counts(rejected=1), False),
    ],
)
def test_a_revert_of_which_nothing_comes_says_what_may_be_done(
    ledger: Any, client: FlaskClient, said: dict[str, Any], counts: Counts | None, is_told: bool
) -> None:
    begun(ledger, counts, **{"reverts": OTHER, "rows": None, **said})
    detail = told(client)["detail"]
    assert (detail is not None) == is_told
    if is_told:
        assert f"revert import {OTHER} again" in detail


@pytest.mark.parametrize(
    ("said", "rows"),
    [
        ({"status": "receiving", "rows": None}, 16),
        ({"status": "cancelled", "rows": 12}, 16),
        ({"status": "cancelled", "rows": 20}, 20),
        ({"status": "cancelled", "rows": None}, None),
        ({"status": "received", "rows": 17}, 17),
    ],
)
def test_there_are_as_many_rows_as_have_a_result_at_least(
    ledger: Any, client: FlaskClient, log_redis: "Redis", said: dict[str, Any], rows: int | None
) -> None:
    begun(ledger, Counts(applied=15, rejected=1), **said)
    fields = {"state": "receiving", "feeder": "f", "beat": 2**45, "rows": 0}
    log_redis.hset(keys.import_state(ID), mapping=fields)
    assert told(client)["rows"] == rows


def test_an_import_that_no_worker_has_seen_yet_is_known_by_its_feeder(
    client: FlaskClient, log_redis: "Redis"
) -> None:
    fields = {"state": "receiving", "feeder": "f", "beat": 2**45, "rows": 0}
    log_redis.hset(keys.import_state(ID), mapping=fields)
    assert told(client)["status"] == "receiving"


def test_an_import_is_told_while_the_log_is_away(
    ledger: Any, client: FlaskClient, log: Any
) -> None:
    begun(ledger, status="receiving", rows=None, changed_at=LATELY)
    log.go_down()
    assert told(client)["status"] == "receiving"


def test_an_import_that_nobody_began_is_not_found(client: FlaskClient) -> None:
    for path in (f"/imports/{ID}", f"/imports/{ID}/rows"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.json is not None
        assert answer.json["code"] == "import-not-found"


def test_imports_are_listed_newest_first_page_by_page(ledger: Any, client: FlaskClient) -> None:
    names = [f"{ID[:-1]}{n}" for n in range(5)]
    for n, name in enumerate(names):
        begun(ledger, Counts(applied=n), name, begun_at=AT + n // 2, rows=n)
    found: list[Any] = []
    path = "/imports?limit=2"
    while path:
        answer = client.get(path)
        assert answer.json is not None
        found += answer.json["imports"]
        following = answer.json["next"]
        assert ("Link" in answer.headers) == bool(following)
        path = f"/imports?limit=2&cursor={following}" if following else ""
    assert [each["import_id"] for each in found] == names[::-1]
    assert [each["applied"] for each in found] == [4, 3, 2, 1, 0]


def test_an_import_is_told_with_what_its_file_is_called(ledger: Any, client: FlaskClient) -> None:
    begun(ledger, file="prices ä.csv")
    assert told(client)["file_name"] == "prices ä.csv"
    assert told(client, "/imports")["imports"][0]["file_name"] == "prices ä.csv"


def test_an_import_names_the_first_that_took_most_back_and_offers_no_second(
    ledger: Any, client: FlaskClient
) -> None:
    begun(ledger, Counts(applied=3))
    begun(ledger, None, f"{OTHER[:-1]}1", reverts=ID, begun_at=AT + 1, rows=None)
    begun(ledger, None, f"{OTHER[:-1]}2", reverts=ID, begun_at=AT + 2, status="failed")
    begun(ledger, Counts(rejected=3), f"{OTHER[:-1]}3", reverts=ID, begun_at=AT + 1)
    begun(ledger, Counts(applied=1, rejected=2), f"{OTHER[:-1]}4", reverts=ID, begun_at=AT + 1)
    begun(ledger, Counts(applied=3), f"{OTHER[:-1]}5", reverts=ID, begun_at=AT + 4)
    begun(ledger, Counts(applied=3), OTHER, reverts=ID, begun_at=AT + 3)
    listed = told(client, "/imports")["imports"]
    found = {each["import_id"]: each["reverted_by"] for each in listed}
    assert found == {each["import_id"]: None for each in listed} | {ID: OTHER}
    assert told(client)["reverted_by"] == OTHER
    assert "revert" not in told(client)["links"]
    assert "revert" in told(client, f"/imports/{OTHER}")["links"]


def test_an_import_that_brought_in_more_after_its_revert_offers_another(
    ledger: Any, client: FlaskClient
) -> None:
    begun(ledger, Counts(applied=3), after=0, last=4)
    begun(ledger, Counts(applied=3), OTHER, reverts=ID, after=3, last=9)
    found = told(client)
    assert (found["reverted_by"], "revert" in found["links"]) == (OTHER, True)


def test_a_revert_that_took_nothing_back_is_none_and_one_that_was_taken_back(
    ledger: Any, client: FlaskClient
) -> None:
    begun(ledger, Counts(applied=3))
    begun(ledger, Counts(rejected=3), OTHER, reverts=ID)
    for reverts, counts in (("", None), (OTHER, Counts(applied=3))):
        if reverts:
            begun(ledger, counts, OTHER, reverts=ID)
            begun(ledger, counts, f"{OTHER[:-1]}1", reverts=OTHER)
        found = told(client)
        assert (found["reverted_by"], "revert" in found["links"]) == (None, True)


def test_reverts_that_lead_back_to_where_they_began_are_followed_once(
    ledger: Any, client: FlaskClient
) -> None:
    begun(ledger, Counts(applied=3), reverts=OTHER)
    begun(ledger, Counts(applied=3), OTHER, reverts=ID)
    assert {each["reverts"] for each in told(client, "/imports")["imports"]} == {ID, OTHER}
    assert told(client)["reverts"] == OTHER


def test_a_revert_of_which_only_the_beginning_came_hides_nothing(
    ledger: Any, client: FlaskClient
) -> None:
    begun(ledger, Counts(applied=3))
    begun(ledger, None, OTHER, reverts=ID, rows=None)
    assert told(client)["reverted_by"] is None
    assert "revert" in told(client)["links"]


def test_results_of_rows_are_told_in_their_order_with_why(ledger: Any, client: FlaskClient) -> None:
    begun(ledger)
    results(ledger)
    results(ledger, OTHER)
    assert lines(client) == [
        {"row": 2, "status": "applied", "item_id": "lamp-2", "version": 1},
        {
            "row": 3,
            "status": "rejected",
            "item_id": None,
            "problem": {
                "status": 422,
                "code": "invalid-body",
                "detail": "name: is required, in row 3",
            },
        },
        {"row": 4, "status": "applied", "item_id": "lamp-4", "version": 1},
    ]
    assert [each["row"] for each in lines(client, "?status=rejected")] == [3]


def test_rows_that_are_set_aside_stand_among_the_others(ledger: Any, client: FlaskClient) -> None:
    begun(ledger)
    results(ledger)
    with ledger.engine.begin() as connection:
        place = Position(0, 1, 1)
        error = "Traceback:\n  of a defect\nValueError: so it is\n"
        aside = Quarantined(f"{ID}.{1:09d}", place, "lamp-1", "dead", b"{}", error, AT)
        quarantine.store(connection, [aside])
    first = lines(client)[0]
    assert first == {
        "row": 1,
        "status": "dead",
        "item_id": "lamp-1",
        "problem": {"status": 500, "code": "dead", "detail": "ValueError: so it is"},
    }
    assert lines(client, "?status=dead") == [first]


def test_results_are_read_a_few_at_a_time_and_none_is_left_out(
    ledger: Any, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_rows, "_AT_ONCE", 3)
    begun(ledger)
    results(ledger, rows=10)
    # It came a second time, with other content.
    ledger.outcome(f"{ID}.{4:09d}@0.1.1", "lamp-4", status="rejected", code="x", detail="y")
    rows = [each["row"] for each in lines(client)]
    assert rows == [2, 3, 4, 4, *range(5, 12)]


def test_results_come_as_csv(ledger: Any, client: FlaskClient) -> None:
    begun(ledger)
    results(ledger, rows=2)
    answer = client.get(f"/imports/{ID}/rows", headers={"Accept": "text/csv"})
    assert answer.mimetype == "text/csv"
    assert list(csv.DictReader(io.StringIO(answer.text)))[1] == {
        "row": "3",
        "status": "rejected",
        "item_id": "",
        "version": "",
        "http_status": "422",
        "code": "invalid-body",
        "detail": "name: is required, in row 3",
    }


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
def test_results_come_page_by_page(ledger: Any, client: FlaskClient, accept: str) -> None:
    begun(ledger)
    results(ledger, rows=5)
    rows: list[int] = []
    path = f"/imports/{ID}/rows?limit=2"
    pages = 0
    while path:
        answer = client.get(path, headers={"Accept": accept})
        assert answer.mimetype == accept
        part = orjson.loads(answer.text)["rows"] if accept.endswith("/json") else None
        part = part or [orjson.loads(line) for line in answer.text.splitlines()]
        rows += [each["row"] for each in part]
        pages += 1
        link = answer.headers.get("Link", "")
        path = link.removeprefix("<https://read.example").partition(">")[0]
    assert (rows, pages) == ([2, 3, 4, 5, 6], 3)


def test_a_parameter_that_means_nothing_is_refused(ledger: Any, client: FlaskClient) -> None:
    begun(ledger)
    for query in ("status=fine", "after=3", "limit=0", "cursor=x"):
        assert client.get(f"/imports/{ID}/rows?{query}").status_code == 400


@pytest.mark.parametrize("import_id", ["nobody", "%00", "%FF", "%ED%A0%80", "x" * 5000])
@pytest.mark.parametrize("path", ["/imports/{}", "/imports/{}/rows"])
def test_an_id_that_no_import_has_is_not_found(
    path: str, import_id: str, client: FlaskClient
) -> None:
    answer = client.get(path.format(import_id))
    assert (answer.status_code, answer.json["code"]) == (404, "import-not-found")


def test_a_row_is_found_by_the_number_in_its_id(ledger: Any) -> None:
    results(ledger, rows=1)
    with ledger.engine.connect() as connection:
        (found,) = import_results.page(connection, ID, None, None, 10)
    assert (found.row, found.key) == (2, f"{ID}.000000002")
