"""What is repeated, under which key, for how long, and what is said when that was not enough."""

import io
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itemledger_client import (
    Conflict,
    Gone,
    ImportRunning,
    Invalid,
    OutcomeUnknown,
    Overloaded,
    Problem,
    TooManyRequests,
    Unauthenticated,
    Unreachable,
)
from tests.client.driving import KINDS, Driven, Kind, created, item, problem

NEVER_SENT = httpx.ConnectError("refused")
NOT_ANSWERED = httpx.ReadError("cut")
BUSY = problem(503, "not-accepted", {"Retry-After": "1"})

both = pytest.mark.parametrize("kind", KINDS)


def put(client: Driven, **options: Any) -> Any:
    return client("put", "lamp-1", name="Lamp", price=4995, **options)


@both
def test_a_write_is_repeated_under_one_key_until_it_is_answered(kind: Kind) -> None:
    unknown = problem(504, "outcome-unknown", command_id="c")
    often = problem(429, "rate-limited", {"Retry-After": "2"})
    client = Driven(kind, [NEVER_SENT, NOT_ANSWERED, BUSY, unknown, often, created()])
    assert put(client).item.price == 4995
    assert len(client.played.asked) == 6
    (key,) = set(client.played.sent("Idempotency-Key"))
    assert key
    assert len(set(client.played.bodies)) == 1


@both
def test_two_writes_have_two_keys_and_an_own_key_is_kept(kind: Kind) -> None:
    client = Driven(kind, lambda _: created())
    first, second, third = put(client), put(client), put(client, key="mine")
    assert len({first.key, second.key}) == 2
    assert third.key == "mine"
    assert client.played.sent("Idempotency-Key") == [first.key, second.key, "mine"]


@both
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 412, 413, 422, 428, 500])
def test_a_refusal_is_final(kind: Kind, status: int) -> None:
    client = Driven(kind, [problem(status, "no")])
    with pytest.raises(Problem) as caught:
        put(client)
    assert caught.value.status == status
    assert caught.value.key == client.played.sent("Idempotency-Key")[0]
    assert client.pauses == []


@both
def test_who_is_told_when_to_come_again_does_not_come_before(kind: Kind) -> None:
    client = Driven(kind, [BUSY, BUSY, created()])
    put(client)
    assert client.pauses == [1 + 0.05, 1 + 0.1]


@both
def test_nobody_waits_for_a_time_that_patience_does_not_reach(kind: Kind) -> None:
    client = Driven(kind, [problem(503, "not-accepted", {"Retry-After": "30"})], patience=20)
    with pytest.raises(Overloaded) as caught:
        put(client)
    assert client.pauses == []
    assert caught.value.retry_after == 30


@both
def test_what_is_not_accepted_for_too_long_is_told_as_it_is(kind: Kind) -> None:
    client = Driven(kind, lambda _: BUSY, patience=5)
    with pytest.raises(Overloaded):
        put(client)
    assert client.now <= 5


@both
def test_a_write_that_was_not_answered_once_is_unknown_also_where_it_is_refused_later(
    kind: Kind,
) -> None:
    # "Certainly not accepted" is about the last try; the first one may have been.
    client = Driven(kind, lambda _: NOT_ANSWERED if len(client.played.asked) == 1 else BUSY)
    with pytest.raises(OutcomeUnknown) as caught:
        put(client)
    assert caught.value.key == client.played.sent("Idempotency-Key")[0]
    assert "not-accepted" in caught.value.detail


@both
def test_who_is_not_let_in_again_does_not_know_of_the_try_before(kind: Kind) -> None:
    expired = problem(401, "unauthenticated")
    with pytest.raises(OutcomeUnknown, match="unauthenticated"):
        put(Driven(kind, [NOT_ANSWERED, expired]))
    with pytest.raises(Unauthenticated):
        put(Driven(kind, [NEVER_SENT, expired]))
    with pytest.raises(Unauthenticated):
        Driven(kind, [NOT_ANSWERED, expired])("item", "lamp-1")


