"""Answers to clients of HTTP/1.0, which know no chunks (RFC 9112, 6.1): a body of which nobody has
said how long it is ends with its connection.
"""

import socket
import struct
import sys
from typing import Any

# Switched on, for no seconds: closing sends a reset instead of an end.
_LINGER = struct.Struct("HH" if sys.platform == "win32" else "ii")


def end_by_closing(cycle: Any) -> None:
    """Have uvicorn's `cycle` of a request send such a body as it is, and close the connection. One
    that breaks off is not ended but reset, so that it is not taken for whole; so it is where this
    process is killed.
    """
    send, is_open = cycle.send, False

    async def send_open(message: Any) -> None:
        nonlocal is_open
        if message["type"] == "http.response.start":
            told = [name.lower() for name, _ in message.get("headers", ())]
            is_open = b"content-length" not in told
            if is_open:
                cycle.chunked_encoding = False
                _reset_where_closed(cycle.transport, is_to_reset=True)
        elif is_open:
            cycle.expected_content_length = len(message.get("body", b""))
            if not message.get("more_body", False):
                _reset_where_closed(cycle.transport, is_to_reset=False)
        await send(message)

    cycle.keep_alive = False
    cycle.send = send_open


def _reset_where_closed(transport: Any, *, is_to_reset: bool) -> None:
    option = _LINGER.pack(is_to_reset, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
