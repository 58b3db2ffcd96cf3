"""How far something is that takes long, shown to whoever sits at a terminal."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    """How many of them a second, as it went lately."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


class _Share(ProgressColumn):
    """How much of all, where it is known how much that is."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.percentage:>3.0f} %")


class _Count(ProgressColumn):
    """How many of how many, where both are known."""

    def render(self, task: Task) -> Text:
        told = "" if task.total is None else f"{task.completed:,.0f} of {task.total:,.0f}"
        return Text(told, style="progress.download")


# Columns of a terminal that what is told takes beside a bar, and those that a bar takes at most.
_BESIDE, _BAR = 64, 40


def progress(beside: str, *, transient: bool = False, rated: bool = True) -> Progress:
    """Make a bar with a text beside the count, how fast it goes unless the text says so (`rated`),
    and the time that is left; disabled where standard error is no terminal.
    """
    console = Console(stderr=True)
    bar = min(console.width - _BESIDE, _BAR)
    return Progress(
        _Share(),
        *([BarColumn(bar_width=bar)] if bar > 0 else []),
        _Count(),
        TextColumn(beside),
        *([_Rate()] if rated else []),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=transient,
    )
