"""uvicorn, with its own answers and endings made ours."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.problem_codes import BAD_REQUEST
from runtime.auth.codes import HEADERS_TOO_LARGE
from runtime.problem_pages import ProblemCode
from runtime.problems import PROBLEM_JSON, Problem
from runtime.response_headers import HEADERS_LIMIT, SECURITY_HEADERS, URL_LIMIT
from runtime.settings import Settings

# Seconds that requests in hand have when the process is told to stop.
_SHUTDOWN = 5
# Seconds for which a connection may be idle. Longer than clients and proxies keep theirs: it must
# not be closed by us just when the next request is on its way.
_KEEP_ALIVE = 75
# How long what is still on its way after a refusal is read and forgotten.
_FORGOTTEN_SECONDS = 5
# What is kept in memory of a head until it is whole; then its parts are looked at.
_HEAD_LIMIT = 2 * (URL_LIMIT + HEADERS_LIMIT)


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
        # Bytes of a head that has not come to its end, as far as they are known to be its own.
        _head = 0
        _in_head = False
        _idle = True
        _begun = 0
        _refused = False

        def data_received(self, data: bytes) -> None:
            if self._refused:
                return  # Read and forgotten: a connection closed on it would be reset.
            was_idle, self._begun = self._idle, 0
            super().data_received(data)
            if not self._begun:
                self._head += len(data)
            else:
                self._head = len(data) if was_idle and self._begun == 1 else 0
            if self._in_head and self._head > _HEAD_LIMIT and not self._refused:
                self._refuse(HEADERS_TOO_LARGE, "the headers of the request do not come to an end")

        def on_message_begin(self) -> None:
            self._in_head, self._idle = True, False
            self._begun += 1
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._in_head = False
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._idle = True
            super().on_message_complete()

        def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's own words
            """Answer what is no HTTP with a problem document too, and close the connection."""
            self._refuse(BAD_REQUEST, "the request does not follow the rules of HTTP/1.1")

        def _refuse(self, code: ProblemCode, detail: str) -> None:
            problem = Problem(code.status, code.code, code.title, detail)
            body = problem.body(settings.public_command_url)
            told = {
                "content-type": PROBLEM_JSON,
                "content-length": str(len(body)),
                "connection": "close",
                "cache-control": "no-store",
                **SECURITY_HEADERS,
            }
            lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
            status = HTTPStatus(code.status)
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n"
            self._refused = True
            self.transport.write(head.encode() + body)
            self.transport.write_eof()
            self.loop.call_later(_FORGOTTEN_SECONDS, self.transport.close)

    return Server(
        uvicorn.Config(
            app,  # pyright: ignore[reportArgumentType]  any ASGI application
            host=settings.host,
            port=settings.command_port,
            http=Protocol,
            log_config=None,
            access_log=False,
            server_header=False,
            # Whoever is on this machine could say in a header to be somebody else.
            proxy_headers=False,
            timeout_graceful_shutdown=_SHUTDOWN,
            timeout_keep_alive=_KEEP_ALIVE,
        )
    )
