"""How far something is that takes long, shown to whoever sits at a terminal."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    """How many of them a second, as it went lately."""

    def render(self, task: Task) -> Text:
        # What ended within a moment has no other: how fast it went in all.
        taken = task.finished_time
        speed = task.completed / taken if taken else task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


class _Share(ProgressColumn):
    """How much of all, where it is known how much that is."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.percentage:>3.0f} %")


class _Count(ProgressColumn):
    """How many of how many, where both are known; where there is no room, the share says the
    rest.
    """

    def __init__(self, *, narrow: bool) -> None:
        super().__init__()
        self._narrow = narrow

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        of = "" if self._narrow else f" of {task.total:,.0f}"
        return Text(f"{task.completed:,.0f}{of}", style="progress.download")


class _Left(ProgressColumn):
    """How long it takes from here on, as it goes now; nothing where that is not known."""

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        if left is None or task.total is None or task.finished:
            return Text("")
        return Text(f"{time_left(left)} left", style="progress.remaining")


def time_left(seconds: float) -> str:
    """Write for how long something goes on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


# Columns of a terminal below which a count is told alone; what stands beside a bar takes, alone and
# not; and a bar takes at most.
_NARROW, _BESIDE_ALONE, _BESIDE, _BAR = 90, 62, 78, 40


def progress(beside: str, *, transient: bool = False, rated: bool = True) -> Progress:
    """Make a bar with a text beside the count, how fast it goes unless the text says so (`rated`),
    and the time that is left; disabled where standard error is no terminal.
    """
    console = Console(stderr=True)
    narrow = console.width < _NARROW
    bar = min(console.width - (_BESIDE_ALONE if narrow else _BESIDE), _BAR)
    return Progress(
        _Share(),
        *([BarColumn(bar_width=bar)] if bar > 0 else []),
        _Count(narrow=narrow),
        TextColumn(beside),
        *([_Rate()] if rated else []),
        _Left(),
        console=console,
        disable=not console.is_terminal,
        transient=transient,
    )
