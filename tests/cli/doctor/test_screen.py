"""How the doctor's lines look on a terminal, and in a pipe."""

import io

import pytest
from rich.console import Console

from cli.doctor.finding import Doubt, Fine, Told
from cli.doctor.run import tell_finding

FINE = Told("log: answers", Fine("unix:///srv/itemledger/data/valkey/valkey.sock"))
DOUBT = Told(
    "folder: disk", Doubt("5 MiB free (1 %)", "make room on the disk of /srv/itemledger/data")
)


def told(width: int, *, terminal: bool = True) -> list[str]:
    console = Console(
        file=io.StringIO(), force_terminal=terminal, color_system=None, width=width, markup=False
    )
    for each in (FINE, DOUBT):
        tell_finding(console, each)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_in_a_pipe_a_check_is_a_line() -> None:
    fine, doubt = told(40, terminal=False)
    assert fine == "ok   log: answers          unix:///srv/itemledger/data/valkey/valkey.sock"
    assert doubt.endswith("(1 %); mend: make room on the disk of /srv/itemledger/data")


def test_on_a_terminal_the_mend_stands_below_what_was_seen() -> None:
    assert told(100) == [
        "ok   log: answers          unix:///srv/itemledger/data/valkey/valkey.sock",
        "warn folder: disk          5 MiB free (1 %)",
        "     mend: make room on the disk of /srv/itemledger/data",
    ]


@pytest.mark.parametrize("width", [52, 60, 70])
def test_on_a_narrow_terminal_lines_are_broken_between_words(width: int) -> None:
    lines = told(width)
    assert max(map(len, lines)) <= width
    assert lines[:2] == [
        "ok   log: answers",
        "     unix:///srv/itemledger/data/valkey/valkey.sock",
    ]
