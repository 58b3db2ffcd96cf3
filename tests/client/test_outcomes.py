"""What becomes of a write, an import: waited for, and told as if it had been at once."""

from typing import Any

import httpx
import pytest

from itemledger_client import (
    UNSET,
    CommandLost,
    Conflict,
    NotYet,
    SetAside,
    Written,
)
from tests.client.driving import KINDS, Driven, Kind, Reply, created, item, problem

both = pytest.mark.parametrize("kind", KINDS)

WRITTEN = Written(False, "0.7.1", "key", False, "lamp-1", "c-1")


def command(status: str, outcome: dict[str, Any] | None = None) -> httpx.Response:
    document = {"command_id": "c-1", "item_id": "lamp-1", "status": status, "token": "0.7.1"}
    return httpx.Response(200, json=document | ({} if outcome is None else {"outcome": outcome}))


def final(status: int, body: Any) -> dict[str, Any]:
    return {"status": status, "headers": {}, "body": body}


@both
def test_a_write_that_is_not_waited_for_has_what_is_needed_to_look_later(kind: Kind) -> None:
    body = {"command_id": "c-1", "item_id": "lamp-1", "status": "accepted", "token": "0.7.1"}
    headers = {"Consistency-Token": "0.7.1", "Idempotent-Replayed": "true"}
    client = Driven(kind, [httpx.Response(202, json=body, headers=headers)])
    told = client("create", name="Lamp", price=1, key="k")
    assert told == Written(False, "0.7.1", "k", True, "lamp-1", "c-1")
    assert client.played.sent("Prefer") == [None]


@both
def test_an_outcome_is_waited_for_at_the_service_and_read_as_its_answer(kind: Kind) -> None:
    looks = iter(["accepted", "accepted", "applied"])

    def play(request: httpx.Request) -> Reply:
        if request.url.path.startswith("/commands/"):
            assert dict(request.url.params) == {"token": "0.7.1"}
            status = next(looks)
            return command(status, final(200, item()) if status == "applied" else None)
        assert request.headers["Consistency-Token"] == "0.7.1"
        assert request.headers["Prefer"] == "wait=30"
        return httpx.Response(200, json={"events": [], "next": None})

    client = Driven(kind, play)
    told = client("outcome", WRITTEN)
    assert told.final
    assert told.item.price == 4995
    assert len(client.played.asked) == 5
    assert client.pauses == []


@both
def test_what_was_refused_is_raised_and_what_is_stuck_is_not_waited_for(kind: Kind) -> None:
    refusal = {"status": 409, "code": "item-exists", "title": "There", "detail": "it is there"}
    for answer, error in (
        (command("rejected", final(409, refusal)), Conflict),
        (command("lost", final(409, refusal | {"code": "command-lost"})), CommandLost),
        (command("dead"), SetAside),
        (command("parked"), SetAside),
    ):
        with pytest.raises(error):
            Driven(kind, [answer])("outcome", WRITTEN)


@both
def test_nobody_waits_for_ever(kind: Kind) -> None:
    def play(request: httpx.Request) -> Reply:
        client.now += 4
        if request.url.path.startswith("/commands/"):
            return command("accepted")
        return problem(404, "item-not-found", {"Projection-Lag": "1.000"})

    client = Driven(kind, play)
    with pytest.raises(NotYet, match="c-1"):
        client("outcome", WRITTEN, within=20)
    assert 20 <= client.now < 30


@both
def test_what_is_final_is_not_asked_for(kind: Kind) -> None:
    client = Driven(kind, [created()])
    told = client("put", "lamp-1", name="Lamp", price=1, wait=99)
    assert client("outcome", told) == told
    assert client.played.sent("Prefer") == ["wait=30"]


@both
def test_a_patch_sends_what_is_given_and_tells_none_from_nothing(kind: Kind) -> None:
    client = Driven(kind, lambda _: httpx.Response(200, json=item()))
    client("patch", "lamp-1", description=None, reason="tidy")
    client("patch", "lamp-1", description=UNSET, price=0)
    client("patch", "lamp-1")
    assert client.played.bodies == [
        b'{"description": null, "reason": "tidy"}',
        b'{"price": 0}',
        b"{}",
    ]


@both
def test_an_import_is_looked_at_until_its_rows_are_final(kind: Kind) -> None:
    def told(status: str) -> httpx.Response:
        counts = dict.fromkeys(("rows", "applied", "unchanged", "rejected", "skipped", "other"), 0)
        more = {
            "import_id": "i",
            "status": status,
            "dry_run": False,
            "detail": None,
            "reverts": None,
        }
        return httpx.Response(200, json=counts | more)

    unheard = problem(404, "import-not-found")
    client = Driven(kind, [unheard, told("receiving"), told("running"), told("done")])
    assert client("import_ended", "i").status == "done"
    assert len(client.pauses) == 3
    with pytest.raises(NotYet, match="paused"):
        Driven(kind, lambda _: told("paused"))("import_ended", "i", within=10)
