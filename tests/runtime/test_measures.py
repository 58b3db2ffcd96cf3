import threading

from runtime.measures import Histogram, Requests, Spread


def test_a_value_counts_in_the_first_bound_that_is_not_below_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        histogram.observe(value)
    assert histogram.seen() == Spread((1.0, 2.0), (2, 2, 1), 7.5)


def test_two_histograms_of_the_same_bounds_add_up() -> None:
    histogram, other = Histogram((1.0,)), Histogram((1.0,))
    histogram.observe(0.5)
    other.observe(3.0)
    histogram.add(other.seen())
    assert histogram.seen() == Spread((1.0,), (1, 1), 3.5)


def test_requests_of_many_threads_are_all_counted() -> None:
    requests = Requests()
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        for _ in range(2000):
            requests.count("GET", "/items", "200", 0.25)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = requests.seen()

    assert seen.counts == {("GET", "/items", "200"): 16_000}
    assert sum(seen.seconds["GET", "/items"].counts) == 16_000
    assert seen.seconds["GET", "/items"].total == 4000


def test_a_method_that_is_none_is_counted_with_all_others() -> None:
    requests = Requests()
    for method in ("BREW", "get", "M-SEARCH"):
        requests.count(method, "other", "405", 0.1)
    assert requests.seen().counts == {("other", "other", "405"): 3}
