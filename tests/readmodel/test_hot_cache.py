"""Items in memory are as they stand, in so many bytes, or they are not there."""

import gc
import random
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from readmodel.hot.answers import Forms, Rendered
from readmodel.hot.cache import ItemCache
from readmodel.hot.row import ItemRow
from runtime.positions import Point, Position
from tests.readmodel.operated import Monotonic

IN_STEP = frozenset({"items"})
FORMS = Forms()
ITEMS = ["lamp", "cup", "jug"]


def at(n: int, history: str = "h") -> Point:
    return Point(1, n, n, f"{history}{n}")


def row(version: int, point: Point) -> ItemRow:
    body = f'{{"version":{version}}}'.encode()
    return ItemRow(version, body, 1, 0, point, is_in_step=True, lost_upto=0)


@dataclass(slots=True)
class Heard:
    """A cache that has listened for a while: partition 0 is at 10."""

    clock: Monotonic = field(default_factory=Monotonic)
    limit: int = 1 << 20
    cache: ItemCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = ItemCache(self.limit, self.clock)
        self.beat(10)
        self.beat(10)

    def beat(self, n: int, in_step: frozenset[str] = IN_STEP) -> None:
        self.cache.beat("w", 0, at(n), in_step)

    def moved(self, before: int, after: int, *items: str) -> None:
        self.cache.moved(0, at(before), at(after), IN_STEP, items, gap=False)

    def keep(self, read: ItemRow, item_id: str = "lamp") -> None:
        self.cache.keep(item_id, read, Rendered(read.version, read.body, FORMS))

    def version(self, item_id: str = "lamp", token: Position | None = None) -> int | None:
        found = self.cache.find(item_id, token)
        return None if found is None else found.version


@pytest.fixture
def heard() -> Heard:
    made = Heard()
    made.keep(row(1, at(10)))
    assert made.version() == 1
    return made


def test_a_notice_of_an_item_takes_it_out_and_leaves_the_others(heard: Heard) -> None:
    heard.keep(row(5, at(10)), "cup")
    heard.moved(10, 11, "lamp")
    assert heard.version() is None
    assert heard.version("cup") == 5


def test_a_slow_reader_can_not_put_in_what_a_notice_has_named_since(heard: Heard) -> None:
    slow = row(1, at(10))
    heard.moved(10, 11, "lamp")
    heard.keep(slow)
    assert heard.version() is None
    heard.keep(row(2, at(11)))
    assert heard.version() == 2


def test_a_reader_who_is_ahead_of_the_notice_may_put_in_what_it_read(heard: Heard) -> None:
    heard.keep(row(2, at(11)))
    assert heard.version() == 2


def test_of_two_readers_the_one_who_saw_more_is_believed(heard: Heard) -> None:
    # Both are ahead of the notices.
    heard.keep(row(3, at(12)))
    heard.keep(row(2, at(11)))
    assert heard.version() == 3


def test_after_the_ledger_went_back_a_lower_version_is_believed(heard: Heard) -> None:
    heard.keep(row(3, at(10)))
    for _ in range(3):
        heard.beat(7)
    heard.keep(row(2, at(7)))
    assert heard.version() == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda heard: heard.moved(11, 12, "cup"),
        lambda heard: heard.cache.moved(0, at(9, "x"), at(10, "x"), IN_STEP, (), gap=False),
        lambda heard: heard.cache.moved(0, at(10), at(11), IN_STEP, (), gap=True),
        lambda heard: heard.beat(11),
        lambda heard: heard.beat(9),
        lambda heard: heard.beat(10, frozenset({"items_2"})),
        lambda heard: heard.beat(10, frozenset()),
        lambda heard: heard.cache.forget(),
        lambda heard: setattr(heard.clock, "now", heard.clock.now + 2.5),
    ],
    ids=[
        "a missed notice",
        "another history",
        "a gap in the log",
        "a beat that is ahead",
        "a beat that is behind",
        "a switch of slots",
        "a view that is detached",
        "a connection that ended",
        "no beat any more",
    ],
)
def test_what_may_have_been_missed_is_not_answered(
    heard: Heard, spoil: Callable[[Heard], None]
) -> None:
    spoil(heard)
    assert heard.version() is None


@pytest.mark.parametrize("n", [9, 11], ids=["behind", "ahead"])
def test_what_was_not_known_for_a_while_does_not_come_back(heard: Heard, n: int) -> None:
    heard.beat(n)
    heard.clock.now += 1
    heard.beat(n)
    heard.beat(n)
    assert heard.version() is None
    assert heard.cache.figures().sure == 1


def test_what_was_read_from_a_slot_that_is_not_in_step_is_not_kept(heard: Heard) -> None:
    heard.keep(replace(row(2, at(10)), is_in_step=False), "cup")
    heard.keep(replace(row(2, at(10)), slot=2), "jug")
    assert (heard.version("cup"), heard.version("jug")) == (None, None)


def test_what_belongs_to_a_partition_that_nobody_told_of_is_not_kept(heard: Heard) -> None:
    heard.keep(replace(row(2, at(10)), partition=7), "cup")
    assert heard.version("cup") is None


