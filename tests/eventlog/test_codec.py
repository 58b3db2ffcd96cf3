import json
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from domain.commands import (
    AtVersion,
    CancelScheduledPrice,
    Command,
    CreateItem,
    DeleteItem,
    Existence,
    PatchItem,
    ReplaceItem,
    RestoreItem,
    RevertItem,
    SchedulePrice,
    TakeDue,
)
from domain.outcomes import Outcome
from eventlog import notices
from eventlog.codec import decode, encode, read
from eventlog.envelope import (
    Ask,
    Atomic,
    BadRow,
    Entry,
    Envelope,
    ImportMark,
    Order,
    Pack,
    RevertRows,
    Rows,
    Unreadable,
    UnreadableEntry,
)
from eventlog.notices import Notice
from eventlog.partition import partition_of
from runtime.positions import MalformedToken, Position

COMMANDS: list[Command] = [
    CreateItem("a", 5, "Lamp", None, 1, "EUR"),
    CreateItem("a", 5, "Lämp", "Brass.", 2**53 - 1, "EUR", 4),
    ReplaceItem("a", 5, "Lamp", None, 1, None, "EUR", AtVersion(frozenset([1, 2])), 3),
    ReplaceItem("a", 5, "Lamp", "x", 0, "USD", "EUR", Existence.MUST_NOT_EXIST),
    PatchItem("a", 5),
    PatchItem("a", 5, description=None),
    PatchItem("a", 5, "Lamp", "Brass.", 0, "USD", Existence.MUST_EXIST, 5),
    DeleteItem("a", 5, AtVersion(frozenset())),
    RestoreItem("a", 5, effective_at=0),
    RevertItem("a", 5, 3),
    RevertItem("a", 5, 1, AtVersion(frozenset([4])), 4, revive=True),
    SchedulePrice("a", 5, "s", 0, None, 6, None, "anna"),
    SchedulePrice("a", 5, "s", 9, "USD", 6, 7, "anna", "sale", AtVersion(frozenset([4])), 4),
    CancelScheduledPrice("a", 5, "s"),
    CancelScheduledPrice("a", 5, "s", Existence.MUST_EXIST, 4),
    TakeDue("a", 5),
    TakeDue("a", 5, 4),
]
PATCH = Envelope("i.000000001", PatchItem("a", 5, price=1), "anna", "f", with_item=False)
BAD = BadRow("i.000000002", "f", "invalid-body", "price: not a whole number")
OTHERS: list[Entry] = [
    Ask("id", "of", "f", "api-1"),
    Ask("id", "of", "f", "api-1", with_item=False),
    Order("id", "replay", "of", "anna"),
    Order("id", "discard", "of", "anna"),
    Rows("id", "i", ()),
    Rows("id", "i", (PATCH, BAD), dry=True),
    Rows("id", "i", (BAD, replace(PATCH, reason="why", deadline=9)), stop=True),
    Atomic("id", ()),
    Atomic("id", (PATCH, replace(PATCH, id="i.000000003", reply_to="api-1", with_item=True))),
    ImportMark("id", "i", "begun", "anna", 5, dry=True, stop=True),
    ImportMark("id", "i", "begun", "anna", 5, reverts="other"),
    ImportMark("id", "i", "begun", "anna", 5, file="prices ä.csv"),
    ImportMark("id", "i", "received", "anna", 5, 1_000_000),
    ImportMark("id", "i", "failed", "anna", 5, detail="the client left"),
    *(ImportMark("id", "i", mark, "anna", 5) for mark in ("paused", "resumed", "cancelled")),
    RevertRows("id", "i", "other", "", "anna", None, 5),
    RevertRows("id", "i", "other", "lamp-1", "anna", "a mistake", 5, 500),
]
PACKED = Envelope("p.000000007", COMMANDS[0], "anna", "", "api-1", None, "t", False, 9)
PACKS: list[Entry] = [
    Pack("p", (Envelope("p.000000000", COMMANDS[0], "anna", ""),)),
    Pack("p", (PACKED, replace(PACKED, id="p.000000009", fingerprint="f", reason="why")), "all"),
    Pack(
        "p",
        tuple(
            replace(PACKED, id=f"p.{number:09d}", command=command)
            for number, command in enumerate(COMMANDS)
        ),
    ),
]
# As the release before wrote them.
FORMER: list[tuple[bytes, Entry]] = [
    (
        (
            b'{"id":"id","actor":"anna","fp":"f","item":"a","at":5,"op":"create","name":"Lamp",'
            b'"desc":null,"price":1,"cur":"EUR","reply":"api-1","reason":"why","trace":"00-a-b-01"}'
        ),
        Envelope("id", COMMANDS[0], "anna", "f", "api-1", "why", "00-a-b-01"),
    ),
    (
        (
            b'{"id":"id","actor":"anna","fp":"f","item":"a","at":5,"eff":3,"op":"replace",'
            b'"name":"Lamp","desc":null,"price":1,"cur":null,"new":"EUR","exp":[1,2],"bare":1}'
        ),
        Envelope("id", COMMANDS[2], "anna", "f", with_item=False),
    ),
    (
        (
            b'{"id":"id","actor":"anna","fp":"f","item":"a","at":5,"op":"patch","exp":"any",'
            b'"desc":null}'
        ),
        Envelope("id", COMMANDS[5], "anna", "f"),
    ),
    (
        b'{"id":"id","actor":"anna","fp":"f","item":"a","at":5,"op":"delete","exp":[]}',
        Envelope("id", COMMANDS[7], "anna", "f"),
    ),
    (
        b'{"id":"id","actor":"anna","fp":"f","item":"a","at":5,"eff":0,"op":"restore","exp":"any"}',
        Envelope("id", COMMANDS[8], "anna", "f"),
    ),
    (
        (
            b'{"id":"id","op":"import","import":"i","mark":"begun","actor":"anna","at":5,"rows":0,'
            b'"detail":null,"dry":1,"stop":0,"reverts":null}'
        ),
        ImportMark("id", "i", "begun", "anna", 5, dry=True),
    ),
    (
        b'{"id":"id","op":"ask","of":"of","fp":"f","reply":"api-1","bare":1}',
        Ask("id", "of", "f", "api-1", with_item=False),
    ),
    (
        b'{"id":"id","op":"replay","of":"of","actor":"anna"}',
        Order("id", "replay", "of", "anna"),
    ),
]

