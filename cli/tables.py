"""Rows, shown with every value whole, however narrow a terminal is; for programs a line each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from cli.lines import broken

# The least width of a column whose values may go over several lines.
_FOLDED = 20
ALARM = "bold red"


@dataclass(frozen=True, slots=True)
class Field:
    """A column of rows; only where it `folds` may a value of it go over several lines."""

    name: str
    number: bool = False
    folds: bool = False


def show_rows(
    console: Console,
    fields: Sequence[Field],
    rows: Sequence[Sequence[str]],
    title: str = "",
    alarms: Collection[int] = (),
) -> None:
    """Print rows: on a terminal as a table, with lines around it where it is wide enough for them,
    or, where it is too narrow for a table, each row as a list of its values. Elsewhere a line per
    row, parted by tabs. `alarms` are the places of those that are to be seen first.
    """
    if not console.is_terminal:
        for line in [*([[title]] if title else []), [field.name for field in fields], *rows]:
            # Not by `print`, which makes spaces of tabs.
            console.file.write("\t".join(line) + "\n")
        return
    names = [field.name for field in fields]
    # A border before each column, a space on either side of its values, and the last border.
    if sum(_widths(fields, names, rows)) + 3 * len(fields) + 1 <= console.width:
        console.print(_table(fields, names, rows, alarms, title, bare=False))
        return
    names = [name.replace(" ", "\n") for name in names]
    if sum(_widths(fields, names, rows)) + len(fields) <= console.width:
        console.print(_table(fields, names, rows, alarms, title, bare=True))
        return
    _show_lists(console, fields, rows, title, alarms)


def _widths(
    fields: Sequence[Field], names: Sequence[str], rows: Sequence[Sequence[str]]
) -> list[int]:
    values = [[*name.split("\n"), *row] for name, *row in zip(names, *rows, strict=True)]
    longest = [max(map(cell_len, each)) for each in values]
    return [
        min(_FOLDED, width) if field.folds else width
        for field, width in zip(fields, longest, strict=True)
    ]


def _table(
    fields: Sequence[Field],
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    alarms: Collection[int],
    title: str,
    *,
    bare: bool,
) -> Table:
    table = Table(
        title=title or None,
        title_justify="left",
        box=None if bare else box.HEAVY_HEAD,
        padding=(0, 1, 0, 0) if bare else (0, 1),
        pad_edge=not bare,
    )
    for name, field in zip(names, fields, strict=True):
        table.add_column(
            name,
            justify="right" if field.number else "left",
            vertical="top",
            no_wrap=not field.folds,
            overflow="fold",
        )
    for place, row in enumerate(rows):
        table.add_row(*row, style=ALARM if place in alarms else None)
    return table


def _show_lists(
    console: Console,
    fields: Sequence[Field],
    rows: Sequence[Sequence[str]],
    title: str,
    alarms: Collection[int],
) -> None:
    width = max(cell_len(field.name) for field in fields) + 2
    if title:
        console.print(title, style="italic", soft_wrap=True)
    for place, row in enumerate(rows):
        if place:
            console.print()
        for field, value in zip(fields, row, strict=True):
            line = broken(f"  {field.name:<{width}}{value}", console.width, width + 2)
            console.print(line, style=ALARM if place in alarms else None, soft_wrap=True)
