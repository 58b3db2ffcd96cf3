"""uvicorn, with its own answers and endings made ours."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.problems import unreadable_request
from runtime.problems import PROBLEM_JSON
from runtime.settings import Settings

# Seconds that requests in hand have when the process is told to stop.
_SHUTDOWN = 5


class Server(uvicorn.Server):
    """Stops on SIGINT and SIGTERM and lets its process end with an exit code of its own; uvicorn
    would raise the signal again once it has stopped.
    """

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self.handle_exit, signum, None)
        yield


def make_server(app: object, settings: Settings) -> Server:
    """Make the server of the application at the settings' address."""

    class Protocol(HttpToolsProtocol):
        def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's own words
            """Answer what is no HTTP with a problem document too, and close the connection."""
            body = unreadable_request().body(settings.public_command_url)
            head = (
                "HTTP/1.1 400 Bad Request\r\n"
                f"content-type: {PROBLEM_JSON}\r\n"
                f"content-length: {len(body)}\r\n"
                "connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
            self.transport.close()

    return Server(
        uvicorn.Config(
            app,  # pyright: ignore[reportArgumentType]  any ASGI application
            host=settings.host,
            port=settings.command_port,
            http=Protocol,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN,
        )
    )
