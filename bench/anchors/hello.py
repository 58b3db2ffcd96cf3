"""Flask's hello world as JSON, on a server of one's choice.

    gunicorn bench.anchors.hello:app
    ITEMLEDGER_QUERY_PORT=8001 python -m bench.anchors.hello granian
    ITEMLEDGER_QUERY_PORT=8001 python -m bench.anchors.hello ours

granian with one thread is the fastest we know for it; ours is that of the query API, where Flask
works in threads beside a loop.
"""

import asyncio
import sys
from typing import Any

from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server

from readmodel.front.bridge import Bridge
from readmodel.front.hands import Hands
from readmodel.problem_codes import BAD_REQUEST
from readmodel.turns import Turns
from runtime.serving import Words, loop_factory, make_server
from runtime.settings import Settings

_WORKING = 2

app = Flask(__name__)


@app.get("/")
def hello() -> dict[str, str]:
    return {"message": "Hello, World!"}


def _on_granian(settings: Settings) -> None:
    server: Any = Server(
        "hello",
        address=settings.host,
        port=settings.query_port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        blocking_threads=1,
        log_level=LogLevels.warning,
    )
    server.serve(target_loader=lambda: app, wrap_loader=False)


async def _nobody(*_: object) -> None:
    """Feed nobody: it has no streams."""


def _on_ours(settings: Settings) -> None:
    bridge = Bridge(app.wsgi_app, Hands(_WORKING), Turns(_WORKING, 0), _nobody)
    words = Words(settings.public_query_url, BAD_REQUEST)
    server = make_server(bridge, settings.host, settings.query_port, words, lifespan=False)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(server.serve())


def main() -> None:
    {"granian": _on_granian, "ours": _on_ours}[sys.argv[1]](Settings())


if __name__ == "__main__":
    main()
