"""What stands beside a bar, in words for who has not seen one of ours."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from cli import progress as bars
from cli.progress import time_left


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3_599, "59 min 59 s"), (7_260, "2 h 1 min")],
)
def test_how_long_something_goes_on_is_told_with_its_units(seconds: float, told: str) -> None:
    assert time_left(seconds) == told


def shown(monkeypatch: pytest.MonkeyPatch, width: int, done: int, seconds: float) -> str:
    """Show a bar of a million rows of which some were done in so many seconds."""
    now = 0.0

    def console(**_: Any) -> Console:
        return Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width)

    def clock() -> float:
        return now

    monkeypatch.setattr(bars, "Console", console)
    bar: Progress = bars.progress("rows, 12,345 rejected")
    bar.get_time = clock
    task = bar.add_task("", total=1_000_000)
    for part in range(11):
        now = seconds * part / 10
        bar.update(task, completed=done * part // 10)
    bar.console.print(bar.get_renderable())
    return bar.console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("width", "count"),
    [(60, "250,000 rows"), (80, "250,000 rows"), (90, "250,000 of 1,000,000 rows")],
)
def test_a_bar_fits_into_a_line_and_tells_what_is_left(
    monkeypatch: pytest.MonkeyPatch, width: int, count: str
) -> None:
    (line,) = shown(monkeypatch, width, 250_000, 25).splitlines()
    assert line.startswith(" 25 % ")
    assert count in line
    assert "10,000/s" in line
    assert "1 min 15 s left" in line


def test_nothing_is_told_of_the_time_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    line = shown(monkeypatch, 80, 0, 25)
    assert "left" not in line
    assert "-" not in line


def test_what_has_ended_is_told_with_how_fast_it_went_in_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = shown(monkeypatch, 80, 1_000_000, 25)
    assert "40,000/s" in line
    assert "left" not in line