# What nobody writes.
MALFORMED: list[tuple[Entry, dict[str, Any]]] = [
    (Envelope("id", COMMANDS[9], "anna", "f"), {"to": "1"}),
    (Envelope("id", COMMANDS[9], "anna", "f"), {"exp": "maybe"}),
    (Envelope("id", COMMANDS[11], "anna", "f"), {"sched": ""}),
    (Envelope("id", COMMANDS[11], "anna", "f"), {"from": None}),
    (Envelope("id", COMMANDS[11], "anna", "f"), {"until": "later"}),
    (Envelope("id", COMMANDS[11], "anna", "f"), {"by": None}),
    (Envelope("id", COMMANDS[11], "anna", "f"), {"why": 1}),
    (Envelope("id", COMMANDS[11], "anna", "f"), {"price": -1}),
    (Envelope("id", COMMANDS[11], "anna", "f"), {"cur": "???"}),
    (Envelope("id", COMMANDS[0], "anna", "f"), {"dead": "soon"}),
    (OTHERS[5], {"import": ""}),
    (OTHERS[5], {"rows": "ab"}),
    (OTHERS[5], {"rows": {"a": 1}}),
    (OTHERS[5], {"rows": [1]}),
    (OTHERS[5], {"rows": [[]]}),
    (OTHERS[5], {"rows": [{"op": "ask"}]}),
    (OTHERS[5], {"rows": [{"id": "x", "fp": "f", "code": "", "detail": "d"}]}),
    (OTHERS[5], {"rows": [{"id": "x\0", "fp": "f", "code": "c", "detail": "d"}]}),
    (OTHERS[5], {"rows": [{"id": "x", "fp": "f", "code": "c", "detail": None}]}),
    (OTHERS[8], {"rows": [{"id": "x", "fp": "f", "code": "c", "detail": "d"}]}),
    (OTHERS[8], {"rows": {}}),
    (OTHERS[9], {"mark": "done"}),
    (OTHERS[9], {"mark": ["begun"]}),
    (OTHERS[9], {"rows": "many"}),
    (OTHERS[9], {"rows": [1]}),
    (OTHERS[9], {"rows": -1}),
    (OTHERS[9], {"rows": True}),
    (OTHERS[9], {"at": None}),
    (OTHERS[9], {"reverts": 7}),
    (OTHERS[9], {"file": ""}),
    (OTHERS[9], {"file": "x" * 256}),
    (OTHERS[9], {"dry": "no"}),
    (OTHERS[-1], {"reverts": None}),
    (OTHERS[-1], {"after": None}),
    (OTHERS[-1], {"row": -1}),
    (OTHERS[-1], {"row": "1"}),
    (PACKS[0], {"rows": []}),
    (PACKS[0], {"rows": {}}),
    (PACKS[0], {"rows": [7]}),
    (PACKS[0], {"rows": [{"row": 1, "item": "a"}]}),
    (PACKS[0], {"rows": [{"row": -1, "item": "a", "op": "delete", "exp": "any"}]}),
    (PACKS[0], {"rows": [{"item": "a", "op": "delete", "exp": "any"}]}),
    (PACKS[0], {"rows": [{"row": 1, "item": "-", "op": "delete", "exp": "any"}]}),
    (PACKS[0], {"at": "now"}),
]


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_a_command_comes_back_from_the_log_as_it_went_in(command: Command) -> None:
    bare = Envelope("id", command, "anna", "f")
    full = Envelope(
        "id", command, "anna", "f", "api-1", "sale", "00-abc-def-01", with_item=False, deadline=7
    )

    assert decode(encode(bare)) == bare
    assert decode(encode(full)) == full