@pytest.mark.parametrize(
    ("token", "version"),
    [
        (Position(0, 1, 10), 1),
        (Position(0, 1, 1), 1),
        (Position(0, 1, 11), None),
        (Position(0, 2, 1), None),
        (Position(0, 0, 1), None),
        (Position(1, 1, 1), None),
    ],
)
def test_a_token_is_covered_or_the_item_is_not_answered(
    heard: Heard, token: Position, version: int | None
) -> None:
    assert heard.version(token=token) == version


def test_a_token_of_a_lost_command_is_not_covered(heard: Heard) -> None:
    heard.keep(replace(row(1, at(10)), lost_upto=4))
    assert heard.version(token=Position(0, 1, 4)) is None
    assert heard.version(token=Position(0, 1, 5)) == 1


def test_an_item_that_nothing_happened_to_is_as_fresh_as_its_partition(heard: Heard) -> None:
    heard.moved(10, 11, "cup")
    assert heard.version(token=Position(0, 1, 11)) == 1


def test_a_cache_of_no_size_keeps_nothing() -> None:
    heard = Heard(limit=0)
    heard.keep(row(1, at(10)))
    assert heard.version() is None


def test_no_more_is_kept_than_fits_and_what_is_asked_for_stays() -> None:
    heard = Heard(limit=100_000)
    for number in range(2_000):
        heard.keep(row(1, at(10)), f"item-{number}")
        assert heard.cache.figures().size <= 100_000
        assert heard.version("item-0") == 1
    figures = heard.cache.figures()
    assert 20 < figures.entries < 200
    assert heard.version("item-1") is None


def test_an_item_that_does_not_fit_is_not_kept_and_drives_out_nothing_for_good() -> None:
    heard = Heard(limit=10_000)
    huge = replace(row(1, at(10)), body=b"x" * 20_000)
    heard.keep(huge)
    assert heard.version() is None
    assert heard.cache.figures().size == 0


def test_what_is_counted_is_what_it_takes() -> None:
    rows = [
        replace(row(number % 9 + 1, at(10)), body=str(number).encode() * 50)
        for number in range(20_000)
    ]
    heard = Heard(limit=1 << 30)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number, each in enumerate(rows):
        heard.keep(each, f"item-{number:010}")
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The bodies were there before.
    taken = after - before + sum(sys.getsizeof(each.body) for each in rows)
    assert 0.9 * taken <= heard.cache.figures().size <= 1.25 * taken


class World:
    """A ledger that goes on. What it tells comes late, in any order or never, and readers are slow;
    each worker's beats come one after the other, but may be late, too.
    """

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311  a test's dice
        self.clock = Monotonic()
        self.cache = ItemCache(1 << 20, self.clock)
        self.versions = [dict.fromkeys(ITEMS, 1)]
        self.told: list[tuple[int, tuple[str, ...]]] = []
        self.beats: dict[str, int | None] = {"w": None, "v": None}
        self.reads: list[tuple[str, int]] = []
        self.heard_of = dict.fromkeys(ITEMS, 1)
        self.hits = 0

    def some(self, waiting: list[Any]) -> Any:
        """Take the one that waits longest, mostly."""
        first = self.dice.random() < 0.98
        return waiting.pop(0 if first else self.dice.randrange(len(waiting)))

    def commit(self) -> None:
        changed = tuple(self.dice.sample(ITEMS, self.dice.randrange(3)))
        now = self.versions[-1]
        self.versions.append({each: now[each] + (each in changed) for each in ITEMS})
        if self.dice.random() < 0.98:
            self.told.append((len(self.versions) - 1, changed))

    def hear(self) -> None:
        if self.told:
            n, changed = self.some(self.told)
            self.cache.moved(0, at(n - 1), at(n), IN_STEP, changed, gap=False)
            for each in changed:
                self.heard_of[each] = max(self.heard_of[each], self.versions[n][each])

    def beat(self) -> None:
        worker = self.dice.choice(list(self.beats))
        n = self.beats[worker]
        if n is not None:
            self.cache.beat(worker, 0, at(n), IN_STEP)
        self.beats[worker] = len(self.versions) - 1 if n is None else None

    def begin_to_read(self) -> None:
        self.reads.append((self.dice.choice(ITEMS), len(self.versions) - 1))

    def end_to_read(self) -> None:
        if self.reads:
            item_id, n = self.some(self.reads)
            read = row(self.versions[n][item_id], at(n))
            self.cache.keep(item_id, read, Rendered(read.version, read.body, FORMS))

    def ask(self) -> None:
        item_id = self.dice.choice(ITEMS)
        n = self.dice.randrange(max(0, len(self.versions) - 5), len(self.versions))
        found = self.cache.find(item_id)
        if found is not None:
            self.hits += 1
            assert found.version >= self.heard_of[item_id]
        covered = self.cache.find(item_id, Position(0, 1, n))
        if covered is not None:
            assert covered.version >= self.versions[n][item_id]


@pytest.mark.parametrize("seed", range(30))
def test_nobody_reads_what_is_older_than_the_last_notice(seed: int) -> None:
    world = World(seed)
    steps = [world.commit, *3 * [world.hear], *4 * [world.beat]]
    steps += [*3 * [world.begin_to_read], *4 * [world.end_to_read], *4 * [world.ask]]
    for _ in range(5_000):
        world.clock.now += world.dice.random() / 20
        world.dice.choice(steps)()
    assert world.hits > 20
