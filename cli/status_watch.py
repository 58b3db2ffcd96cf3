"""`itemledger status --watch`: the same again every second, until Ctrl-C."""

import io
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import Any

import httpx
import orjson
import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.lines import broken
from cli.reach import Service
from cli.refusals import UNREACHABLE, Refusal
from cli.status import ask_status, page_like, print_status
from cli.tables import ALARM

_EVERY = 1.0


def watch_status(
    service: Service,
    *,
    as_json: bool,
    transport: httpx.BaseTransport | None = None,
    console: Console | None = None,
    wait: Callable[[float], object] | None = None,
) -> None:
    """Show the status document anew every second: in place on a terminal, else one after the other,
    with `as_json` one a line. Ctrl-C ends it.

    A service that goes away meanwhile is said to be away, and waited for. Raises Refusal where it
    can not be reached at first, or does not take the token.
    """
    service.check()
    pause = wait or threading.Event().wait
    # Who ends it has seen enough.
    with suppress(KeyboardInterrupt):
        first = ask_status(service, transport)
        with ExitStack() as screen:
            show = _Lines() if as_json else _Tables(service.url, console, screen)
            show.found(first)
            while True:
                pause(_EVERY)
                try:
                    show.found(ask_status(service, transport))
                except Refusal as refusal:
                    if refusal.code != UNREACHABLE:
                        raise
                    show.missed(refusal)


class _Lines:
    """One document a line; what can not be had is told beside them."""

    def found(self, document: Mapping[str, Any]) -> None:
        typer.echo(orjson.dumps(document))

    def missed(self, refusal: Refusal) -> None:
        typer.echo(str(refusal), err=True)


class _Tables:
    """Tables of the last document there was; on a terminal in one place of it, for as long as the
    `screen` is open.
    """

    def __init__(self, url: str, console: Console | None, screen: ExitStack) -> None:
        self._url = url
        self._console = console or Console(highlight=False, markup=False)
        self._live: Live | None = None
        self._head = ""
        self._style: str | None = None
        if self._console.is_terminal:
            # What is shown in place goes when it ends; the last of it is written whole then, which
            # may be more lines than the terminal has.
            screen.callback(lambda: self._console.file.write(self._drawn(None)))
            self._live = screen.enter_context(
                Live(console=self._console, auto_refresh=False, transient=True)
            )
        self._last: Mapping[str, Any] | None = None
        self._at = ""

    def found(self, document: Mapping[str, Any]) -> None:
        self._last, self._at = document, _now()
        self._show(f"{self._url} at {self._at}")

    def missed(self, refusal: Refusal) -> None:
        told = f"{_now()}: {refusal}\nWhat follows is of {self._at}."
        self._show(told, style=ALARM)

    def _show(self, head: str, style: str | None = None) -> None:
        self._head, self._style = head, style
        if self._live is None:
            self._console.file.write(self._drawn(None) + "\n")
            self._console.file.flush()
        else:
            # The line that the cursor stands on is one of the terminal's.
            most = self._console.height - 1
            lines = self._drawn(most).splitlines()
            shown = lines if len(lines) <= most else [*lines[: most - 1], "…"]
            self._live.update(Text.from_ansi("\n".join(shown)), refresh=True)

    def _drawn(self, most: int | None) -> str:
        """Write it all, in so many lines at most where that can be done."""
        file = io.StringIO()
        page = page_like(self._console, file)
        width = page.width if page.is_terminal else None
        page.print(broken(self._head, width), style=self._style, soft_wrap=True)
        if self._last is not None:
            rest = None if most is None else most - file.getvalue().count("\n")
            print_status(page, self._last, rest)
        return file.getvalue()


def _now() -> str:
    """Tell the time of this machine's clock, where it is."""
    return datetime.now().astimezone().strftime("%H:%M:%S")
