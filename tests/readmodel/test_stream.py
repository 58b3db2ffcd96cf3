"""The feed as Server-Sent Events: resumed anywhere, shared by many, and never in anybody's way."""

import random
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from werkzeug.test import EnvironBuilder

from domain.events import ItemCreated, ItemRepriced
from readmodel.cursors import FeedCursors
from readmodel.feed import portions as portions_module
from readmodel.feed.forms import Forms
from readmodel.feed.portions import Portion, Portions
from readmodel.feed.stream import Follower, Streams
from readmodel.pulse import Pulse
from readmodel.views import changes
from readmodel.views.changes import Wanted

AT = 1_700_000_000_000
ALL = Wanted()


def created(number: int) -> ItemCreated:
    return ItemCreated(f"item-{number}", AT, AT, f"Lamp {number}", None, number, "EUR")


@dataclass(frozen=True, slots=True)
class Frame:
    id: str
    change: dict[str, Any] | None


def frames(text: bytes) -> Iterator[Frame]:
    """Read frames as a browser does: what has no data moves the place and is not shown."""
    for block in text.split(b"\n\n"):
        fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line[1:])
        if b"id" in fields:
            data = fields.get(b"data")
            yield Frame(fields[b"id"].decode(), None if data is None else orjson.loads(data))


def taken(
    client: FlaskClient,
    count: int,
    last: str | None,
    query: str = "",
    later: Callable[[], object] = lambda: None,
) -> list[Frame]:
    """Follow until so many changes have come, then go away in the middle of things. What is to be
    done `later` is so when what was there before has been read.
    """
    headers = {} if last is None else {"Last-Event-ID": last}
    answer = client.get(f"/changes/stream{query}", headers=headers, buffered=False)
    assert answer.status_code == 200
    assert answer.content_type == "text/event-stream"
    later()
    found: list[Frame] = []
    try:
        for piece in answer.response:
            found += [each for each in frames(piece) if each.change is not None]
            if len(found) >= count:
                return found[:count]
    finally:
        answer.close()
    raise AssertionError("the stream came to an end")


