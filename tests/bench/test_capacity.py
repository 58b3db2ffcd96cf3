from dataclasses import replace

from bench.capacity import Capacity, Measured, Wanted, capacity, measured, told

FOUND = Measured(accepted=1000, applied=800, read=2000, logged=600, event=1500)
SHOP = Wanted(commands=10, reads=100, per_day=100_000, years=1, hours=8)


def test_a_small_shop_has_two_of_each_process_and_the_fewest_partitions() -> None:
    assert capacity(SHOP, FOUND) == Capacity(
        api=2,
        workers=2,
        query=2,
        partitions=8,
        log_memory=100_000 / 3 * 600 / 0.75,
        database_disk=100_000 * 365 * 1500,
    )


def test_processes_are_counted_on_for_half_of_what_one_did() -> None:
    counted = capacity(replace(SHOP, commands=4_000, reads=8_001), FOUND)
    assert (counted.api, counted.workers, counted.query) == (8, 10, 9)


def test_there_are_partitions_for_four_times_the_workers_as_a_power_of_two() -> None:
    assert capacity(replace(SHOP, commands=4_000), FOUND).partitions == 64
    assert capacity(replace(SHOP, commands=10_000_000), FOUND).partitions == 1024


def test_the_log_holds_the_busiest_quarter_of_an_hour_where_that_is_more() -> None:
    counted = capacity(replace(SHOP, commands=1_000, hours=0), FOUND)
    assert counted.log_memory == 1_000 * 900 * 600 / 0.75


def test_it_counts_by_the_report_that_is_there() -> None:
    found = measured()
    assert 0 < found.logged < found.event < 100_000
    lines = dict(told(SHOP, capacity(SHOP, found)))
    assert lines["workers"] == "2 processes"
    assert lines["disk of the database after 1 years"].endswith(" GiB")
