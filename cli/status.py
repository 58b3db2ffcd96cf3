"""`itemledger status`: how far the service has taken its log, as a table."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import httpx
import orjson
import typer
from rich.console import Console
from rich.table import Table

from cli.reach import Service
from cli.refusals import UNREACHABLE, Refusal, first_line

_TIMEOUT = 10.0


def show_status(
    service: Service, *, as_json: bool, transport: httpx.BaseTransport | None = None
) -> None:
    """Print the status document of the query API, as tables or as it is.

    Raises Refusal where it cannot be had.
    """
    service.check()
    content = _fetch(service, transport)
    document = _read(service, content)
    if as_json:
        typer.echo(content)
        return
    console = Console(highlight=False)
    for name, value in document.items():
        match value:
            case [{}, *_]:
                console.print(_table(name, cast("Sequence[Mapping[str, Any]]", value)))
            case []:
                console.print(f"{name}: none")
            case {"level": _, "required": _}:
                _show_durability(console, cast("Mapping[str, Any]", value))
            case dict():
                facts = cast("Mapping[str, Any]", value).items()
                line = ", ".join(f"{key} {_shown(each)}" for key, each in facts)
                console.print(f"{name}: {line}", markup=False)
            case _:
                console.print(f"{name}: {_shown(value)}", markup=False)


def _show_durability(console: Console, facts: Mapping[str, Any]) -> None:
    """Show how safely the log is kept, and in a line of its own what it lacks."""
    shown = {
        "AOF": "on" if facts.get("appendonly") else "off",
        "appendfsync": _shown(facts.get("appendfsync")),
        "eviction": _shown(facts.get("eviction")),
        "memory": f"{_mib(facts.get('used_memory'))} of {_mib(facts.get('maxmemory'))} MiB",
        "replicas": _shown(facts.get("replicas")),
    }
    line = ", ".join(f"{name} {value}" for name, value in shown.items())
    level, required = facts["level"], facts["required"]
    console.print(f"durability: {level} ({required} is required), {line}", markup=False)
    if facts.get("lack"):
        console.print(f"not enough: {facts['lack']}", markup=False, style="bold red")


def _mib(size: object) -> str:
    # Redis tells 0 where there is no limit.
    return f"{size / (1 << 20):.0f}" if isinstance(size, int) and size else "-"


def _fetch(service: Service, transport: httpx.BaseTransport | None) -> bytes:
    try:
        with httpx.Client(
            transport=transport, trust_env=service.proxied, timeout=_TIMEOUT
        ) as client:
            answer = client.get(f"{service.url}/status")
    except httpx.TransportError as error:
        raise Refusal(
            f"cannot reach {service.url} ({first_line(error)}): {service.start}", UNREACHABLE
        ) from None
    if answer.status_code != HTTPStatus.OK:
        raise Refusal(
            f"{service.url} answers {answer.status_code} to /status: {service.start}", UNREACHABLE
        )
    return answer.content


def _read(service: Service, content: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "partitions" not in document:
        raise Refusal(
            f"{service.url} answers, but not as itemledger's query API: {service.mend}", UNREACHABLE
        )
    return cast("Mapping[str, Any]", document)


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Show rows under the members of the first one, numbers to the right."""
    table = Table(title=name, title_justify="left")
    for member, value in rows[0].items():
        number = isinstance(value, int | float)
        table.add_column(member.replace("_", " "), justify="right" if number else "left")
    for row in rows:
        table.add_row(*(_shown(row.get(member)) for member in rows[0]))
    return table


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
