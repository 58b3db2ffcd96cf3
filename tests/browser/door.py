"""The pages served by themselves, without a service behind them: where tokens are wanted nobody
comes further than the first; where none are, a test says what the command API answers.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fakeredis
from werkzeug.serving import WSGIRequestHandler, make_server

from eventlog.inspect import LogInspector
from ledger.engines import reading_engine
from readmodel.app import create_app
from runtime.auth.guard import Guard
from runtime.settings import Settings
from tests.ports import free_port
from tests.tokens import guard


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  as werkzeug calls it
        """Say nothing: the browser tells what matters."""


@contextmanager
def guarded_pages(folder: Path) -> Iterator[str]:
    """Serve them where tokens are wanted, and give their address."""
    port = free_port()
    settings = Settings(query_url=f"http://127.0.0.1:{port}", data=folder)
    with _pages(settings, f"sqlite:///{folder / 'none.db'}", port, guard(settings)) as url:
        yield url


@contextmanager
def open_pages(folder: Path, database: str) -> Iterator[str]:
    """Serve those of a database to everybody. The command API is below `/write`, where nothing is
    unless a test answers.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = Settings(query_url=url, command_url=f"{url}/write", data=folder)
    with _pages(settings, database, port, None) as served:
        yield served


@contextmanager
def _pages(settings: Settings, database: str, port: int, guard: Guard | None) -> Iterator[str]:
    engine = reading_engine(database)
    inspector = LogInspector(fakeredis.FakeRedis(), 1)
    app = create_app(settings, engine, inspector, guard=guard)
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        engine.dispose()
