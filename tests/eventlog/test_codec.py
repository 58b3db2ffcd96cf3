import pytest
from redis import Redis

from domain.commands import (
    AtVersion,
    Command,
    CreateItem,
    DeleteItem,
    Existence,
    PatchItem,
    ReplaceItem,
    RestoreItem,
)
from domain.outcomes import Outcome
from eventlog import notices
from eventlog.envelope import Ask, Envelope, UnreadableEntry, decode, encode
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
]


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_a_command_comes_back_from_the_log_as_it_went_in(command: Command) -> None:
    bare = Envelope("id", command, "anna", "f")
    full = Envelope("id", command, "anna", "f", "api-1", "sale", "00-abc-def-01")

    assert decode(encode(bare)) == bare
    assert decode(encode(full)) == full


def test_an_ask_comes_back_as_it_went_in() -> None:
    ask = Ask("id", "of", "f", "api-1")

    assert decode(encode(ask)) == ask


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b'{"op":"ask"}', b'{"id":"x","op":"explode","item":"a","at":1}']
)
def test_what_is_no_entry_is_unreadable_and_nothing_else(body: bytes) -> None:
    with pytest.raises(UnreadableEntry):
        decode(body)


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
    pubsub.get_message(timeout=5)
    with redis.pipeline(transaction=False) as pipeline:
        notices.publish(pipeline, [notice, notice])
        pipeline.execute()
    message = pubsub.get_message(timeout=5)
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
