"""`itemledger status`: how far the service has taken its log, as a table."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx
import orjson
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.table import Table

from cli.reach import Service, away, catalogue, refused
from cli.refusals import FAILED, UNREACHABLE, Refusal
from itemledger_client import NotFound, NotUnderstood, Problem, Unreachable
from runtime.times import now_ms, parse_rfc3339

_TIMEOUT = 10.0
# The least width of a column whose values may go over several lines.
_FOLDED = 20
_FOLDING = frozenset({"why", "error"})
# Members of workers: when they came to be how they are, and were last heard of.
_MOMENTS = frozenset({"since", "seen"})
_ALARM = "bold red"
_DETACHED = "detached"


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
    """Print rows with every value whole: as a table where a terminal is wide enough for it, else
    one line per row, parted by tabs. `alarms` are the places of those that are to be seen first.
    """
    names = [field.name for field in fields]
    widths = [
        min(_FOLDED, longest) if field.folds else longest
        for field, *values in zip(fields, names, *rows, strict=True)
        for longest in [max(map(cell_len, values))]
    ]
    # A border before each column, a space on either side of its values, and the last border.
    if console.is_terminal and sum(widths) + 3 * len(fields) + 1 <= console.width:
        table = Table(title=title or None, title_justify="left")
        for field in fields:
            table.add_column(
                field.name,
                justify="right" if field.number else "left",
                no_wrap=not field.folds,
                overflow="fold",
            )
        for place, row in enumerate(rows):
            table.add_row(*row, style=_ALARM if place in alarms else None)
        console.print(table)
        return
    lines = [*([[title]] if title else []), names, *rows]
    first = len(lines) - len(rows)
    for place, line in enumerate(lines, -first):
        # Not by `print`, which makes spaces of tabs.
        text = "\t".join(line)
        is_red = place in alarms and console.is_terminal and not console.no_color
        console.file.write(f"{Style.parse(_ALARM).render(text) if is_red else text}\n")


def show_status(
    service: Service, *, as_json: bool, transport: httpx.BaseTransport | None = None
) -> int:
    """Print the status document of the query API, as tables or as it is, and return the exit code.

    Raises Refusal where it cannot be had.
    """
    document = ask_status(service, transport)
    if as_json:
        typer.echo(orjson.dumps(document))
    else:
        print_status(Console(highlight=False, markup=False), document)
    return FAILED if _has_problems(document) else 0


def _has_problems(document: Mapping[str, Any]) -> bool:
    """Say whether there is anything that is shown in red."""
    durability = cast("Mapping[str, Any]", document.get("durability") or {})
    return (
        document.get("pump", "ok") != "ok"
        or bool(document.get("dead"))
        or bool(durability.get("lack") or durability.get("short_of_memory"))
        or any(each["state"] == _DETACHED for each in document.get("projections", ()))
    )


def ask_status(service: Service, transport: httpx.BaseTransport | None = None) -> Mapping[str, Any]:
    """Ask the query API for its status document. Raises Refusal where it cannot be had."""
    try:
        with catalogue(service, transport, _TIMEOUT) as opened:
            document = opened.status()
    except Unreachable as error:
        raise away(service, error) from None
    except NotFound:
        raise Refusal(
            f"{service.url} answers 404 to /status: not as itemledger's query API: {service.mend}",
            UNREACHABLE,
        ) from None
    except Problem as problem:
        raise refused(service, "/status", problem, service.start) from None
    except NotUnderstood:
        document = None
    if document is None or "partitions" not in document:
        raise Refusal(
            f"{service.url} answers, but not as itemledger's query API: {service.mend}", UNREACHABLE
        )
    return document


def print_status(console: Console, document: Mapping[str, Any]) -> None:
    """Print a status document as tables."""
    for name, value in document.items():
        match value:
            case [{}, *_]:
                _show_list(console, name, cast("Sequence[Mapping[str, Any]]", value))
            case [] if name == "workers" and _is_full(document.get("durability")):
                # They say how they are in Redis, which takes nothing from them.
                console.print("workers: not heard of (Redis is full)", soft_wrap=True)
            case []:
                console.print(f"{name}: none")
            case str() if name == "pump":
                style = None if value == "ok" else _ALARM
                console.print(f"{name}: {value}", style=style, soft_wrap=True)
            case int() if name == "dead":
                console.print(f"{name}: {value}", style=_ALARM if value else None)
            case {"level": _, "required": _}:
                _show_durability(console, cast("Mapping[str, Any]", value))
            case dict():
                facts = cast("Mapping[str, Any]", value).items()
                line = ", ".join(f"{key} {_shown(each)}" for key, each in facts)
                console.print(f"{name}: {line}", soft_wrap=True)
            case _:
                console.print(f"{name}: {_shown(value)}", soft_wrap=True)


def _show_durability(console: Console, facts: Mapping[str, Any]) -> None:
    """Show how safely the log is kept, and in lines of their own why nothing is accepted."""
    shown = {
        "AOF": "on" if facts.get("appendonly") else "off",
        "appendfsync": _shown(facts.get("appendfsync")),
        "eviction": _shown(facts.get("eviction")),
        "memory": f"{_mib(facts.get('used_memory'))} of {_mib(facts.get('maxmemory'))} MiB",
        "replicas": _shown(facts.get("replicas")),
    }
    line = ", ".join(f"{name} {value}" for name, value in shown.items())
    level, required = facts["level"], facts["required"]
    console.print(f"durability: {level} ({required} is required), {line}", soft_wrap=True)
    why = [facts.get("lack")]
    if facts.get("short_of_memory"):
        why.append(
            "the memory of the log's Redis is nearly full: it is freed as commands are applied; or "
            "CONFIG SET maxmemory to more there"
        )
    for each in filter(None, why):
        console.print(f"no command is accepted: {each}", style=_ALARM, soft_wrap=True)


def _is_full(durability: object) -> bool:
    match durability:
        case {"used_memory": int(used), "maxmemory": int(limit)}:
            return 0 < limit < used
        case _:
            return False


def _mib(size: object) -> str:
    # Redis tells 0 where there is no limit.
    return f"{size / (1 << 20):.0f}" if isinstance(size, int) and size else "-"


def _show_list(console: Console, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Show rows under the members of the first one, numbers to the right."""
    fields = [
        Field(member.replace("_", " "), isinstance(value, int | float), folds=member in _FOLDING)
        for member, value in rows[0].items()
    ]
    now = now_ms()
    cells = [
        [
            _ago(now, row.get(member))
            if console.is_terminal and member in _MOMENTS
            # Programs that read it are better served with the moment itself.
            else _shown(row.get(member))
            for member in rows[0]
        ]
        for row in rows
    ]
    alarms = {place for place, row in enumerate(rows) if row.get("state") == _DETACHED}
    show_rows(console, fields, cells, name, alarms)


def _ago(now: int, moment: object) -> str:
    """Say how long ago a moment was, by this machine's clock."""
    seconds = max(0, now - parse_rfc3339(str(moment))) // 1000
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool() | str():
            return str(value)
        case int():
            # An epoch is a moment in milliseconds, so numbers stay as they can be searched for.
            return str(value)
        case float():
            return f"{value:.1f}"
        case _:
            return orjson.dumps(value).decode()
