from runtime.measures import Histogram
from runtime.metrics import Exposition, Metric, Reading
from tests.figures import Scrape

LAMPS = Metric("itemledger_lamps", "gauge", "Lamps.", ("room",))
SALES = Metric("itemledger_sales_total", "counter", "Sales.")
PRICES = Metric("itemledger_prices", "histogram", "Prices.", ("shop",))


def told(reading: Reading) -> bytes:
    return Exposition((LAMPS, SALES, PRICES), lambda: reading).text()


def test_what_was_found_is_written_as_prometheus_reads_it() -> None:
    reading, prices = Reading(), Histogram((1.0, 2.5))
    for price in (0.5, 2.0, 2.0, 7.0):
        prices.observe(price)
    reading.put(LAMPS, 2, 'of "Anna"\n\\ Ünïcode')
    reading.put(LAMPS, 0.5, 7)
    reading.put(SALES, 12_345_678_901)
    reading.spread(PRICES, prices.seen(), "north")
    found = Scrape.of(told(reading).decode())

    assert found.by("itemledger_lamps", "room") == {'of "Anna"\n\\ Ünïcode': 2, "7": 0.5}
    assert found.value("itemledger_sales_total") == 12_345_678_901
    assert found.by("itemledger_prices_bucket", "le") == {"1": 1, "2.5": 3, "+Inf": 4}
    assert found.value("itemledger_prices_count", shop="north") == 4
    assert found.value("itemledger_prices_sum", shop="north") == 11.5


def test_what_is_not_known_is_named_and_has_no_value() -> None:
    reading = Reading()
    reading.put(LAMPS, None, "attic")
    found = Scrape.of(told(reading).decode())
    assert {name: family.samples for name, family in found.families.items()} == {
        "itemledger_lamps": [],
        "itemledger_sales_total": [],
        "itemledger_prices": [],
    }


def test_nothing_is_read_before_somebody_asks_and_then_anew_each_time() -> None:
    asked: list[Reading] = []

    def read() -> Reading:
        asked.append(Reading())
        return asked[-1]

    exposition = Exposition((LAMPS,), read)
    assert asked == []
    exposition.text()
    exposition.text()
    assert len(asked) == 2
