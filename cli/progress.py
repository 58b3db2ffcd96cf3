"""How far something is that takes long, shown to whoever sits at a terminal."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


def progress(beside: str, *, transient: bool = False) -> Progress:
    """Make a bar with a text beside the count; disabled where standard error is no terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.percentage:>3.0f} %"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(beside),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=transient,
    )
