import pytest

from readmodel.web.moments import ago, span
from runtime.times import rfc3339
from tests.readmodel.web.stock import AT


@pytest.mark.parametrize(
    ("seconds", "said", "since"),
    [
        (0.04, "0.0 s", "just now"),
        (9.96, "10 s", "just now"),
        (59.6, "1 min 0 s", "59 seconds ago"),
        (61, "1 min 1 s", "1 minute ago"),
        (7_322, "2 h 2 min", "2 hours ago"),
        (200_000, "2 d 7 h", "2 days ago"),
    ],
)
def test_spans_are_told_in_the_units_that_matter(seconds: float, said: str, since: str) -> None:
    assert span(seconds) == said
    assert ago(rfc3339(AT), AT + int(seconds * 1000)) == since
    # Clocks differ.
    assert ago(rfc3339(AT + 5000), AT) == "just now"
