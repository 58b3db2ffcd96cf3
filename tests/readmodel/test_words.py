"""What the words of a text are, in any script."""

# ruff: noqa: RUF001  letters that look like others are what is tried

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readmodel.views.words import fold, words_asked, words_of, written
from tests.readmodel.catalogues import texts

ASSIGNED = [
    each
    for each in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(each) not in {"Cn", "Co", "Cs"}
]


def test_letters_digits_and_marks_in_a_row_are_a_word() -> None:
    assert words_of("White hanging T-light holder, 12.5 cm (a_b)") == {
        "white",
        "hanging",
        "t",
        "light",
        "holder",
        "12",
        "5",
        "cm",
        "a",
        "b",
    }
    assert words_of("हिन्दी عربي עברית 한국어") == {"हिन्दी", "عربي", "עברית", "한국어"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("STRASSE", "straße"),
        ("ẞ", "ss"),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
        ("éclair", "e\u0301clair"),
        ("ＦＵＬＬ", "full"),
        ("ﾊﾝｶｸ ｶﾞ", "ハンカク ガ"),
        ("ﬁne ﬂask", "fine flask"),
        ("m²", "M2"),
        ("№ 5", "no 5"),
        ("soft\u00adhyphen", "softhyphen"),
        ("می\u200cخواهم", "میخواهم"),
        ("❤\ufe0f", "❤"),
        ("a\u034f\u0301", "á"),
        # Turkish capitals, by Turkish rules and by those of everybody else.
        ("İSTANBUL", "istanbul"),
        ("ISPARTA", "ısparta"),
        ("ışık", "IŞIK"),
        ("I\u0307\u0307", "i"),
    ],
)
def test_forms_of_one_text_have_the_same_words(one: str, other: str) -> None:
    assert words_of(one) == words_of(other)


def test_accents_make_a_difference() -> None:
    assert words_of("Äpfel") != words_of("Apfel")


def test_where_no_blanks_are_written_any_two_neighbours_are_found() -> None:
    assert words_of("日本語") == {"日本", "本語", "語"}
    assert words_asked("日本語") == ("日本", "本語")
    assert words_asked("語") == ("語",)
    assert words_of("TVテレビ台") == {"tv", "テレ", "レビ", "ビ台", "台"}
    assert words_of("เสื้อ") == {"เส", "สื", "ื้", "้อ", "อ"}
    assert words_of("zero\u200bwidth") == {"zero", "width"}


def test_an_emoji_is_a_word_and_an_adornment_is_none() -> None:
    assert words_of("🎈Balloon👩\u200d🔧 ®©60°") == {"🎈", "balloon", "👩", "🔧", "60"}


@pytest.mark.parametrize(
    "text", ["", " ", "!!!", "'\"\\*:&|", "\0\x1b\ud800", "®", "€+~^", "\u200b"]
)
def test_what_has_no_letter_has_no_word(text: str) -> None:
    assert words_of(text) == set()
    assert words_asked(text) == ()


def test_half_a_character_parts_words() -> None:
    assert words_of("a\ud83cb\0c") == {"a", "b", "c"}


def test_of_a_long_word_the_beginning_counts() -> None:
    assert words_of("x" * 201) == words_of("x" * 5000) == {"x" * 200}
    assert words_asked("x" * 201) == ("x" * 200,)


def test_words_that_another_one_begins_with_are_not_asked_for() -> None:
    assert words_asked("lamps LAMP la lamps zoo") == ("lamps", "zoo")


def test_words_are_written_in_the_order_of_code_points() -> None:
    assert written({"b", "a", "🎈", "é", "ab"}) == "'a' 'ab' 'b' 'é' '🎈'"


def test_every_character_folds_to_what_folds_to_itself() -> None:
    different = [each for each in ASSIGNED if fold(fold(each)) != fold(each)]
    assert different == []


def test_every_character_is_found_in_every_case_and_form() -> None:
    def variants(character: str) -> list[str]:
        forms = [unicodedata.normalize(form, character) for form in ("NFC", "NFD", "NFKC", "NFKD")]
        return [*forms, character.upper(), character.lower(), character.title()]

    different = [
        each for each in ASSIGNED if any(fold(variant) != fold(each) for variant in variants(each))
    ]
    assert different == []


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=60) | texts())
def test_a_word_has_nothing_that_an_engine_could_take_for_something_else(text: str) -> None:
    for word in words_of(text) | set(words_asked(text)):
        assert 0 < len(word) <= 200
        assert all(
            each.isascii() is False or each in "abcdefghijklmnopqrstuvwxyz0123456789"
            for each in word
        )
        assert word.split() == [word]
        word.encode()


@settings(max_examples=200, deadline=None)
@given(text=texts(), begin=st.integers(0, 30), length=st.integers(1, 30), data=st.data())
def test_the_beginning_of_a_word_is_found(
    text: str, begin: int, length: int, data: st.DataObject
) -> None:
    mine = words_of(text)
    for word in mine:
        beginning = word[: data.draw(st.integers(1, len(word)))]
        asked = words_asked(beginning)
        assert all(any(each.startswith(part) for each in mine) for part in asked)


@settings(max_examples=200, deadline=None)
@given(text=texts(), other=texts())
def test_a_text_is_found_by_itself_whatever_stands_beside_it(text: str, other: str) -> None:
    mine = words_of(f"{other}\n{text}\n{other}")
    assert all(any(each.startswith(part) for each in mine) for part in words_asked(text))
