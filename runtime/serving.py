"""uvicorn as both services run it, with its own answers and endings made ours."""

import asyncio
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from runtime.auth.codes import HEADERS_TOO_LARGE
from runtime.heads import fault_of
from runtime.http10 import end_by_closing
from runtime.problem_pages import ProblemCode
from runtime.problems import PROBLEM_JSON, Problem
from runtime.response_headers import HEADERS_LIMIT, SECURITY_HEADERS, URL_LIMIT

# Seconds that requests in hand have when the process is told to stop.
_SHUTDOWN = 5
# Seconds for which a connection may be idle. Longer than clients and proxies keep theirs: it must
# not be closed by us just when the next request is on its way.
_KEEP_ALIVE = 75
# Seconds that a client has for the head of a request, at least; it is ended before twice as many.
_HEAD_SECONDS = 30
# Seconds for which a client may take nothing of what is written for it.
_TAKES_NOTHING = 60
# How long what is still on its way after a refusal is read and forgotten.
_FORGOTTEN_SECONDS = 5
# What is kept in memory of a head until it is whole, when its parts are looked at; and of what is
# told behind a body.
_HEAD_LIMIT = 2 * (URL_LIMIT + HEADERS_LIMIT)

_NO_HTTP = "the request does not follow the rules of HTTP/1.1"


# Under this name the `state` of a request has what closes its connection at once, with whatever
# waits to be sent.
ABORT = "itemledger.abort"


@dataclass(frozen=True, slots=True)
class Words:
    """What a service says to what is no HTTP: `bad_request`, explained under its `url`."""

    url: str
    bad_request: ProblemCode


