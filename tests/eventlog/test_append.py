"""The append script on a real server."""

from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from eventlog import keys
from eventlog.append import (
    Appended,
    NotAppended,
    Submission,
    evalsha,
    is_certain,
    load_script,
    read_reply,
)
from runtime.positions import Position
from runtime.settings import Settings
from runtime.valkey import running_valkey


def command(name: str, fingerprint: str = "f", width: int = 1) -> Submission:
    return Submission(name, f"body of {name}".encode(), fingerprint, width=width)


def append(
    redis: "Redis",
    *submissions: Submission,
    partition: int = 0,
    closed: str | None = None,
    floor: Position | None = None,
) -> tuple[bool, list[Any]]:
    script = load_script()
    redis.script_load(script.text)
    words = evalsha(script, partition, submissions, closed, floor)
    return read_reply(partition, redis.execute_command(*words))


def bodies(redis: "Redis", partition: int = 0) -> list[bytes]:
    return [fields[b"c"] for _, fields in redis.xrange(keys.log(partition))]


def test_positions_are_gapless_and_begin_at_one(redis: "Redis") -> None:
    _, first = append(redis, command("a"), command("b"))
    _, second = append(redis, command("c"))

    assert [each.position.n for each in [*first, *second]] == [1, 2, 3]
    assert {each.position.epoch for each in [*first, *second]} == {first[0].position.epoch}
    assert [entry.decode() for entry, _ in redis.xrange(keys.log(0))] == [
        each.position.stream_id for each in [*first, *second]
    ]


def test_each_command_of_an_entry_has_a_position_and_the_entry_is_at_the_last(
    redis: "Redis",
) -> None:
    _, told = append(redis, command("a"), command("b", width=3), command("c"))
    _, again = append(redis, command("b", width=3), command("d", width=2))

    assert [each.position.n for each in [*told, *again]] == [1, 4, 5, 4, 7]
    assert [each.known for each in again] == [True, False]
    stored = [(name.split(b"-")[1], said.get(b"w")) for name, said in redis.xrange(keys.log(0))]
    assert stored == [(b"1", None), (b"4", b"3"), (b"5", None), (b"7", b"2")]
    assert redis.hget(keys.head(0), "n") == b"7"


def test_a_repeated_command_is_stored_once_and_told_its_first_position(redis: "Redis") -> None:
    _, first = append(redis, command("a"), command("b"))
    _, again = append(redis, command("b"), command("a"), command("c"))

    assert [each.known for each in again] == [True, True, False]
    assert [each.position for each in again[:2]] == [first[1].position, first[0].position]
    assert bodies(redis) == [b"body of a", b"body of b", b"body of c"]


def test_a_command_twice_in_one_call_is_stored_once(redis: "Redis") -> None:
    _, told = append(redis, command("a"), command("a"))

    assert [each.known for each in told] == [False, True]
    assert len(bodies(redis)) == 1


def test_a_repeat_is_told_the_fingerprint_of_the_first(redis: "Redis") -> None:
    append(redis, command("a", "first"))
    _, (again,) = append(redis, command("a", "second"))

    assert (again.known, again.fingerprint) == (True, "first")


def test_the_bell_rings_for_the_first_append_only_until_it_is_cleared(redis: "Redis") -> None:
    rings = [append(redis, command("a"))[0], append(redis, command("b"))[0]]
    redis.delete(keys.bell(0))
    rings.append(append(redis, command("c"))[0])

    assert rings == [True, False, True]
    assert 0 < redis.ttl(keys.bell(0)) <= 10


def test_partitions_count_for_themselves(redis: "Redis") -> None:
    append(redis, command("a"), partition=0)
    _, (other,) = append(redis, command("b"), partition=1)

    assert other.position.n == 1
    assert bodies(redis, 1) == [b"body of b"]


def refusal(redis: "Redis", *words: Any) -> ResponseError:
    with pytest.raises(ResponseError) as raised:
        redis.execute_command(*words)
    return raised.value


def test_nothing_is_written_when_one_command_of_many_is_bad(redis: "Redis") -> None:
    script = load_script()
    redis.script_load(script.text)
    error = refusal(redis, *evalsha(script, 0, [command("a"), Submission("b", b"", "f")]))

    assert is_certain(error)
    assert redis.keys("*") == []


@pytest.mark.parametrize("widths", ["0", "1.5", "-1", "x", "nan", "1", "1,1,1"])
def test_nothing_is_written_where_it_is_not_said_how_many_commands_there_are(
    redis: "Redis", widths: str
) -> None:
    script = load_script()
    redis.script_load(script.text)
    words = list(evalsha(script, 0, [command("a"), command("b", width=2)]))
    words[words.index("1,2")] = f"1,{widths}" if "1" not in widths.split(",") else widths
    error = refusal(redis, *words)

    assert is_certain(error)
    assert redis.keys("*") == []