def test_a_follower_that_is_cut_off_anywhere_misses_nothing_and_meets_nothing_twice(
    ledger: Any, client: FlaskClient
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")  # noqa: T201  shown when it fails
    chance = random.Random(seed)  # noqa: S311
    ledger.add(*(created(number) for number in range(700)))
    seen: list[int] = []
    last: str | None = None
    while len(seen) < 700:
        got = taken(client, min(chance.randrange(1, 120), 700 - len(seen)), last)
        seen += [each.change["offset"] for each in got if each.change is not None]
        last = got[-1].id

    assert seen == list(range(1, 701))


def test_what_happens_later_is_told_at_once(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created(1))
    repriced = ItemRepriced("item-2", AT, AT, 7, "EUR")
    got = taken(client, 3, None, later=lambda: ledger.add(created(2), repriced))

    assert [each.change["type"] for each in got if each.change is not None] == [
        "ItemCreated",
        "ItemCreated",
        "ItemRepriced",
    ]


def test_a_stream_begins_where_it_is_told_to(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created(1), created(2))
    first, second = taken(client, 2, None)
    (third,) = taken(client, 1, None, "?after=head", lambda: ledger.add(created(3)))
    # The header goes before the parameter: that is what a browser sends again.
    (again,) = taken(client, 1, first.id, f"?after={third.id}")

    assert third.change is not None
    assert third.change["item_id"] == "item-3"
    assert again == second


def test_only_what_is_wanted_is_sent(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created(1), created(2), ItemRepriced("item-1", AT, AT, 7, "EUR"))
    (one,) = taken(client, 1, None, "?types=ItemRepriced")
    (other,) = taken(client, 1, None, "?item_id=item-2")

    assert one.change is not None
    assert one.change["offset"] == 3
    assert other.change is not None
    assert other.change["offset"] == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_can_not_be_followed_is_a_problem(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created(1))
    wrong = client.get("/changes/stream", headers={"Last-Event-ID": "nope"})
    unknown = client.get("/changes/stream?types=Nope")
    limited = client.get("/changes/stream?limit=5")

    assert (wrong.status_code, wrong.json["errors"][0]["header"]) == (400, "Last-Event-ID")
    assert (unknown.status_code, limited.status_code) == (400, 400)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_head_answers_without_following(ledger: Any, client: FlaskClient, app: Flask) -> None:
    answer = client.head("/changes/stream")
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_server_gets_the_follower_itself(ledger: Any, app: Flask) -> None:
    """Through all layers: what it can only iterate over takes a thread for each."""
    body: Any = app.wsgi_app(EnvironBuilder("/changes/stream").get_environ(), lambda *_: None)
    body.close()
    assert isinstance(body, Follower)


class Harness:
    """Streams over a real ledger, with what a follower waits for made short."""

    def __init__(self, engine: Engine, most: int = 100) -> None:
        cursors = FeedCursors("of this test")
        self.engine = engine
        self.pulse = Pulse(engine, 0.005)
        self.portions = Portions(engine, Forms(cursors, "https://read.example"), cursors)
        self.streams = Streams(self.portions, self.pulse, most, heartbeat=0.05)

    def first(self, wanted: Wanted = ALL) -> Portion:
        with self.engine.connect() as connection:
            return self.portions.of(changes.read(connection, (), 500, wanted))


@pytest.fixture
def harness(engine: Engine) -> Iterator[Harness]:
    made = Harness(engine)
    yield made
    made.pulse.close()


def test_many_followers_cost_one_reading(ledger: Any, harness: Harness) -> None:
    ledger.add(created(1))
    reads: list[object] = []
    read = changes.read

    def counted(*given: Any) -> Any:
        reads.append(given[1])
        return read(*given)

    first = harness.first()
    got: list[list[Frame]] = [[] for _ in range(40)]
    ready = threading.Barrier(41)

    def follow(mine: list[Frame]) -> None:
        follower = harness.streams.follow(first, ALL, lambda: True)
        for piece in follower:
            begun = bool(mine)
            mine += [each for each in frames(piece) if each.change is not None]
            if mine and not begun:
                ready.wait(30)
            if len(mine) == 3:
                follower.close()
                return

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portions_module.changes, "read", counted)
        threads = [threading.Thread(target=follow, args=(mine,)) for mine in got]
        for thread in threads:
            thread.start()
        ready.wait(30)
        ledger.add(created(2), created(3))
        for thread in threads:
            thread.join(30)

    assert [offsets(each) for each in got] == [[1, 2, 3]] * 40
    # Those that were woken by a later look have the same place, and want the same.
    assert len(reads) <= 5


def offsets(got: Sequence[Frame]) -> list[int]:
    return [each.change["offset"] for each in got if each.change is not None]


def test_a_heartbeat_moves_the_place_past_what_is_not_wanted(ledger: Any, harness: Harness) -> None:
    ledger.add(created(1))
    wanted = Wanted(("ItemDeleted",))
    with harness.engine.connect() as connection:
        first = harness.portions.of(changes.read(connection, (), 500, wanted))
    follower = harness.streams.follow(first, wanted, lambda: True)
    next(follower)
    (beat,) = frames(next(follower))
    follower.close()

    cursors = FeedCursors("of this test")
    assert (cursors.read(beat.id), beat.change) == ((1,), None)


def test_a_heartbeat_repeats_nothing(ledger: Any, harness: Harness) -> None:
    ledger.add(created(1))
    follower = harness.streams.follow(harness.first(), ALL, lambda: True)
    assert offsets(list(frames(next(follower) + next(follower)))) == [1]
    beats = [each for _ in range(3) for each in frames(next(follower))]
    ledger.add(created(2))
    after: list[Frame] = []
    while not offsets(after):
        after += frames(next(follower))
    follower.close()

    assert offsets(beats) == []
    assert offsets(after) == [2]