@both
def test_a_write_that_is_never_answered_is_unknown(kind: Kind) -> None:
    client = Driven(kind, lambda _: NOT_ANSWERED)
    with pytest.raises(OutcomeUnknown, match="cut"):
        put(client)


@both
def test_what_the_service_does_not_know_is_told_with_the_id_of_the_command(kind: Kind) -> None:
    client = Driven(kind, lambda _: problem(504, "outcome-unknown", command_id="c-1"))
    with pytest.raises(OutcomeUnknown) as caught:
        put(client)
    assert caught.value.command_id == "c-1"


@both
def test_a_write_that_got_nowhere_is_certainly_not_accepted(kind: Kind) -> None:
    client = Driven(kind, lambda _: NEVER_SENT)
    with pytest.raises(Unreachable, match=r"http://.*/items/.*: .*refused"):
        put(client)


@both
def test_a_read_is_repeated_and_what_it_does_not_get_is_not_unknown(kind: Kind) -> None:
    client = Driven(kind, [NOT_ANSWERED, BUSY, httpx.Response(200, json=item())])
    assert client("item", "lamp-1").name == "Lamp"
    client = Driven(kind, lambda _: NOT_ANSWERED, patience=1)
    with pytest.raises(Unreachable):
        client("item", "lamp-1")


@both
def test_a_token_is_asked_for_before_every_try(kind: Kind) -> None:
    tokens = iter(["old", "new"])
    client = Driven(kind, [BUSY, created()], token=lambda: next(tokens))
    put(client)
    assert client.played.sent("Authorization") == ["Bearer old", "Bearer new"]


@both
def test_rows_that_nobody_knows_of_are_sent_again_with_the_whole_batch(kind: Kind) -> None:
    def rows(*statuses: int | None) -> httpx.Response:
        results: list[Any] = []
        for number, status in enumerate(statuses):
            row = {"row": number, "status": "accepted", "item_id": "a", "command_id": "c"}
            refused = {"status": "unknown", "problem": {"status": status, "code": "x"}}
            results.append(row | ({"token": f"0.1.{number}"} if status is None else refused))
        return httpx.Response(202, json={"results": results})

    client = Driven(kind, [rows(None, 504), rows(503, None), rows(None, 404)])
    batch = client("batch", [{"op": "create", "name": "A", "price": 1}] * 2)
    assert len(set(client.played.sent("Idempotency-Key"))) == 1
    assert len(client.played.asked) == 3
    assert [each.problem and each.problem.status for each in batch.rows] == [None, 404]
    assert client.catalogue.tokens == ("0.1.0",)


@both
def test_rows_that_stay_refused_are_told_when_patience_is_over(kind: Kind) -> None:
    row = {"row": 0, "status": "rejected", "item_id": "a", "command_id": "c"}
    row |= {"problem": {"status": 503, "code": "not-accepted"}}
    client = Driven(kind, lambda _: httpx.Response(202, json={"results": [row]}))
    (told,) = client("batch", [{"op": "delete", "id": "a"}]).refused
    assert isinstance(told.problem, Overloaded)


TAKEN = httpx.Response(202, json={"import_id": "i", "status": "running", "rows": 2, "links": {}})


@both
def test_a_file_is_sent_again_from_where_it_stood(kind: Kind) -> None:
    file = io.BytesIO(b"header\nrow 1\nrow 2\n")
    file.readline()
    client = Driven(kind, [NOT_ANSWERED, BUSY, TAKEN])
    assert client("send_import", file, dry_run=True).rows == 2
    assert client.played.bodies == [b"row 1\nrow 2\n"] * 3
    assert len(set(client.played.sent("Idempotency-Key"))) == 1


@both
def test_a_file_is_called_as_is_said_or_as_it_is_itself(kind: Kind) -> None:
    class Opened(io.BytesIO):
        def __init__(self, name: object) -> None:
            super().__init__(b"{}")
            self.name = name

    client = Driven(kind, [TAKEN] * 6)
    # A pipe has a number for a name.
    for file in (Opened("/srv/prices ä.csv"), Opened("\u200b"), Opened(3), b"{}"):
        client("send_import", file)
    client("send_import", Opened("a.csv"), file_name="b.csv")
    client("send_import", b"{}", file_name="c.csv")
    named = [each and each.partition("''")[2] for each in client.played.sent("Content-Disposition")]
    assert named == ["prices%20%C3%A4.csv", None, None, None, "b.csv", "c.csv"]


