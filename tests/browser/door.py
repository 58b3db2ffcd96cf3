"""The pages served by themselves, without a service behind them: where tokens are wanted nobody
comes further than the first; where none are, a test says what the command API answers.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import fakeredis
from werkzeug.serving import WSGIRequestHandler, make_server

from eventlog.inspect import LogInspector
from ledger.engines import reading_engine
from readmodel.app import create_app
from runtime.auth.guard import Guard
from runtime.settings import Settings
from tests.engines import put_away
from tests.ports import free_port
from tests.tokens import guard


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  as werkzeug calls it
        """Say nothing: the browser tells what matters."""


@contextmanager
def guarded_pages(folder: Path) -> Iterator[str]:
    """Serve them where tokens are wanted, and give their address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = Settings(query_url=url, data=folder)
    none = f"sqlite:///{folder / 'none.db'}"
    with _pages(settings, none, guard(settings)) as app, _served(port, app):
        yield url


class OpenPages:
    """Those of one database after the other at one address, for everybody. The command API is below
    `/write`, where nothing is unless a test answers.
    """

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._settings = Settings(query_url=self.url, command_url=f"{self.url}/write", data=folder)
        self._app: WSGIApplication | None = None

    @contextmanager
    def served(self) -> Iterator[None]:
        with _served(self._port, self):
            yield

    @contextmanager
    def of(self, database: str) -> Iterator[str]:
        """Show those of a database; gives their address."""
        with _pages(self._settings, database, None) as app:
            self._app = app
            try:
                yield self.url
            finally:
                self._app = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        assert self._app is not None, "asked for by a page that nobody looks at any more"
        return self._app(environ, start_response)


@contextmanager
def _pages(settings: Settings, database: str, guard: Guard | None) -> Iterator[WSGIApplication]:
    engine = reading_engine(database)
    try:
        yield create_app(settings, engine, LogInspector(fakeredis.FakeRedis(), 1), guard=guard)
    finally:
        put_away(engine)


@contextmanager
def _served(port: int, app: WSGIApplication) -> Iterator[None]:
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
