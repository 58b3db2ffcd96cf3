"""A client's connection without a network."""

import asyncio
from typing import Any

from runtime.serving import Connection, Server


class Line:
    """A client's connection without a network: what the server writes to it."""

    def __init__(self, server: Server) -> None:
        config: Any = server.config
        self.connection: Connection = config.http_protocol_class(
            config=config, server_state=server.server_state, app_state={}
        )
        self.written = b""
        self.closed = False
        self.ended = False
        self.connection.connection_made(self)  # type: ignore[arg-type]

    # As asyncio.Transport has them.
    def write(self, data: bytes) -> None:
        assert not self.closed
        assert not self.ended
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def write_eof(self) -> None:
        self.ended = True

    @property
    def is_over(self) -> bool:
        return self.ended or self.closed

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 8001)}.get(name)

    async def has(self, answers: int) -> None:
        """Wait for so many answers."""
        while self.written.count(b"HTTP/1.1 ") < answers or not self.is_answered():  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def ask(self, *sent: bytes) -> bytes:
        """Send bytes, in as many pieces as given; return what is answered to all of them."""
        for each in sent:
            self.connection.data_received(each)
        while not self.is_answered():  # noqa: ASYNC110  the outer deadline ends it
            await asyncio.sleep(0.001)
        written, self.written = self.written, b""
        return written

    def is_answered(self) -> bool:
        return bool(self.written) and (self.connection.is_quiet or self.ended)
