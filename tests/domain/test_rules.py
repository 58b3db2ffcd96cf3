import pytest

from domain import rules
from domain.refusals import RuleBroken


@pytest.mark.parametrize("good", ["a", "85123A", "lamp-1", "A.b_c~d-9", "0" * 64])
def test_an_id_of_the_allowed_characters_is_taken(good: str) -> None:
    assert rules.item_id(good) == good


@pytest.mark.parametrize(
    "bad", ["", "-a", ".a", "BANK CHARGES", "a/b", "é", "a\n", "0" * 65, "a%20b", "a\0"]
)
def test_any_other_id_is_refused(bad: str) -> None:
    with pytest.raises(RuleBroken):
        rules.item_id(bad)


def test_a_name_is_trimmed_and_otherwise_kept() -> None:
    assert rules.name("  Ünï  ✓ ") == "Ünï  ✓"
    assert rules.name("x" * 200) == "x" * 200


@pytest.mark.parametrize(
    "bad", ["", "   ", "\u200b \u2060", "\u3000", "x" * 201, "a\nb", "a\0b", "a\x7fb", "a\x85b"]
)
def test_a_name_without_anything_to_see_or_with_control_characters_is_refused(bad: str) -> None:
    with pytest.raises(RuleBroken):
        rules.name(bad)


def test_a_description_keeps_its_line_breaks_but_has_no_nul() -> None:
    assert rules.description("a\n b ") == "a\n b "
    assert rules.description("x" * 10_000) == "x" * 10_000
    for bad in ("a\0", "x" * 10_001):
        with pytest.raises(RuleBroken):
            rules.description(bad)


def test_a_price_goes_from_nothing_to_the_largest_exact_integer_of_json() -> None:
    assert rules.price(0) == 0
    assert rules.price(2**53 - 1) == 2**53 - 1
    for bad in (-1, 2**53):
        with pytest.raises(RuleBroken):
            rules.price(bad)


def test_a_currency_is_one_of_iso_4217() -> None:
    assert rules.currency("GBP") == "GBP"
    for bad in ("eur", "XXX", "EURO", ""):
        with pytest.raises(RuleBroken):
            rules.currency(bad)
