"""`itemledger status`: how far the service has taken its log, as a table."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import httpx
import orjson
import typer
from rich.console import Console

from cli.lines import broken
from cli.reach import Service, away, catalogue, refused
from cli.refusals import FAILED, UNREACHABLE, Refusal
from cli.status_verdict import brief, is_full, is_red, verdict
from cli.tables import ALARM, Field, show_rows
from itemledger_client import NotFound, NotUnderstood, Problem, Unreachable
from runtime.times import now_ms, parse_rfc3339

_TIMEOUT = 10.0
_FOLDING = frozenset({"why", "error"})
# Members of workers: when they came to be how they are, and were last heard of.
_MOMENTS = frozenset({"since", "seen"})
# Numbers that are names: a partition's, and an epoch's, which is a moment in milliseconds.
_NAMES = frozenset({"partition", "epoch"})
# What an operator needs first comes first; what is in none of these comes last.
_ORDER = (
    "dead",
    "parked",
    "durability",
    "pump",
    "totals",
    "gaps",
    "workers",
    "builds",
    "partitions",
    "projections",
)


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
    return 0 if verdict(document).well else FAILED


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


def print_status(console: Console, document: Mapping[str, Any], lines: int | None = None) -> None:
    """Print a verdict on a status document, and the document as tables, in so many lines if that is
    said: tables that have no room, the last ones first, are told in a line each.
    """
    judged = verdict(document)

    def judge(page: Console) -> None:
        _say(page, judged.line, alarm=not judged.well)
        if not judged.well:
            _say(page, f"backlog: {judged.backlog}")

    drawn = [_drawn(console, judge)]
    places = {name: place for place, name in enumerate(_ORDER)}
    names = sorted(document, key=lambda name: places.get(name, len(places)))
    drawn += [
        _drawn(console, lambda page, name=name: _show(page, name, document)) for name in names
    ]
    for place in range(len(names), 0, -1):
        if lines is None or sum(each.count("\n") for each in drawn) <= lines:
            break
        name = names[place - 1]
        match document[name]:
            case [{}, *_] as rows:
                line = brief(name, cast("Sequence[Mapping[str, Any]]", rows))
                drawn[place] = _drawn(console, lambda page, line=line: _say(page, line))
            case _:
                pass
    console.file.write("".join(drawn))


def page_like(console: Console, file: io.StringIO) -> Console:
    """Make a console that writes what another one would."""
    return Console(
        file=file,
        width=console.width,
        force_terminal=console.is_terminal,
        color_system=console.color_system,  # pyright: ignore[reportArgumentType]  its names
        highlight=False,
        markup=False,
    )


def _drawn(console: Console, draw: Callable[[Console], None]) -> str:
    file = io.StringIO()
    draw(page_like(console, file))
    return file.getvalue()


def _show(console: Console, name: str, document: Mapping[str, Any]) -> None:
    match document[name]:
        case [{}, *_] as rows:
            _show_list(console, name, cast("Sequence[Mapping[str, Any]]", rows))
        case [] if name == "workers" and is_full(document.get("durability")):
            # They say how they are in Redis, which takes nothing from them.
            _say(console, "workers: not heard of (Redis is full)")
        case []:
            _say(console, f"{name}: none", alarm=name == "workers")
        case str() as value if name == "pump":
            _say(console, f"{name}: {value}", alarm=value != "ok")
        case int() as value if name == "dead":
            _say(console, f"{name}: {_shown(console, value)}", alarm=bool(value))
        case {"level": _, "required": _} as facts:
            _show_durability(console, cast("Mapping[str, Any]", facts))
        case value if isinstance(value, dict):
            facts = cast("Mapping[str, Any]", value).items()
            line = ", ".join(f"{key} {_shown(console, each)}" for key, each in facts)
            _say(console, f"{name}: {line}")
        case value:
            _say(console, f"{name}: {_shown(console, value)}")


def _say(console: Console, line: str, *, alarm: bool = False) -> None:
    """Print a line, which on a narrow terminal goes on in others."""
    told = broken(line, console.width if console.is_terminal else None, hang=2)
    console.print(told, style=ALARM if alarm else None, soft_wrap=True)


def _show_durability(console: Console, facts: Mapping[str, Any]) -> None:
    """Show how safely the log is kept, and in lines of their own why nothing is accepted."""
    memory = f"{_mib(console, facts.get('used_memory'))} of {_mib(console, facts.get('maxmemory'))}"
    shown = {
        "AOF": "on" if facts.get("appendonly") else "off",
        "appendfsync": _shown(console, facts.get("appendfsync")),
        "eviction": _shown(console, facts.get("eviction")),
        "memory": f"{memory} MiB",
        "replicas": _shown(console, facts.get("replicas")),
    }
    line = ", ".join(f"{name} {value}" for name, value in shown.items())
    level, required = facts["level"], facts["required"]
    _say(console, f"durability: {level} ({required} is required), {line}")
    why = [facts.get("lack")]
    if facts.get("short_of_memory"):
        why.append(
            "the memory of the log's Redis is nearly full: it is freed as commands are applied; or "
            "CONFIG SET maxmemory to more there"
        )
    for each in filter(None, why):
        _say(console, f"no command is accepted: {each}", alarm=True)


def _mib(console: Console, size: object) -> str:
    # Redis tells 0 where there is no limit.
    return _shown(console, round(size / (1 << 20))) if isinstance(size, int) and size else "-"


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
            else _shown(console, row.get(member), is_name=member in _NAMES)
            for member in rows[0]
        ]
        for row in rows
    ]
    alarms = {place for place, row in enumerate(rows) if is_red(row)}
    show_rows(console, fields, cells, name, alarms)


def _ago(now: int, moment: object) -> str:
    """Say how long ago a moment was, by this machine's clock."""
    seconds = max(0, now - parse_rfc3339(str(moment))) // 1000
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _shown(console: Console, value: object, *, is_name: bool = False) -> str:
    """Write a value: a number for people with commas, unless it is what something is called."""
    match value:
        case None:
            return "-"
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}" if console.is_terminal and not is_name else str(value)
        case float():
            return f"{value:,.1f}" if console.is_terminal else f"{value:.1f}"
        case _:
            return orjson.dumps(value).decode()
