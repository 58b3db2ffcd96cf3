import pytest

from runtime.preferences import read_preferences, seconds_to_wait


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ([], {}),
        (["wait=5"], {"wait": "5"}),
        (["WAIT = 5 ; foo=bar, return=minimal"], {"wait": "5", "return": "minimal"}),
        (['wait="5"', "respond-async"], {"wait": "5", "respond-async": ""}),
        (["wait=5, wait=9", "wait=1"], {"wait": "5"}),
        (["=5, a b, wait=5 5, handling=strict"], {"handling": "strict"}),
        ([",,", "☀=1"], {}),
    ],
)
def test_what_is_malformed_is_left_out_and_the_first_of_a_name_counts(
    headers: list[str], asked: dict[str, str]
) -> None:
    assert read_preferences(headers) == asked


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("7", 7), ("007", 7), ("30", 30), ("31", 30), ("9" * 5000, 30), ("0" * 5000, 0)],
)
def test_seconds_are_capped_however_many_digits_they_have(text: str, seconds: int) -> None:
    assert seconds_to_wait({"wait": text}) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", "x", "٣"])
def test_what_is_no_number_of_seconds_does_not_wait(text: str) -> None:
    assert seconds_to_wait({"wait": text}) == 0