class Connection(HttpToolsProtocol):
    """One client's connection."""

    parser: Any  # There is one until the connection is lost.

    # Bytes that have come since the last whole head or piece of a body: of the next head, or of
    # what may follow a body. What came in one packet with the end of something is not counted.
    _head = 0
    # Nothing has come of a request that is not whole.
    _idle = True
    # What is wrong with a head that the parser has taken.
    _fault: str | None = None
    # What comes is read no more. Once all that is due has been answered, this is sent, and the
    # connection closed.
    _refused = False
    _is_due = False
    _last = b""
    # Whether the client was waited for when it was last looked at, and no head was whole since.
    _is_late = False
    _looking: asyncio.TimerHandle | None = None
    # Looks whether the client takes what is written for it, while that is more than a little.
    _stalled: asyncio.TimerHandle | None = None

    def __init__(self, words: Words, **given: Any) -> None:
        super().__init__(**given)
        self._words = words

    @property
    def is_quiet(self) -> bool:
        """Whether a request may begin: all that has come was answered."""
        cycle: Any = self.cycle  # There is none before the first request.
        return self._idle and not self._refused and (cycle is None or cycle.response_complete)

    @property
    def waits_for_client(self) -> bool:
        """Whether nothing goes on before the client sends what it owes: more of what it has begun,
        or anything at all. What is between two requests has its own time.
        """
        if self._head > 0:
            return not self.flow.read_paused
        return self.is_quiet and self.timeout_keep_alive_task is None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._looking = self.loop.call_later(_HEAD_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._watch_no_more()
        super().connection_lost(exc)

    def _look(self) -> None:
        """End a connection that has been waiting for its client since it was last looked at."""
        if self._refused:
            return
        waits = self.waits_for_client
        if waits and self._is_late:
            self._end(b"")
        else:
            self._is_late = waits
            self._looking = self.loop.call_later(_HEAD_SECONDS, self._look)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return  # Read and forgotten: a connection closed on it would be reset.
        self._unset_keepalive_if_required()
        self._head += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            told = _NO_HTTP if self._fault is None else f"{_NO_HTTP}: {self._fault}"
            self.logger.warning(told)
            self._refuse(self._words.bad_request, told)
            return
        if self._head > _HEAD_LIMIT:
            self._refuse(HEADERS_TOO_LARGE, "the headers of the request do not come to an end")

    def _feed(self, data: bytes | memoryview) -> None:
        """Have bytes parsed. We speak nothing but HTTP/1, and who asks for more (`Upgrade`, as Java
        does unless told otherwise) is answered as if they had not (RFC 9110, 7.8). The parser takes
        all that follows such a head for another protocol and stops; it is given the head without
        that wish then, and goes on.
        """
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                self.parser.feed_data(self._modest_head())
                (end_of_head,) = stopped.args
                data = memoryview(data)[end_of_head:]
            else:
                return

    def _modest_head(self) -> bytes:
        """Write the head that was just read without its wish for another protocol."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("this is no proxy")
        version = self.parser.get_http_version().encode()
        told = [b"%b: %b\r\n" % each for each in self.headers if each[0] != b"upgrade"]
        return b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(told))

    def on_message_begin(self) -> None:
        self._idle = False
        super().on_message_begin()
        scope: Any = self.scope
        scope["state"][ABORT] = self.transport.abort

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._fault = fault_of(self.parser.get_http_version(), self.headers)
        if self._fault is not None:
            raise httptools.HttpParserError(self._fault)
        self._head, self._is_late = 0, False
        super().on_headers_complete()
        # What is told behind a body is for nobody here (RFC 9110, 6.5.1); the request has its list.
        self.headers = []
        if self.scope["http_version"] != "1.1":
            end_by_closing(self.cycle)

    def on_body(self, body: bytes) -> None:
        self._head, self._is_late = 0, False
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._head, self._idle = 0, True
        super().on_message_complete()

    def eof_received(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]  asyncio's
        """Say whether to stay there for a client that sends no more, which may have closed its half
        alone: for the answers that are due, but not for the rest of one. Who leaves in the middle
        of that has most likely gone, and a stream would go on for nobody.
        """
        cycle: Any = self.cycle
        is_begun = cycle is not None and cycle.response_started and not cycle.response_complete
        if not self._refused and not is_begun:
            self._end(b"")
        return self._is_due

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_taking()

    def resume_writing(self) -> None:
        self._watch_no_more()
        super().resume_writing()

    def _watch_taking(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(_TAKES_NOTHING, self._look_at_taking, left)

    def _look_at_taking(self, left_then: int) -> None:
        """Close the connection if nothing was taken since so many bytes were left. What waits to
        be sent is thrown away, so that no answer looks whole; whoever sends is told that the client
        has gone.
        """
        if self.transport.get_write_buffer_size() < left_then:
            self._watch_taking()
        else:
            self.transport.abort()

    def _watch_no_more(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _refuse(self, code: ProblemCode, detail: str) -> None:
        """Answer with a problem document, after what is due, and close the connection."""
        problem = Problem(code.status, code.code, code.title, detail)
        body = problem.body(self._words.url)
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
        self._end(head.encode() + body)

    def _end(self, last: bytes) -> None:
        """Read no more, and close the connection after the answers that are due and `last`. No
        answer is due to a request that has not come whole.
        """
        self._refused, self._last = True, last
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:
            self._close()
        elif cycle.more_body and not self.pipeline:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self._last = b""
            self._close()
        else:
            self._is_due = True
            if cycle.more_body:
                # It is the last of those that wait.
                self.pipeline.popleft()

    def on_response_complete(self) -> None:
        is_last = not self.pipeline
        super().on_response_complete()
        if self._refused and is_last:
            self._close()

    def _close(self) -> None:
        self._is_due = False
        if self.transport.is_closing():
            return
        if not self._last:
            self.transport.close()
            return
        self.transport.write(self._last)
        self.transport.write_eof()
        self.loop.call_later(_FORGOTTEN_SECONDS, self.transport.close)


class Server(uvicorn.Server):
    """Stops on SIGINT and SIGTERM and lets its process end with an exit code of its own; uvicorn
    would raise the signal again once it has stopped. `told_to_stop` is called first, by the loop.
    """

    def __init__(self, config: uvicorn.Config, told_to_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._told_to_stop = told_to_stop

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self._stop, signum)
        yield

    def _stop(self, signum: int) -> None:
        if not self.should_exit:
            self._told_to_stop()
        self.handle_exit(signum, None)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Find the faster event loop, which there is not for Windows."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  there is none to import for Windows

    return uvloop.new_event_loop


def make_server(
    app: object,
    host: str,
    port: int,
    words: Words,
    *,
    lifespan: bool = True,
    connection: Callable[..., Connection] = Connection,
    told_to_stop: Callable[[], None] = lambda: None,
) -> Server:
    """Make the server of an ASGI application, which may have a `lifespan`; `connection` makes each
    of its connections.
    """
    return Server(
        uvicorn.Config(
            app,  # pyright: ignore[reportArgumentType]  any ASGI application
            host=host,
            port=port,
            http=partial(connection, words),  # pyright: ignore[reportArgumentType]  called alone
            lifespan="on" if lifespan else "off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            # Whoever is on this machine could say in a header to be somebody else.
            proxy_headers=False,
            timeout_graceful_shutdown=_SHUTDOWN,
            timeout_keep_alive=_KEEP_ALIVE,
        ),
        told_to_stop,
    )
