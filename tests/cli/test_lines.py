"""Lines on a terminal: broken between words, so that what is copied is whole."""

import os
import pty
from io import StringIO

import pytest

from cli.lines import broken, columns, tell

REFUSAL = (
    "itemledger: cannot reach http://127.0.0.1:8001 (Connection refused): start it with "
    "`itemledger up --data /tmp/x`, or mend --query-url"
)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 500])
def test_a_line_is_broken_between_words_and_loses_none(width: int) -> None:
    lines = broken(REFUSAL, width, 2).split("\n")
    assert all(len(line) <= width or len(line.split("`")[0].split()) <= 1 for line in lines)
    assert all(line.startswith("  ") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == REFUSAL


def test_what_is_to_be_copied_stays_in_one_piece() -> None:
    assert any("`itemledger up --data /tmp/x`," in line for line in broken(REFUSAL, 40).split("\n"))
    hash_ = "f" * 64
    assert hash_ in broken(f"Partition 0: 20 events; --expect 0:20:{hash_}", 40, 2)


def test_columns_within_a_line_are_kept() -> None:
    assert broken("  Pages        http://a/   (in a browser)", 30, 15) == (
        "  Pages        http://a/   (in\n               a browser)"
    )


def test_each_line_of_several_is_broken_by_itself() -> None:
    assert broken("\none two\nthree", 4, 1) == "\none\n two\nthree"


def test_where_no_terminal_is_a_line_stays_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell("word " * 100 + "end")
    assert capsys.readouterr().out == "word " * 100 + "end\n"
    assert columns(StringIO()) is None


def test_a_terminal_says_how_wide_it_is_unless_somebody_else_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs, ours = pty.openpty()
    with os.fdopen(ours, "w") as stream:
        monkeypatch.setenv("COLUMNS", "33")
        assert columns(stream) == 33
        monkeypatch.delenv("COLUMNS")
        # Nobody has told this terminal.
        assert columns(stream) is None
    os.close(theirs)
