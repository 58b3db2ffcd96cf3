"""The pages where tokens are wanted, served by themselves: nobody comes further than the first."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fakeredis
from werkzeug.serving import WSGIRequestHandler, make_server

from eventlog.inspect import LogInspector
from ledger.engines import reading_engine
from readmodel.app import create_app
from runtime.settings import Settings
from tests.journey import free_ports
from tests.tokens import guard


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  as werkzeug calls it
        """Say nothing: the browser tells what matters."""


@contextmanager
def guarded_pages(folder: Path) -> Iterator[str]:
    """Serve them, and give their address."""
    port, _ = free_ports()
    url = f"http://127.0.0.1:{port}"
    settings = Settings(query_url=url, data=folder)
    engine = reading_engine(f"sqlite:///{folder / 'none.db'}")
    inspector = LogInspector(fakeredis.FakeRedis(), 1)
    app = create_app(settings, engine, inspector, guard=guard(settings))
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        engine.dispose()