def test_a_key_of_another_type_is_refused_before_anything_is_written(redis: "Redis") -> None:
    redis.set(keys.log(0), "no stream")
    script = load_script()
    redis.script_load(script.text)
    error = refusal(redis, *evalsha(script, 0, [command("a")]))

    assert is_certain(error)
    assert redis.keys("*") == [keys.log(0).encode()]


def test_a_full_server_refuses_for_certain_and_keeps_nothing(redis: "Redis") -> None:
    script = load_script()
    redis.script_load(script.text)
    redis.config_set("maxmemory", "1")
    try:
        error = refusal(redis, *evalsha(script, 0, [command("a")]))
        stored = redis.keys("*")
    finally:
        redis.config_set("maxmemory", "0")

    assert is_certain(error)
    assert stored == []


def test_what_is_known_is_answered_even_by_a_full_server(redis: "Redis") -> None:
    _, (first,) = append(redis, command("a"))
    redis.config_set("maxmemory", "1")
    try:
        _, alone = append(redis, command("a"))
        _, mixed = append(redis, command("b"), command("a"))
    finally:
        redis.config_set("maxmemory", "0")

    assert alone == [Appended(first.position, known=True, fingerprint="f")]
    assert isinstance(mixed[0], NotAppended)
    assert mixed[1] == alone[0]
    assert bodies(redis) == [b"body of a"]


def test_an_epoch_is_never_given_out_again_when_the_clock_goes_back(redis: "Redis") -> None:
    ahead = 9_999_999_999_999
    redis.hset(keys.head(0), mapping={"run_id": "another", "epoch": ahead, "n": 7})
    _, (told,) = append(redis, command("a"))

    assert (told.position.epoch, told.position.n) == (ahead + 1, 1)
    assert redis.hgetall(keys.epochs(0)) == {str(ahead).encode(): b"7"}


def test_nothing_new_is_accepted_through_a_closed_gate_and_nothing_is_written(
    redis: "Redis",
) -> None:
    rings, told = append(redis, command("a"), command("b"), closed="too late")

    assert told == [NotAppended("too late"), NotAppended("too late")]
    assert not rings
    assert redis.keys("*") == []


def test_what_is_known_is_answered_through_a_closed_gate(redis: "Redis") -> None:
    _, (first,) = append(redis, command("a"))
    _, told = append(redis, command("b"), command("a"), closed="too late")

    known = Appended(first.position, known=True, fingerprint="f")
    assert told == [NotAppended("too late"), known]
    assert bodies(redis) == [b"body of a"]


def test_a_question_goes_through_a_closed_gate(redis: "Redis") -> None:
    question = Submission("q", b"what became of a", "", promises=False)
    _, told = append(redis, command("a"), question, command("b"), closed="too late")

    assert [type(each) for each in told] == [NotAppended, Appended, NotAppended]
    assert bodies(redis) == [b"what became of a"]


@pytest.mark.parametrize(
    ("n", "fenced"), [(1, False), (2, False), (3, True)], ids=["behind", "even", "ahead"]
)
def test_a_log_that_is_behind_what_its_caller_knows_begins_a_new_epoch(
    redis: "Redis", n: int, fenced: bool
) -> None:
    _, told = append(redis, command("a"), command("b"))
    old = told[0].position.epoch
    _, (after,) = append(redis, command("c"), floor=Position(0, old, n))

    assert (after.position.epoch > old, after.position.n) == (fenced, 1 if fenced else 3)
    ends = {str(old).encode(): b"2"} if fenced else {}
    assert redis.hgetall(keys.epochs(0)) == ends


def test_an_epoch_that_the_caller_knows_is_not_given_out_again(redis: "Redis") -> None:
    ahead = 9_999_999_999_999
    _, (first,) = append(redis, command("a"), floor=Position(0, ahead, 7))
    redis.hset(keys.head(0), "run_id", "another")
    _, (second,) = append(redis, command("b"), floor=Position(0, ahead + 5, 7))

    assert (first.position.epoch, first.position.n) == (ahead + 1, 1)
    assert (second.position.epoch, second.position.n) == (ahead + 6, 1)


def test_an_error_after_the_first_write_is_not_certain(redis: "Redis") -> None:
    # An entry far ahead makes XADD fail after the bell was raised.
    redis.xadd(keys.log(0), {"c": "x"}, id="99999999999999-1")
    script = load_script()
    redis.script_load(script.text)
    error = refusal(redis, *evalsha(script, 0, [command("a")]))

    assert not is_certain(error)


def test_a_restarted_server_begins_a_new_epoch_and_remembers_where_the_old_one_ended(
    settings: Settings,
) -> None:
    with running_valkey(settings), Redis.from_url(settings.log_url) as redis:
        _, before = append(redis, command("a"), command("b"))
    with running_valkey(settings), Redis.from_url(settings.log_url) as redis:
        _, after = append(redis, command("b"), command("c"))
        ends = redis.hgetall(keys.epochs(0))

    assert after[0].position == before[1].position
    assert after[1].position.n == 1
    assert after[1].position.epoch > before[0].position.epoch
    assert ends == {str(before[0].position.epoch).encode(): b"2"}