def test_of_one_item_nothing_is_told_twice_that_was_written_while_it_was_read(
    ledger: Any, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look that wakes a follower and its reading the item changes once more."""
    ledger.add(created(1))
    wanted, after, late = Wanted(None, "item-1"), harness.portions.after, [3]

    def later(*given: Any) -> Portion:
        if late:
            ledger.add(ItemRepriced("item-1", AT, AT, late.pop(), "EUR"))
        return after(*given)

    monkeypatch.setattr(harness.portions, "after", later)
    follower = harness.streams.follow(harness.first(wanted), wanted, lambda: True)
    got = list(frames(next(follower) + next(follower)))
    ledger.add(ItemRepriced("item-1", AT, AT, 2, "EUR"))
    while len(offsets(got)) < 3:
        got += frames(next(follower))
    # Heartbeats, which move the place; none goes back.
    got += [each for _ in range(2) for each in frames(next(follower))]
    follower.close()

    cursors = FeedCursors("of this test")
    assert offsets(got) == [1, 2, 3]
    places = [cursors.read(each.id) for each in got]
    # Heartbeats repeat the place that was reached, as often as one was due.
    assert places == sorted(places)
    assert sorted(set(places)) == [(1,), (2,), (3,)]
    assert places[-2:] == [(3,), (3,)]


def test_signs_of_life_come_also_while_others_things_happen(ledger: Any, harness: Harness) -> None:
    ledger.add(created(1))
    wanted = Wanted(("ItemDeleted",))
    follower = harness.streams.follow(harness.first(wanted), wanted, lambda: True)
    next(follower)
    over = threading.Event()

    def write() -> None:
        number = 2
        while not over.wait(0.01):
            ledger.add(created(number))
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        beats = list[Any]()
        # None of them waits for a ledger that is silent, which this one never is.
        while len({each.id for each in beats}) < 4:
            beats += frames(next(follower))
    finally:
        over.set()
        writer.join()
        follower.close()

    assert offsets(beats) == []
    places = [FeedCursors("of this test").read(each.id) for each in beats]
    # Where nothing was written since the last one, it repeats the place.
    assert places == sorted(places)


def test_who_is_behind_and_may_not_stay_is_let_go(ledger: Any, harness: Harness) -> None:
    ledger.add(*(created(number) for number in range(1200)))
    got = [
        each
        for piece in harness.streams.follow(harness.first(), ALL, lambda: False)
        for each in frames(piece)
    ]
    assert len(got) == 500


def test_who_is_behind_is_let_go_when_the_process_ends(ledger: Any, harness: Harness) -> None:
    ledger.add(*(created(number) for number in range(1200)))
    follower = harness.streams.follow(harness.first(), ALL, lambda: True)
    next(follower)
    harness.pulse.close()
    assert len([each for piece in follower for each in frames(piece)]) == 500


def test_what_is_sent_at_once_is_bounded_by_its_size(
    ledger: Any, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.add(*(created(number) for number in range(1, 31)))
    monkeypatch.setattr(portions_module, "_SIZE", 1000)
    pieces: list[list[int]] = []
    follower = harness.streams.follow(harness.first(), ALL, lambda: True)
    next(follower)
    while sum(map(len, pieces)) < 30:
        pieces.append(offsets(list(frames(next(follower)))))
    follower.close()

    assert [each for piece in pieces for each in piece] == list(range(1, 31))
    assert max(map(len, pieces)) < 10


def test_followers_with_other_filters_do_not_get_each_others_events(
    ledger: Any, harness: Harness
) -> None:
    ledger.add(created(1))
    upto = (3,)
    ledger.add(created(2), ItemRepriced("item-1", AT, AT, 7, "EUR"))
    told = [
        offsets(list(frames(harness.portions.after((1,), wanted, upto).frames)))
        for wanted in (
            ALL,
            Wanted(("ItemRepriced",)),
            Wanted(("ItemCreated",)),
            Wanted(None, "item-2"),
        )
    ]
    assert told == [[2, 3], [3], [2], [2]]


def test_only_the_last_portions_are_kept(ledger: Any, harness: Harness) -> None:
    ledger.add(*(created(number) for number in range(100)))
    for number in range(99):
        harness.portions.after((number,), ALL, (number + 1,))
    assert len(harness.portions._entries) <= 64


def test_followers_at_different_places_have_the_looks_between_in_common(
    ledger: Any, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, reads = changes.read, list[Any]()

    def counting(*given: Any) -> Any:
        reads.append(given[1])
        return read(*given)

    monkeypatch.setattr(portions_module.changes, "read", counting)
    for number in range(1, 41):
        ledger.add(created(number))
        harness.portions.mark((number,))
    told = [
        (place, upto, harness.portions.after((place,), ALL, (upto,)))
        for upto in range(2, 41, 3)
        for place in range(1, upto)
    ]

    for place, upto, portion in told:
        assert offsets(list(frames(portion.frames))) == list(range(place + 1, upto + 1))
        assert (portion.end, portion.behind) == ((upto,), False)
    assert len(told) > 200
    assert len(reads) == len(set(reads)) == 37


def test_looks_at_a_ledger_that_was_set_back_are_forgotten(ledger: Any, harness: Harness) -> None:
    ledger.add(*(created(number) for number in range(9)))
    for place in (2, 5, 9, 3, 8):
        harness.portions.mark((place,))
    portion = harness.portions.after((3,), ALL, (8,))
    assert offsets(list(frames(portion.frames))) == [4, 5, 6, 7, 8]
    # Of before it was set back: there is no way from there to where it is now.
    assert offsets(list(frames(harness.portions.after((2,), ALL, (8,)).frames))) == [*range(3, 9)]
    assert len(harness.portions._steps) == 1
    assert not harness.portions.is_ahead((8,))
    assert harness.portions.is_ahead((9,))
    # What was read for those with a filter is of places that may be others' now.
    harness.portions.after((2,), Wanted(item_id="item-3"), (8,))
    assert harness.portions.ready((2,), Wanted(item_id="item-3"), (8,)) is not None
    assert harness.portions.mark((7,))
    assert harness.portions.ready((2,), Wanted(item_id="item-3"), (8,)) is None


def test_what_looks_have_in_common_is_bounded(
    ledger: Any, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.add(*(created(number) for number in range(1, 101)))
    for place in range(1, 101):
        harness.portions.mark((place,))
    assert len(harness.portions._steps) <= 64
    monkeypatch.setattr(portions_module, "_SIZE", 1000)
    place, seen = (50,), list[int]()
    while place != (100,):
        portion = harness.portions.after(place, ALL, (100,))
        assert len(portion.frames) < 2000
        seen += offsets(list(frames(portion.frames)))
        place = portion.end
        assert portion.behind is (place != (100,))
    assert seen == list(range(51, 101))


def test_who_may_not_stay_is_let_go(ledger: Any, harness: Harness) -> None:
    ledger.add(created(1))
    assert len(list(harness.streams.follow(harness.first(), ALL, lambda: False))) == 2


def test_a_database_that_is_away_for_a_while_ends_no_stream(
    ledger: Any, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.add(created(1))
    follower = harness.streams.follow(harness.first(), ALL, lambda: True)
    assert offsets(list(frames(next(follower) + next(follower)))) == [1]
    read, failures = changes.read, [OperationalError("SELECT", {}, Exception("away"))]

    def away(*given: Any) -> Any:
        if failures:
            raise failures.pop()
        return read(*given)

    monkeypatch.setattr(portions_module.changes, "read", away)
    ledger.add(created(2))
    got: list[Frame] = []
    while not got:
        got += [each for each in frames(next(follower)) if each.change is not None]
    follower.close()

    assert offsets(got) == [2]
    assert failures == []


def test_there_are_only_so_many_places_and_each_is_given_back_once(engine: Engine) -> None:
    harness = Harness(engine, most=2)
    one, other = harness.streams.enter(), harness.streams.enter()
    assert harness.streams.enter() is None
    assert one is not None
    one()
    one()
    assert harness.streams.count == 1
    assert harness.streams.enter() is not None
    assert harness.streams.enter() is None
    assert other is not None


def test_closing_lets_everybody_go(ledger: Any, harness: Harness) -> None:
    ledger.add(created(1))
    follower = harness.streams.follow(harness.first(), ALL, lambda: True)
    next(follower)
    closing = threading.Timer(0.1, harness.pulse.close)
    closing.start()
    assert all(each.change is None or each.change["offset"] == 1 for each in _all(follower))
    closing.join()


def _all(follower: Iterator[bytes]) -> list[Frame]:
    return [frame for piece in follower for frame in frames(piece)]
