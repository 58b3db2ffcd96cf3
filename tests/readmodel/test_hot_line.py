"""What is known of a partition by what was heard of it, in whatever order and with whatever left
out.
"""

import pytest

from readmodel.hot.line import Line
from runtime.positions import Point

W = "w"


def at(n: int, history: str = "h") -> Point:
    return Point(1, n, n, f"{history}{n}")


@pytest.fixture
def line() -> Line:
    """A line that has heard enough: the ledger is at 10."""
    made = Line()
    made.beat(W, at(10), 0.0)
    made.beat(W, at(10), 1.0)
    assert (made.is_sure, made.last) == (True, at(10))
    return made


def test_one_who_has_just_begun_to_listen_is_not_sure() -> None:
    line = Line()
    assert not line.is_sure
    line.beat(W, at(10), 0.0)
    # It may have been looked up before we listened, and what came after may have been told then.
    assert not line.is_sure
    line.beat(W, at(10), 1.0)
    assert line.is_sure


def test_a_line_that_begins_with_a_notice_waits_for_two_beats() -> None:
    line = Line()
    assert line.moved(at(9), at(10), 0.0)
    assert (line.is_sure, line.last) == (False, at(10))
    line.beat(W, at(10), 0.5)
    assert not line.is_sure
    line.beat(W, at(10), 1.5)
    assert line.is_sure


def test_notices_that_follow_one_another_leave_all_else_known(line: Line) -> None:
    assert line.moved(at(10), at(12), 2.0)
    assert line.moved(at(12), at(13), 2.0)
    assert (line.is_sure, line.last) == (True, at(13))


def test_after_a_missed_notice_nothing_is_known_and_all_goes_on(line: Line) -> None:
    assert not line.moved(at(11), at(12), 2.0)
    assert (line.is_sure, line.last) == (True, at(12))


def test_a_notice_that_comes_after_its_successor_changes_nothing_more(line: Line) -> None:
    assert not line.moved(at(11), at(12), 2.0)
    assert line.moved(at(10), at(11), 2.1)
    assert (line.is_sure, line.last) == (True, at(12))


def test_a_notice_that_comes_twice_changes_nothing(line: Line) -> None:
    line.moved(at(10), at(11), 2.0)
    assert line.moved(at(10), at(11), 2.0)
    assert (line.is_sure, line.last) == (True, at(11))


def test_while_a_beat_is_ahead_of_the_notices_nothing_is_sure(line: Line) -> None:
    assert line.beat(W, at(11), 2.0)
    assert not line.is_sure
    assert line.moved(at(10), at(11), 2.1)
    assert line.is_sure


def test_a_notice_short_of_what_a_beat_knows_is_not_enough(line: Line) -> None:
    line.beat(W, at(12), 2.0)
    assert line.moved(at(10), at(11), 2.1)
    assert not line.is_sure


def test_a_notice_that_never_comes_is_made_up_for_by_the_next_beat(line: Line) -> None:
    line.beat(W, at(11), 2.0)
    assert not line.beat(W, at(11), 3.0)
    assert (line.is_sure, line.last) == (True, at(11))


def test_a_notice_that_is_on_the_way_is_not_given_up_at_once(line: Line) -> None:
    line.beat(W, at(11), 2.0)
    assert line.beat(W, at(11), 2.1)
    assert (line.is_sure, line.last) == (False, at(10))


def test_a_beat_that_is_a_little_late_says_nothing_against_notices(line: Line) -> None:
    line.moved(at(10), at(11), 2.0)
    assert line.beat(W, at(10), 2.1)
    assert (line.is_sure, line.last) == (True, at(11))


def test_a_beat_of_long_ago_makes_unsure_until_there_is_another(line: Line) -> None:
    line.moved(at(10), at(11), 2.0)
    line.beat(W, at(11), 3.0)
    assert not line.beat(W, at(10), 6.0)
    assert (line.is_sure, line.last) == (False, at(11))
    line.beat(W, at(11), 7.0)
    assert line.is_sure


def test_a_database_that_was_set_back_is_followed(line: Line) -> None:
    assert not line.beat(W, at(7), 2.0)
    assert not line.is_sure
    assert not line.beat(W, at(7), 3.0)
    line.beat(W, at(7), 4.0)
    assert (line.is_sure, line.last) == (True, at(7))


def test_a_database_that_was_set_back_and_goes_another_way_is_noticed_at_once(line: Line) -> None:
    # One batch takes it beyond where it was before.
    assert not line.moved(at(7), at(12, "other"), 2.0)
    assert line.last == at(12, "other")


def test_another_history_of_the_same_length_is_not_taken_for_this_one(line: Line) -> None:
    assert not line.moved(at(9, "a"), at(10, "a"), 2.0)
    assert not line.is_sure


def test_a_notice_of_another_history_does_not_follow(line: Line) -> None:
    assert not line.moved(at(10, "other"), at(11, "other"), 2.0)


def test_a_new_epoch_follows_the_old_one(line: Line) -> None:
    later = Point(2, 1, 11, "h11")
    assert line.moved(at(10), later, 2.0)
    assert (line.is_sure, line.last) == (True, later)


def test_positions_without_events_move_it_too(line: Line) -> None:
    refused = Point(1, 11, 10, "h10")
    assert line.moved(at(10), refused, 2.0)
    assert line.last == refused


def test_beats_of_two_workers_that_were_held_up_set_nothing_back(line: Line) -> None:
    line.moved(at(10), at(11), 2.0)
    line.beat(W, at(11), 5.0)
    line.beat("held up", at(8), 6.0)
    line.beat("held up, too", at(7), 7.0)
    assert (line.is_sure, line.last) == (False, at(11))
    line.beat("held up", at(11), 8.0)
    assert line.is_sure


def test_a_worker_s_first_beat_clears_no_doubt(line: Line) -> None:
    line.moved(at(9, "a"), at(10, "a"), 2.0)
    line.beat(W, at(10), 2.1)
    assert not line.is_sure
    line.beat(W, at(10), 3.1)
    assert line.is_sure
