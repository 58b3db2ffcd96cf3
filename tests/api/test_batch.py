"""Many commands in one request."""

import json
from collections.abc import Generator, Sequence
from typing import Any

import pytest
from redis import Redis

from eventlog import keys
from eventlog.append import Appended, NotAppended, Submission, Unknown, Verdict
from eventlog.partition import partition_of
from ledger import tables
from runtime.positions import Position
from runtime.settings import Settings
from runtime.times import rfc3339
from tests.api.conftest import Api, Service, running_api
from tests.api.test_items import LAMP, WAIT, problem

KEY = {"Idempotency-Key": "batch-1"}


def put(item_id: str, **members: Any) -> dict[str, Any]:
    return {"op": "put", "id": item_id, **LAMP, **members}


def results(
    service: Service, *commands: Any, status: int = 200, headers: dict[str, str] = WAIT
) -> list[dict[str, Any]]:
    answer = service.client.post("/items/batch", json={"commands": commands}, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()["results"]


def test_rows_are_answered_in_their_order_with_their_final_status(service: Service) -> None:
    told = results(
        service,
        put("a"),
        {"op": "patch", "id": "a", "price": 1},
        {"op": "patch", "id": "a", "price": 1},
        {"op": "create", **LAMP},
        {"op": "delete", "id": "nobody"},
        {"op": "delete", "id": "a"},
    )

    assert [each["row"] for each in told] == list(range(6))
    assert [each["status"] for each in told] == [
        "applied",
        "applied",
        "unchanged",
        "applied",
        "rejected",
        "applied",
    ]
    assert told[4]["problem"]["code"] == "item-not-found"
    assert told[0]["item_id"] == "a"
    assert len({each["command_id"] for each in told}) == 6


def test_a_batch_is_accepted_without_waiting(service: Service) -> None:
    with service.resting_worker():
        told = results(service, put("a"), put("b"), status=202, headers={})

    assert [each["status"] for each in told] == ["accepted", "accepted"]


def test_a_bad_row_does_not_stop_the_others_and_is_told_where(service: Service) -> None:
    told = results(
        service,
        put("a"),
        put("BANK CHARGES"),
        {"op": "explode", "id": "a"},
        {"id": "a"},
        put("b", price=1.5),
        put("b", colour="red"),
        "no row",
        put("b"),
    )

    assert [each["status"] for each in told] == ["applied", *["rejected"] * 6, "applied"]
    pointers = [each["problem"]["errors"][0]["pointer"] for each in told[1:7]]
    assert pointers == [
        "/commands/1/id",
        "/commands/2",
        "/commands/3",
        "/commands/4/price",
        "/commands/5/colour",
        "/commands/6",
    ]
    assert told[1]["item_id"] == "BANK CHARGES"
    assert told[1]["command_id"] is None


def test_rows_keep_their_order_within_an_item(service: Service) -> None:
    prices = list(range(1, 600))
    results(service, put("a"), *({"op": "patch", "id": "a", "price": p} for p in prices))
    rows = service.world.rows(tables.events, "offset")

    assert [json.loads(row["data"])["price"] for row in rows][1:] == prices


def test_rows_say_when_they_took_effect_and_never_before_the_items_last(service: Service) -> None:
    told = results(
        service,
        put("a", effective_at="2010-12-01T08:26:00Z"),
        {"op": "patch", "id": "a", "price": 1, "effective_at": "2010-12-01T09:26:00+01:00"},
        {"op": "patch", "id": "a", "price": 2, "effective_at": "2010-12-01T08:25:59.999Z"},
        {"op": "patch", "id": "a", "price": 3, "effective_at": "2999-01-01T00:00:00Z"},
        {"op": "patch", "id": "a", "price": 4, "effective_at": "yesterday"},
    )

    assert [each["status"] for each in told] == ["applied", "applied", *["rejected"] * 3]
    assert told[2]["problem"]["code"] == "effective-at-too-early"
    assert told[2]["problem"]["status"] == 409
    assert (told[3]["problem"]["code"], told[3]["problem"]["status"]) == (
        "effective-at-in-future",
        422,
    )
    assert told[4]["problem"]["errors"][0]["pointer"] == "/commands/4/effective_at"
    rows = service.world.rows(tables.events, "offset")
    assert {row["effective_at"] for row in rows} == {1291191960000}


def test_a_row_can_expect_a_version(service: Service) -> None:
    told = results(
        service,
        put("a"),
        {"op": "patch", "id": "a", "price": 1, "if_version": 1},
        {"op": "patch", "id": "a", "price": 2, "if_version": 1},
    )

    assert [each["status"] for each in told] == ["applied", "applied", "rejected"]
    assert told[2]["problem"]["current_version"] == 2


@pytest.mark.parametrize("version", [0, -1, 2**53, 2**64, 2**70, "1", 1.0, True])
def test_a_version_that_no_item_can_have_is_the_rows_own_problem(
    service: Service, version: Any
) -> None:
    told = results(service, {"op": "delete", "id": "a", "if_version": version}, put("b"))

    assert told[0]["problem"]["errors"][0]["pointer"] == "/commands/0/if_version"
    assert told[1]["status"] == "applied"


def test_a_batch_may_say_that_it_is_not_atomic(service: Service) -> None:
    body = {"atomic": False, "commands": [put("a")]}
    answer = service.client.post("/items/batch", json=body, headers=WAIT)

    assert answer.status_code == 200


def test_creating_an_id_that_exists_is_a_conflict(service: Service) -> None:
    told = results(service, put("a"), {"op": "create", "id": "a", **LAMP})

    assert told[1]["problem"]["status"] == 409
    assert told[1]["problem"]["code"] == "item-exists"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"commands": []}, "/commands"),
        ({"commands": [{}] * 1001}, "/commands"),
        ({}, "/commands"),
        ({"commands": {}}, "/commands"),
        ({"commands": [{}], "atomic": "yes"}, "/atomic"),
        ({"commands": [{}], "reason": 1}, "/reason"),
    ],
)
def test_a_batch_of_the_wrong_shape_is_refused_whole(
    service: Service, body: Any, pointer: str
) -> None:
    answer = service.client.post("/items/batch", json=body)

    assert problem(answer, 422, "invalid-body")["errors"][0]["pointer"] == pointer


