"""How a log line looks to a person: the time, the room in a colour of its own, what happened."""

import os
from collections.abc import Mapping

from structlog.dev import Column, ConsoleRenderer, plain_traceback

_RESET = "\x1b[0m"
_DIM = "\x1b[2m"
# By process; others have none.
_ROOMS: Mapping[str, str] = {
    "api": "\x1b[36m",
    "query": "\x1b[34m",
    "worker": "\x1b[32m",
    "cron": "\x1b[35m",
    "up": "\x1b[1m",
}
_LEVELS: Mapping[str, str] = {
    "debug": _DIM,
    "warning": "\x1b[33m",
    "error": "\x1b[1;31m",
    "critical": "\x1b[1;31m",
}
_WIDTH = max(map(len, _ROOMS))


def wants_colours(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether whoever owns the terminal has not asked for plain text (https://no-color.org)."""
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def line_renderer(*, colours: bool) -> ConsoleRenderer:
    """Make the last processor of a person's log: one line per thing that happened, and below it the
    traceback where there is one.
    """

    def painted(style: str | None, text: str) -> str:
        return f"{style}{text}{_RESET}" if style and colours else text

    def moment(key: str, value: object) -> str:  # noqa: ARG001  structlog names it
        return painted(_DIM, str(value))

    def room(key: str, value: object) -> str:  # noqa: ARG001  structlog names it
        return painted(_ROOMS.get(str(value)), f"{value!s:<{_WIDTH}}")

    def level(key: str, value: object) -> str:  # noqa: ARG001  structlog names it
        name = str(value)
        return "" if name == "info" else painted(_LEVELS.get(name), f"{name}:")

    def event(key: str, value: object) -> str:  # noqa: ARG001  structlog names it
        return _printable(str(value))

    def fact(key: str, value: object) -> str:
        text = str(value)
        # What came from outside must not write to the terminal as it likes, nor look like two.
        shown = text if text.isprintable() and text and " " not in text else repr(text)
        return f"{painted(_DIM, f'{key}=')}{shown}"

    return ConsoleRenderer(
        columns=[
            Column("timestamp", moment),
            Column("process", room),
            Column("level", level),
            Column("event", event),
            Column("", fact),
        ],
        exception_formatter=plain_traceback,
    )


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]