@both
def test_an_upload_that_gets_further_is_not_given_up(kind: Kind) -> None:
    # Each try brings more of it, and takes longer than patience.
    class Growing(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            return b"x" * 10 if self.reads % 10 else b""

    tries = 0

    def play(request: httpx.Request) -> Any:
        nonlocal tries
        tries += 1
        client.now += 20
        file.reads = max(0, 5 - tries)
        return TAKEN if tries == 5 else NOT_ANSWERED

    file = Growing()
    client = Driven(kind, play, patience=10)
    file.reads = 5
    assert client("send_import", file).import_id == "i"
    client, tries = Driven(kind, lambda _: NOT_ANSWERED, patience=10), 0
    with pytest.raises(OutcomeUnknown):
        client("send_import", io.BytesIO(b"the same"))


@both
def test_an_import_that_runs_is_waited_for_only_where_it_may_be_our_own(kind: Kind) -> None:
    running = problem(409, "import-running", {"Retry-After": "5"})
    client = Driven(kind, [NOT_ANSWERED, running, TAKEN])
    assert client("send_import", b"{}").import_id == "i"
    with pytest.raises(ImportRunning):
        Driven(kind, [running])("send_import", b"{}")


def test_a_file_that_can_not_be_read_again_is_refused_before_it_is_sent() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    client = Driven("blocking", [])
    with pytest.raises(ValueError, match="read again"):
        client("send_import", Pipe(b"{}"))


REPLIES = st.sampled_from(
    ["never sent", "not answered", "unknown", "busy", "often", "gone", "done"]
)


@given(
    script=st.lists(REPLIES, max_size=40),
    dice=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    after=st.integers(0, 8),
    patience=st.floats(0, 60),
)
def test_whatever_happens_a_write_keeps_to_its_key_its_patience_and_the_truth(
    script: list[str], dice: list[float], after: int, patience: float
) -> None:
    wait = {"Retry-After": str(after)}
    replies: dict[str, Any] = {
        "never sent": NEVER_SENT,
        "not answered": NOT_ANSWERED,
        "unknown": problem(504, "outcome-unknown"),
        "busy": problem(503, "not-accepted", wait),
        "often": problem(429, "rate-limited", wait),
        "gone": problem(410, "item-deleted"),
        "done": created(),
    }
    thrown = iter(dice * 100)
    told = iter([*script, *["done"] * 2])
    seen: list[str] = []

    def play(_: httpx.Request) -> Any:
        seen.append(next(told))
        return replies[seen[-1]]

    client = Driven("blocking", play, dice=lambda: next(thrown), patience=patience)
    ended: Any
    try:
        ended = put(client)
    except (Problem, Unreachable) as error:
        ended = error
    assert len(set(client.played.sent("Idempotency-Key"))) == 1
    assert client.now <= patience
    for number, (pause, reply) in enumerate(zip(client.pauses, seen, strict=False)):
        least = after if reply in {"busy", "often"} else 0
        assert least <= pause <= least + min(5.0, 0.1 * 2**number)
    # Only the last one may have been final, and what is said is what is known.
    assert not {"gone", "done"} & set(seen[:-1])
    if seen[-1] == "done":
        assert ended.item is not None
    elif seen[-1] == "gone":
        assert isinstance(ended, Gone)
    elif {"not answered", "unknown"} & set(seen):
        assert isinstance(ended, OutcomeUnknown)
    else:
        kinds = {"never sent": Unreachable, "busy": Overloaded, "often": TooManyRequests}
        assert type(ended) is kinds[seen[-1]]


def test_a_conflict_is_told_apart_from_what_is_wrong_for_ever() -> None:
    assert not issubclass(Conflict, Invalid)
    with pytest.raises(Conflict) as caught:
        put(Driven("blocking", [problem(412, "precondition-failed", current_version=7)]))
    assert caught.value.current_version == 7
