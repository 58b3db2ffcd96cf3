"""Cursors: what was written is read back, and nothing else."""

import pytest

from readmodel.cursors import BadCursor, Cursors, FeedCursors
from readmodel.places import LATER_VERSIONS, Kind, is_of


def test_a_long_name_is_packed_and_read_back() -> None:
    cursors = Cursors("key")
    place = ["la " * 66, "item-1"]
    written = cursors.write(place, "items")
    assert len(written) < 150
    assert cursors.read(written, "items") == place


def test_a_short_text_that_becomes_a_very_long_one_is_no_cursor() -> None:
    cursors = Cursors("key")
    written = cursors.write([[]] * 200_000, "items")
    assert len(written) < 1_500
    with pytest.raises(BadCursor):
        cursors.read(written, "items")


def test_what_is_packed_wrong_is_no_cursor() -> None:
    cursors = Cursors("key")
    signer = cursors._serializer.make_signer(b'["items"]')
    for payload in (b".bm90IHBhY2tlZA", b".%%%", b"."):
        with pytest.raises(BadCursor):
            cursors.read(signer.sign(payload).decode(), "items")


@pytest.mark.parametrize("place", [(), (0,), (1, 0, 4702), (10**18 - 1,)])
def test_a_place_in_the_feed_is_read_back(place: tuple[int, ...]) -> None:
    cursors = FeedCursors("key")
    assert cursors.read(cursors.write(place)) == place


# The default key is known to everybody.
@pytest.mark.parametrize(
    "signed",
    [
        "-",
        "x",
        "1-",
        "-1",
        "1--2",
        "1.5",
        "+1",
        " 1",
        "1\n",
        "1_0",
        "\u0661",
        "9" * 19,
        "9" * 5_000,
    ],
)
def test_what_is_signed_and_no_place_is_no_cursor_of_the_feed(signed: str) -> None:
    cursors = FeedCursors("key")
    with pytest.raises(BadCursor):
        cursors.read(cursors._signer.sign(signed).decode())


@pytest.mark.parametrize(
    ("kind", "place", "fits"),
    [
        (int, 5, True),
        (int, -1, True),
        (int, True, False),
        (int, 2**63, False),
        (int, 5.0, False),
        (LATER_VERSIONS, 2, True),
        (LATER_VERSIONS, 1, False),
        (LATER_VERSIONS, -1, False),
        (LATER_VERSIONS, 2.0, False),
        (LATER_VERSIONS, True, False),
        (LATER_VERSIONS, "2", False),
        (LATER_VERSIONS, 2**63, False),
        (str, "a", True),
        (str, "a\0", False),
        (str, "\ud800", False),
        (str, "a" * 1_001, False),
        ((int, str), [5, "a"], True),
        ((int, str), ["a", 5], False),
        ((int, str), [5], False),
        ((int, str), [5, "a", "b"], False),
        ((str,), "a", False),
        ((str,), {"a": 1}, False),
    ],
)
def test_a_place_is_of_its_kind(kind: Kind, place: object, *, fits: bool) -> None:
    assert is_of(kind, place) is fits