@pytest.mark.parametrize("entry", [*OTHERS, *PACKS], ids=repr)
def test_any_other_entry_comes_back_as_it_went_in(entry: Entry) -> None:
    assert decode(encode(entry)) == entry


@pytest.mark.parametrize(("body", "entry"), FORMER, ids=repr)
def test_what_the_release_before_wrote_is_still_read(body: bytes, entry: Entry) -> None:
    assert decode(body) == entry


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b'{"op":"ask"}', b'{"id":"x","op":"explode","item":"a","at":1}']
)
def test_what_is_no_entry_is_unreadable_and_nothing_else(body: bytes) -> None:
    with pytest.raises(UnreadableEntry):
        decode(body)


@pytest.mark.parametrize(("entry", "members"), MALFORMED, ids=repr)
def test_an_entry_with_a_member_that_nobody_writes_is_unreadable(
    entry: Entry, members: dict[str, Any]
) -> None:
    body = json.dumps(json.loads(encode(entry)) | members).encode()
    with pytest.raises(UnreadableEntry):
        decode(body)
    assert isinstance(read(body), Unreadable)


@pytest.mark.parametrize(
    "entry", [*OTHERS, *PACKS, *(Envelope("i", c, "a", "f") for c in COMMANDS)], ids=repr
)
def test_an_entry_that_lacks_a_member_is_unreadable_or_was_optional(entry: Entry) -> None:
    document = json.loads(encode(entry))
    for name in document:
        rest = {key: value for key, value in document.items() if key != name}
        match read(json.dumps(rest).encode()):
            case Unreadable():
                pass
            case other:
                assert name in {
                    "bare",
                    "eff",
                    "dead",
                    "reply",
                    "reason",
                    "trace",
                    "desc",
                    "file",
                } | ({"name", "price", "cur"} if document["op"] == "patch" else set[str]())
                assert type(other) is type(entry)


def test_a_notice_comes_back_as_it_went_out(redis: "Redis") -> None:
    notice = Notice(
        "api-1",
        "f",
        Outcome("c", "a", "rejected", 409, 3, "item-exists", "it exists"),
        Position(2, 17, 4),
        None,
    )
    pubsub = redis.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("itemledger:outcomes:api-1")
    pubsub.get_message(timeout=30)
    with redis.pipeline(transaction=False) as pipeline:
        notices.publish(pipeline, [notice, notice])
        pipeline.execute()
    message = pubsub.get_message(timeout=30)
    pubsub.close()

    assert message is not None
    assert notices.read(message["data"], "api-1") == [notice, notice]


def test_a_token_names_its_position() -> None:
    position = Position(7, 1_795_336_455_666, 12)

    assert Position.from_token(position.token) == position
    for bad in ("", "x", "1.2", "1.2.3.4", "-1.2.3", "1.2.٣"):
        with pytest.raises(MalformedToken):
            Position.from_token(bad)


def test_an_item_always_lives_in_the_same_partition() -> None:
    # Written down: a change of the hash would tear items away from their history.
    assert [partition_of(each, 8) for each in ("lamp-1", "85123A", "71053", "x")] == [4, 1, 7, 3]
    assert {partition_of(str(number), 8) for number in range(200)} == set(range(8))
