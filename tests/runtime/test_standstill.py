from runtime.standstill import Standstill, verdict


def test_what_was_first_to_wait_at_two_looks_was_so_all_the_time_between() -> None:
    standstill = Standstill()
    assert standstill.after({0: "a"}, 5) == {0: 0}
    assert standstill.after({0: "a"}, 3605) == {0: 3600}


def test_another_place_begins_anew_and_so_does_one_that_nobody_waited_at_in_between() -> None:
    standstill = Standstill()
    standstill.after({0: "a", 1: "x"}, 5)
    assert standstill.after({0: "b"}, 15) == {0: 0}
    assert standstill.after({0: "b", 1: "x"}, 20) == {0: 5, 1: 0}


def test_looks_that_come_late_tell_no_negative_time() -> None:
    standstill = Standstill()
    standstill.after({0: "a"}, 5)
    assert standstill.after({0: "a"}, 4.9) == {0: 0}
    assert standstill.after({0: "a"}, 6) == {0: 1}


def test_a_verdict_names_the_partition_or_counts_them_and_tells_the_longest_time() -> None:
    assert verdict({}) is None
    assert verdict({0: 9.99, 1: 0}) is None
    one, two = verdict({0: 9.99, 3: 10.4}), verdict({0: 11, 3: 75.2})
    assert one is not None
    assert "in partition 3 and nothing has moved there for 10 s" in one
    assert two is not None
    assert "in 2 partitions and nothing has moved there for 75 s" in two