def test_a_repeated_batch_changes_nothing_twice(service: Service) -> None:
    rows = [put("a"), {"op": "create", **LAMP}, {"op": "patch", "id": "a", "price": 1}]
    first = service.client.post("/items/batch", json={"commands": rows}, headers={**WAIT, **KEY})
    again = service.client.post("/items/batch", json={"commands": rows}, headers={**WAIT, **KEY})

    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(service.world.rows(tables.events, "offset")) == 3


def test_a_batch_that_was_refused_may_be_mended_under_its_key(service: Service) -> None:
    for atomic, key in ((True, "one"), (False, "other")):
        headers = {**WAIT, "Idempotency-Key": key}
        bad = {"atomic": atomic, "commands": [put(key, price=1.5)]}
        good = {"atomic": atomic, "commands": [put(key, price=150)]}
        service.client.post("/items/batch", json=bad, headers=headers)
        answer = service.client.post("/items/batch", json=good, headers=headers)

        assert [each["status"] for each in answer.json()["results"]] == ["applied"]


def test_every_row_that_is_accepted_has_a_token_to_read_it_by(service: Service) -> None:
    told = results(service, put("a"), put("b"), put("c", price="?"))

    assert [each["token"].split(".")[-1] for each in told[:2]] == ["1", "2"]
    assert "token" not in told[2]


@pytest.mark.parametrize("bad", [put("a", price="?"), {"op": "delete", "id": "nobody"}])
def test_rows_that_were_rejected_are_told_whatever_is_preferred(
    service: Service, bad: dict[str, Any]
) -> None:
    headers = {"Prefer": "wait=10, return=minimal"}
    told = results(service, put("a"), bad, headers=headers)

    assert [each["status"] for each in told] == ["applied", "rejected"]


def test_another_batch_under_the_same_key_is_refused_before_anything_is_taken(
    service: Service,
) -> None:
    service.client.post("/items/batch", json={"commands": [put("a")]}, headers={**WAIT, **KEY})
    other = service.client.post(
        "/items/batch", json={"commands": [put("a"), put("b")]}, headers={**WAIT, **KEY}
    )

    problem(other, 422, "idempotency-key-reused")
    assert len(service.world.rows(tables.events, "offset")) == 1


