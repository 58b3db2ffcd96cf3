"""Imports under a key that was used before, those that end otherwise, and those not wanted now."""

from collections.abc import Iterator

import pytest
from redis import Redis

from eventlog import keys
from ledger import import_results, imports, tables
from runtime.settings import Settings
from tests.api.conftest import Api, Demands, Service, running_api
from tests.api.importing import (
    CSV,
    KEY,
    NDJSON,
    applying,
    lines,
    on_the_log,
    refused,
    state_of,
    taken,
    the_import,
)
from tests.api.test_items import LAMP

WAIT = {"Prefer": "wait=20"}
LAMP_LINE = b'{"id": "lamp", "name": "Lamp", "price": 1}\n'


@pytest.mark.parametrize(
    ("query", "headers", "told"),
    [
        ("?dry_run=true", NDJSON, "had another dry_run"),
        ("?on_error=stop", NDJSON, "had another on_error"),
        ("?map=id:id", NDJSON, "had another map"),
        ("?reason=x&on_error=stop", NDJSON, "had another on_error and another reason"),
        ("", CSV, "had another media type"),
    ],
)
def test_the_same_key_with_other_wishes_is_refused_with_what_differs(
    api: Api, redis: "Redis", query: str, headers: dict[str, str], told: str
) -> None:
    with applying(redis):
        taken(api.client.post("/imports", content=lines(1), headers=NDJSON | KEY))
    answer = api.client.post(f"/imports{query}", content=lines(1), headers=headers | KEY)
    assert refused(answer, 422, "idempotency-key-reused")["detail"].endswith(told)


def test_what_an_earlier_release_remembered_of_a_key_is_understood(
    api: Api, redis: "Redis"
) -> None:
    with applying(redis):
        taken(api.client.post("/imports", content=lines(1), headers=NDJSON | KEY))
        name = keys.batch(the_import(redis))
        whole = redis.get(name).split()[0]  # type: ignore[union-attr]
        redis.set(name, whole)
        taken(api.client.post("/imports", content=lines(1), headers=NDJSON | KEY))
    answer = api.client.post("/imports", content=lines(1), headers=CSV | KEY)
    told = refused(answer, 422, "idempotency-key-reused")["detail"]
    assert "one of media type, map, dry_run, on_error, reason" in told


def test_a_repeat_with_a_changed_row_tells_of_that_row_that_it_is_rejected(
    service: Service,
) -> None:
    def send(content: bytes) -> str:
        answer = service.client.post("/imports", content=content, headers=NDJSON | KEY | WAIT)
        return taken(answer, 200)["import_id"]

    import_id = send(lines(3))
    changed = lines(3).replace(b'"price": 2', b'"price": 99')
    assert send(changed) == import_id
    with service.world.engine.connect() as connection:
        (told,) = import_results.page(connection, import_id, "rejected", None, 10)
        counts = imports.total(connection, import_id)
    assert (told.row, told.item_id, told.http_status) == (2, "lamp-1", 422)
    assert told.code == "idempotency-key-reused"
    assert (counts.applied, counts.rejected) == (3, 1)
    prices = {each["item_id"]: each["price"] for each in service.world.rows(tables.heads)}
    assert prices == {"lamp-0": 1, "lamp-1": 2, "lamp-2": 3}


@pytest.mark.parametrize("shorter", [lines(1), b""])
def test_a_repeat_with_fewer_rows_leaves_as_many_as_there_were(
    service: Service, shorter: bytes
) -> None:
    for content in (lines(3), shorter):
        headers = NDJSON | KEY | WAIT
        told = taken(service.client.post("/imports", content=content, headers=headers), 200)
    # The mark that the upload ends with stands behind its rows.
    taken(service.client.post("/items", json=LAMP, headers=WAIT), 201)
    with service.world.engine.connect() as connection:
        found = imports.find(connection, told["import_id"])
    assert found is not None
    assert found.rows == 3


def test_an_import_that_is_stopped_is_final_for_whom_waits(service: Service) -> None:
    body = LAMP_LINE + b"nonsense\n" + LAMP_LINE
    answer = service.client.post("/imports?on_error=stop", content=body, headers=NDJSON | WAIT)
    assert taken(answer, 200)["status"] == "stopped"
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert "Retry-After" not in answer.headers


@pytest.fixture
def full(settings: Settings, valkey_url: str, redis: "Redis") -> Iterator[Api]:
    """The command API while more commands wait than may, and no worker."""
    with running_api(settings, valkey_url, Demands("fsync", 0, 5)) as api:
        with applying(redis):
            taken(api.client.post("/imports", content=lines(1), headers=NDJSON | KEY))
        for _ in range(6):
            taken(api.client.post("/items", json=LAMP))
        api.until_it_refuses("limit")
        yield api


def test_an_import_is_refused_at_once_as_a_command_is_while_nothing_is_accepted(
    full: Api, redis: "Redis"
) -> None:
    entries = on_the_log(redis)
    other = full.client.post("/items", json=LAMP)
    answer = full.client.post("/imports", content=lines(3), headers=NDJSON)
    # Who was not refused at once would be told `upload-failed`.
    told = refused(answer, 503, "not-accepted")
    assert told["detail"] == other.json()["detail"]
    assert answer.headers["Retry-After"] == other.headers["Retry-After"]
    assert on_the_log(redis) == entries
    # It is as if it had never been begun.
    (known,) = redis.keys(keys.import_state("*"))  # type: ignore[misc]
    assert known == keys.import_state(the_import(redis)).encode()


@pytest.mark.parametrize("content", [lines(3), b""])
def test_a_repeat_that_is_refused_is_so_at_once_and_leaves_its_import_as_it_was(
    full: Api, redis: "Redis", content: bytes
) -> None:
    answer = full.client.post("/imports", content=content, headers=NDJSON | KEY)
    refused(answer, 503, "not-accepted")
    assert state_of(redis, the_import(redis)) == "received"


def test_a_revert_is_refused_at_once_as_a_command_is_while_nothing_is_accepted(
    full: Api, redis: "Redis"
) -> None:
    other = full.client.post("/items", json=LAMP).json()
    for _ in range(2):
        answer = full.client.post(f"/imports/{the_import(redis)}/revert", headers=KEY)
        # Who was not refused at once would be told that the log is not to be reached.
        assert refused(answer, 503, "not-accepted")["detail"] == other["detail"]
        assert "Idempotent-Replayed" not in answer.headers
