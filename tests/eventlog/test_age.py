"""How long the oldest command waits."""

from eventlog import age as age_of
from eventlog.backlog import Extent
from runtime.positions import Position

ENDS = {1: 500}


class Age(age_of.Age):
    """Counts by itself what waits."""

    def seen(self, extents: list[Extent], now: float) -> float:
        return self.after(extents, [each.waiting(ENDS) for each in extents], now)


def extent(head: int, done: int | None, epoch: int = 1) -> Extent:
    return Extent(Position(0, epoch, head), None if done is None else Position(0, epoch, done))


def test_what_is_applied_does_not_wait() -> None:
    age = Age()

    assert age.seen([extent(5, 5)], 0.0) == 0.0
    assert age.seen([Extent(None, None)], 10.0) == 0.0


def test_a_command_waits_since_it_was_first_seen() -> None:
    age = Age()
    age.seen([extent(5, 5)], 0.0)
    age.seen([extent(6, 5)], 1.0)
    age.seen([extent(9, 5)], 2.0)

    assert age.seen([extent(9, 5)], 10.0) == 9.0
    assert age.seen([extent(9, 6)], 11.0) == 9.0
    assert age.seen([extent(9, 9)], 12.0) == 0.0


def test_the_oldest_of_all_partitions_is_told() -> None:
    age = Age()
    age.seen([extent(1, None), Extent(Position(1, 1, 1), None)], 0.0)

    assert age.seen([extent(1, 1), Extent(Position(1, 1, 1), None)], 7.0) == 7.0


def test_a_new_epoch_is_later_than_any_position_of_the_old_one() -> None:
    age = Age()
    age.seen([extent(500, 400)], 0.0)
    later = Extent(Position(0, 2, 3), Position(0, 2, 1))

    assert age.seen([later], 5.0) == 0.0
    assert age.seen([later], 9.0) == 4.0


def test_an_epoch_that_has_only_begun_has_nothing_that_waits() -> None:
    age = Age()
    restarted = Extent(Position(0, 2, 0), Position(0, 1, 500))

    assert age.seen([restarted], 0.0) == 0.0
    assert age.seen([restarted], 600.0) == 0.0
    assert age.seen([Extent(Position(0, 2, 1), Position(0, 1, 500))], 601.0) == 0.0
    assert age.seen([Extent(Position(0, 2, 1), Position(0, 1, 500))], 604.0) == 3.0


def test_a_backlog_of_a_day_is_told_to_the_second_and_little_is_remembered() -> None:
    age = Age()
    for second in range(86_400):
        told = age.seen([extent(second + 1, 0)], float(second))

    assert told == 86_399.0