def test_numbers_of_any_size_are_told_apart_from_prices(service: Service) -> None:
    body = '{"commands":[{"op":"put","id":"a","name":"x","price":1e999},'
    body += '{"op":"put","id":"a","name":"x","price":' + "9" * 60 + "}]}"
    answer = service.client.post(
        "/items/batch",
        content=body,
        headers={**WAIT, **KEY, "Content-Type": "application/json"},
    )

    assert [each["status"] for each in answer.json()["results"]] == ["rejected", "rejected"]


def test_a_batch_may_be_larger_than_a_single_command(service: Service) -> None:
    rows = [put(f"i{n}", description="x" * 9000) for n in range(200)]

    assert {each["status"] for each in results(service, *rows)} == {"applied"}


class Unreachable:
    """A log of two partitions that gives the verdicts it is told to."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = verdicts

    async def append(self, partition: int, submissions: Sequence[Submission]) -> list[Verdict]:
        assert len(submissions) == 1
        return [self.verdicts[partition]]


# Of items in the first and in the second of two partitions.
FIRST, SECOND = (
    next(each for each in "abcdefgh" if partition_of(each, 2) == number) for number in (0, 1)
)
AT = Appended(Position(0, 1, 7), known=False, fingerprint="")


@pytest.fixture
def two(settings: Settings, valkey_url: str) -> Generator[Api]:
    with running_api(settings, valkey_url, partitions=2) as api:
        yield api


def tell(monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> None:
    log = Unreachable(*verdicts)
    monkeypatch.setattr("eventlog.batcher.Batcher.append", lambda _, *given: log.append(*given))


@pytest.mark.parametrize("prefer", ["", "wait=5", "return=minimal", "wait=5, return=minimal"])
def test_a_batch_of_which_nothing_is_known_is_a_504(
    two: Api, monkeypatch: pytest.MonkeyPatch, prefer: str
) -> None:
    tell(monkeypatch, Unknown("no answer"), NotAppended("it is full"))
    answer = two.client.post(
        "/items/batch",
        json={"commands": [put(FIRST), put(SECOND)]},
        headers={"Prefer": prefer} if prefer else {},
    )

    problem(answer, 504, "outcome-unknown")


@pytest.mark.parametrize("prefer", ["", "wait=1, return=minimal"])
def test_a_batch_of_which_some_is_unknown_is_not_called_final(
    two: Api, monkeypatch: pytest.MonkeyPatch, prefer: str
) -> None:
    tell(monkeypatch, AT, Unknown("no"))
    rows = [put(FIRST), put(SECOND), put(FIRST)]
    answer = two.client.post(
        "/items/batch", json={"commands": rows}, headers={"Prefer": prefer} if prefer else {}
    )

    assert answer.status_code == 202
    told = answer.json()["results"]
    assert [each["status"] for each in told] == ["accepted", "unknown", "accepted"]
    assert [each.get("token") for each in told] == ["0.1.6", None, "0.1.7"]


def test_every_row_is_told_where_it_stands(two: Api, redis: "Redis") -> None:
    rows = [put(FIRST), put(SECOND), put("-bad"), put(FIRST), put(FIRST)]
    told = two.client.post("/items/batch", json={"commands": rows}).json()["results"]

    tokens = [each.get("token", "bad").split(".") for each in told]
    assert [(each[0], each[-1]) for each in tokens] == [
        *[("0", "1"), ("1", "1"), ("bad", "bad"), ("0", "2"), ("0", "3")]
    ]
    assert redis.xlen(keys.log(0)) == redis.xlen(keys.log(1)) == 1
    number = [each["command_id"] and each["command_id"].rpartition(".")[2] for each in told]
    assert number == ["000000000", "000000001", None, "000000003", "000000004"]


def test_a_row_that_was_rejected_for_its_time_stays_rejected_when_repeated(
    service: Service,
) -> None:
    soon = rfc3339(service.clock() + 60_000)
    row = put("a", effective_at=soon)
    first = results(service, row, headers={**WAIT, **KEY})
    service.clock.ms += 60_001
    assert results(service, put("b", effective_at=soon))[0]["status"] == "applied"
    again = results(service, row, headers={**WAIT, **KEY})

    assert first == again
    assert again[0]["status"] == "rejected"
