"""Does the alarm ring? A clean story passes; each way to break a promise is told by its number."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.checker import check
from tests.chaos.final import Entry, Final, GapRow, Position
from tests.chaos.invariants.versions import GENESIS, link
from tests.chaos.story import EPOCH, Story
from tests.chaos.wishes import Wish

_ITEM = "lamp"


def _wish(tok: str, op: Any = "put", item: str | None = _ITEM, **more: Any) -> Wish:
    fields = {"name": tok, "price": 1} if op in {"put", "create"} else more.pop("fields", {})
    return Wish(tok, op, item, fields, **more)


def _tale() -> Story:
    """Write a bit of everything that can happen without anything being wrong."""
    story = Story()
    story.do(_wish("1:1"), key="key-1:1")
    story.do(_wish("1:2", "create", None))
    story.do(_wish("1:3", "patch", fields={"description": "bright"}))
    story.do(_wish("1:4", "patch", fields={"name": "4"}, expect=2))
    story.do(_wish("1:5", "patch", fields={"name": "5"}, expect=2))
    story.read(_ITEM, proc=2)
    story.do(_wish("1:6", "delete"))
    story.do(_wish("1:7", "patch", fields={"name": "7"}))
    story.do(_wish("1:8", "restore"))
    story.do(_wish("1:9", "create"))
    story.do(_wish("1:10", "patch", item="nowhere"))
    story.do(_wish("1:11", item="shade"))
    # Nobody knows, and it was taken; nobody knows, and it was not; refused.
    number = story.invoke(_wish("2:1"), proc=2)
    story.apply(_wish("2:1"))
    story.end(number, "info", {"st": "unknown"}, proc=2)
    story.end(story.invoke(_wish("3:1"), proc=3), "info", {"st": "unknown"}, proc=3)
    story.end(story.invoke(_wish("4:1", invalid=True), proc=4), "fail", {"st": "refused"}, proc=4)
    story.read(_ITEM, proc=2)
    story.follow("id-1:11", 200, "accepted", None)
    story.follow("id-1:11", 200, "applied", 201)
    return story


def _broken(story: Story, final: Final) -> set[str]:
    return {each.invariant for each in check(story.evidence(), final)}


def test_a_clean_run_passes() -> None:
    story = _tale()
    assert check(story.evidence(), story.final()) == []


def _without(final: Final, tok: str) -> Final:
    """Lose a command that changed nothing else."""
    return replace(
        final, outcomes=[each for each in final.outcomes if each.command_id != f"id-{tok}"]
    )


def _chained_again(final: Final, events: list[Any]) -> Final:
    """Have the hashes hold for other events, so that only what is meant is broken."""
    last: dict[int, str] = {}
    chained: list[Any] = []
    for event in events:
        hashed = replace(event, hash=link(last.get(event.partition, GENESIS), event))
        last[event.partition] = hashed.hash
        chained.append(hashed)
    partitions = [
        replace(each, hash=last.get(each.partition, GENESIS)) for each in final.partitions
    ]
    return replace(final, events=chained, partitions=partitions)


def _edit(final: Final, tok: str, **changes: Any) -> Final:
    return _chained_again(
        final,
        [replace(each, **changes) if each.reason == tok else each for each in final.events],
    )


def _edit_outcome(final: Final, tok: str, **changes: Any) -> Final:
    return replace(
        final,
        outcomes=[
            replace(each, **changes) if each.command_id == f"id-{tok}" else each
            for each in final.outcomes
        ],
    )


_ENDINGS: dict[str, tuple[str, Callable[[Final], Final]]] = {
    "an acknowledged command has no outcome": ("I1", lambda final: _without(final, "1:10")),
    "an applied command has no events": (
        "I1",
        lambda final: _edit_outcome(final, "1:10", status="applied", http_status=200, code=None),
    ),
    "a position is taken twice": (
        "I2",
        lambda final: replace(
            final, outcomes=[*final.outcomes, replace(final.outcomes[0], command_id="another")]
        ),
    ),
    "one wish is taken under two ids": (
        "I2",
        lambda final: replace(
            final,
            outcomes=[*final.outcomes, replace(final.outcomes[-1], command_id="again", n=99)],
            log=[*final.log, Entry(Position(0, EPOCH, 99), "again", "1:1")],
        ),
    ),
    "an event that nobody asked for": ("I3", lambda final: _edit(final, "1:6", reason="stranger")),
    "an event's command has no outcome": ("I3", lambda final: _without(final, "1:6")),
    "a wish came to something else": (
        "I7",
        lambda final: _edit(final, "1:3", data='{"description":"dark"}'),
    ),
    "a wrong version was let through": (
        "I7",
        lambda final: _edit_outcome(final, "1:5", status="unchanged", http_status=200, code=None),
    ),
    "a deleted item was refused as never seen": (
        "I7",
        lambda final: _edit_outcome(final, "1:7", http_status=404, code="item-not-found"),
    ),
    "a version is left out": ("I6", lambda final: _edit(final, "1:8", version=9)),
    "the clock goes back": ("I6", lambda final: _edit(final, "1:8", recorded_at=5)),
    "an event was edited": (
        "I6",
        lambda final: replace(
            final, events=[replace(final.events[0], actor="somebody"), *final.events[1:]]
        ),
    ),
    "the head is old": (
        "I12",
        lambda final: replace(final, heads=[replace(final.heads[0], version=1), *final.heads[1:]]),
    ),
    "the view is old": (
        "I12",
        lambda final: replace(
            final,
            view=[replace(final.view[0], body=final.view[1].body), *final.view[1:]],
        ),
    ),
    "the query API says otherwise": ("I12", lambda final: replace(final, pages={})),
    "a checkpoint is behind": (
        "I12",
        lambda final: replace(final, checkpoints=[("items", 0, 0), ("items", 1, 0)]),
    ),
    "the log goes on beyond the ledger": (
        "I13",
        lambda final: replace(
            final, log_heads=[replace(each, n=each.n + 1) for each in final.log_heads]
        ),
    ),
    "a command in the log came to nothing": (
        "I13",
        lambda final: replace(final, log=[*final.log, Entry(Position(0, EPOCH, 99), "x", "3:1")]),
    ),
    "a loss is recorded where there was none": (
        "I13",
        lambda final: replace(final, gaps=[GapRow(0, EPOCH, 1, EPOCH, 1, "lost")]),
    ),
    "a command without a defect is in quarantine": (
        "I13",
        lambda final: replace(final, quarantined=["id-1:1 is dead"]),
    ),
    "an outcome stands beyond the checkpoint": (
        "I13",
        lambda final: _edit_outcome(final, "1:10", n=1000),
    ),
    "something is left lying about": (
        "I15",
        lambda final: replace(final, leftovers=["an open transaction"]),
    ),
    "a token is not the command's position": (
        "I5",
        lambda final: _edit_outcome(final, "1:10", n=1000),
    ),
    "a position was given out twice": (
        "I5",
        lambda final: replace(final, earlier=[Entry(final.log[0].position, "another", None)]),
    ),
}


@pytest.mark.parametrize("what", _ENDINGS)
def test_an_ending_that_breaks_a_promise_is_told(what: str) -> None:
    invariant, change = _ENDINGS[what]
    story = _tale()
    assert invariant in _broken(story, change(story.final()))


def test_a_refused_command_that_took_effect_is_told() -> None:
    story = _tale()
    wish = _wish("5:1")
    number = story.invoke(wish, proc=5)
    story.apply(wish)
    story.end(number, "fail", {"st": "refused"}, proc=5)
    assert _broken(story, story.final()) == {"I4"}


def test_an_invalid_command_that_was_accepted_is_told() -> None:
    story = _tale()
    story.do(_wish("5:1", invalid=True))
    assert "I4" in _broken(story, story.final())


def test_a_later_command_that_took_effect_first_is_told() -> None:
    story = _tale()
    first, second = _wish("5:1"), _wish("6:1")
    number = story.invoke(first, proc=5)
    story.end(number, "ok", {"st": "accepted", "cmd": "id-5:1", "item": _ITEM}, proc=5)
    story.do(second, proc=6)
    story.apply(first)
    assert _broken(story, story.final()) == {"I5"}


def test_rows_of_a_batch_in_another_order_are_told() -> None:
    story = _tale()
    first, second = _wish("5:1"), _wish("5:2")
    number = story.invoke(first, second, proc=5)
    rows = [story.apply(second), story.apply(first)]
    for row in rows:
        del row["token"]
    story.end(number, "ok", *reversed(rows), proc=5)
    assert _broken(story, story.final()) == {"I5"}


def test_a_token_given_out_twice_is_told() -> None:
    story = _tale()
    row = story.do(_wish("5:1"), proc=5)
    wish = _wish("5:2")
    number = story.invoke(wish, proc=5)
    story.end(number, "ok", story.apply(wish) | {"token": row["token"]}, proc=5)
    assert "I5" in _broken(story, story.final())


def test_two_winners_of_one_version_are_told() -> None:
    story = _tale()
    version = story.states[_ITEM].version
    story.do(_wish("5:1", "patch", fields={"name": "one"}, expect=version), proc=5)
    # What the product would do had it not looked: as if nothing had been expected.
    number = story.invoke(_wish("5:2", "patch", fields={"name": "two"}, expect=version), proc=5)
    row = story.apply(_wish("5:2", "patch", fields={"name": "two"}))
    story.end(number, "ok", row, proc=5)
    assert _broken(story, story.final()) == {"I7"}


def test_a_final_answer_that_is_not_the_outcome_is_told() -> None:
    story = _tale()
    wish = _wish("5:1")
    number = story.invoke(wish, proc=5)
    row = story.apply(wish)
    final = {"st": "final", "http": 201, "ver": 3, "code": None, "token": row["token"]}
    story.end(number, "ok", final, proc=5)
    assert "I1" in _broken(story, story.final())


@pytest.mark.parametrize(
    "otherwise",
    [
        {"status": 410},
        {"ver": 100},
        {"doc": {"name": "never", "description": None, "price": 1, "currency": "EUR"}},
    ],
)
def test_a_read_of_what_never_was_is_told(otherwise: dict[str, Any]) -> None:
    story = _tale()
    story.read(_ITEM, proc=5, **otherwise)
    assert "I8" in _broken(story, story.final())


def test_a_history_that_was_read_and_is_gone_is_told() -> None:
    story = _tale()
    half = {"i": 1000, "proc": 5, "f": "history", "w": "historians", "item": _ITEM}
    events = [[1, "ItemCreated", "id-other", "1:1"]]
    story.lines.append({**half, "type": "invoke", "t": story.now()})
    story.lines.append({**half, "type": "ok", "events": events, "t": story.now()})
    assert _broken(story, story.final()) == {"I8"}


def test_a_session_that_reads_behind_what_it_has_seen_is_told() -> None:
    story = _tale()
    old = story.states[_ITEM]
    story.do(_wish("5:1"), proc=5)
    story.read(_ITEM, proc=5)
    story.states[_ITEM], new = old, story.states[_ITEM]
    story.read(_ITEM, proc=5)
    story.states[_ITEM] = new
    assert _broken(story, story.final()) == {"I10"}


def test_a_repeat_that_is_answered_otherwise_is_told() -> None:
    story = _tale()
    wish = _wish("5:1")
    row = story.do(wish, proc=5, key="k")
    number = story.invoke(wish, proc=5, key="k")
    story.end(number, "ok", row | {"item": "another"}, proc=5)
    assert _broken(story, story.final()) == {"I14"}


@pytest.mark.parametrize(
    "looks",
    [
        [(404, None, None)],
        [(200, "applied", 201), (200, "accepted", None)],
        [(200, "applied", 201), (200, "rejected", 409)],
        [(200, "unchanged", 200)],
    ],
)
def test_a_command_resource_that_takes_back_what_it_said_is_told(
    looks: list[tuple[int, str | None, int | None]],
) -> None:
    story = _tale()
    row = story.do(_wish("5:1", "create", None), proc=5)
    for look in looks:
        story.follow(row["cmd"], *look)
    assert _broken(story, story.final()) == {"I14"}


def _story_of_a_loss() -> Story:
    """Tell of a command that was acknowledged at 99 and is nowhere."""
    story = _tale()
    number = story.invoke(_wish("5:1"), proc=5)
    token = f"0.{EPOCH}.99"
    row = {"st": "accepted", "cmd": "id-5:1", "item": _ITEM, "token": token}
    story.end(number, "ok", row, proc=5)
    return story


def test_a_loss_that_is_recorded_of_what_was_applied_is_told() -> None:
    story = _tale()
    story.fault("redis-set-back")
    first = story.outcomes[0]
    gap = GapRow(first.partition, EPOCH, first.n, EPOCH, first.n, "lost")
    assert _broken(story, replace(story.final(), gaps=[gap])) == {"I13"}


def _key_used_again(story: Story, **kept: Any) -> Final:
    """Use a key for something else after the log had forgotten it: the second is refused."""
    story.fault("redis-set-back")
    story.do(_wish("5:1", item="vase"), proc=5, key="k")
    other = _wish("5:1!0", item="vase", invalid=True)
    number = story.invoke(other, proc=6, key="k")
    place = replace(story.log[-1].position, n=story.log[-1].position.n + 1)
    token = f"{place.partition}.{place.epoch}.{place.n}"
    story.log.append(Entry(place, "id-5:1", "5:1!0"))
    row = {"st": "accepted", "cmd": "id-5:1", "item": "vase", "token": token}
    story.end(number, "ok", row, proc=6)
    final = story.final()
    second = replace(
        final.outcomes[-1],
        command_id=f"id-5:1@{token}",
        n=place.n,
        status="rejected",
        http_status=422,
        version=0,
        code="idempotency-key-reused",
    )
    partitions = [
        replace(each, n=place.n) if each.partition == place.partition else each
        for each in final.partitions
    ]
    heads = [
        replace(each, n=place.n, done=f"{place.epoch}-{place.n}")
        if each.partition == place.partition
        else each
        for each in final.log_heads
    ]
    outcomes = [*final.outcomes, replace(second, **kept)]
    return replace(final, outcomes=outcomes, partitions=partitions, log_heads=heads)


def test_a_key_that_was_used_again_after_the_log_forgot_it_is_no_double() -> None:
    story = _tale()
    final = _key_used_again(story)
    assert check(story.evidence(), final) == []


def test_what_a_key_was_used_again_for_must_not_have_taken_effect() -> None:
    story = _tale()
    final = _key_used_again(story, status="applied", http_status=200, version=2, code=None)
    assert "I1" in _broken(story, final)


def test_a_loss_is_excused_only_where_the_log_was_set_back_and_its_position_is_recorded() -> None:
    gap = GapRow(0, EPOCH, 90, EPOCH, 99, "lost")
    story = _story_of_a_loss()
    assert "I1" in _broken(story, replace(story.final(), gaps=[gap]))
    story.fault("redis-set-back")
    assert _broken(story, replace(story.final(), gaps=[gap])) == set()
    assert "I1" in _broken(story, replace(story.final(), gaps=[replace(gap, to_n=98)]))
    assert "I1" in _broken(story, replace(story.final(), gaps=[replace(gap, kind="kept")]))
