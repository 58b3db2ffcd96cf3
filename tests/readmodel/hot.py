"""The layer in front of Flask, and Flask behind it, asked the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from werkzeug.test import EnvironBuilder

from readmodel.hot.cache import ItemCache
from runtime.positions import Point
from tests.readmodel.operated import EPOCH, Monotonic

ITEMS = frozenset({"items"})


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as the server gets it, headers in their order."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(slots=True)
class Hot:
    """An application whose cache hears what the test tells it."""

    app: Flask
    cache: ItemCache
    clock: Monotonic
    asked_flask: int = field(default=0)

    def __post_init__(self) -> None:
        behind = Flask.wsgi_app

        def counted(environ: Any, start_response: Any) -> Iterable[bytes]:
            self.asked_flask += 1
            return behind(self.app, environ, start_response)

        # The layer holds what stood behind it when it was made.
        layer: Any = self.app.wsgi_app
        layer._flask = counted

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Answered:
        """Ask the service as it is."""
        return _asked(self.app.wsgi_app, path, headers, method)

    def ask_flask(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Answered:
        """Ask Flask alone."""

        def flask(environ: Any, start_response: Any) -> Iterable[bytes]:
            return Flask.wsgi_app(self.app, environ, start_response)

        return _asked(flask, path, headers, method)

    def beat(self, ledger: Any, partition: int = 0) -> None:
        """Let a worker say where the ledger is."""
        self.cache.beat("w", partition, here(ledger), ITEMS)

    def listen(self, ledger: Any) -> None:
        """Let it have listened for a while."""
        self.beat(ledger)
        self.beat(ledger)


def here(ledger: Any) -> Point:
    return Point(EPOCH, ledger.n, ledger.offset, f"hash-{ledger.offset}")


def _asked(app: Any, path: str, headers: Mapping[str, str] | None, method: str) -> Answered:
    environ = EnvironBuilder(path, headers=dict(headers or {}), method=method).get_environ()
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        started[:] = [status, list(headers)]

    written = app(environ, start_response)
    body = b"".join(written)
    if hasattr(written, "close"):
        written.close()
    return Answered(started[0], started[1], body)
