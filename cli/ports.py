"""See that both ports are free before anything is started."""

import asyncio
import errno
import socket
import time

from cli.refusals import FAILED, WRONG_USAGE, Refusal
from runtime.settings import PREFIX, Settings

_INTERVAL = 0.05


async def check_ports(settings: Settings, patience: float = 1.0) -> None:
    """Raise Refusal where one of the ports stays taken for `patience` seconds."""
    if settings.command_port == settings.query_port:
        raise Refusal(
            f"both services cannot listen on port {settings.query_port}: "
            f"give one another port with --command-port or --query-port",
            WRONG_USAGE,
        )
    # An `up` that was killed a moment ago may have children that are not quite gone.
    deadline = time.monotonic() + patience
    for option in ("command", "query"):
        port = settings.command_port if option == "command" else settings.query_port
        while (error := bind(settings.host, port)) is not None:
            if time.monotonic() >= deadline:
                raise _refusal(settings.host, port, option, error)
            await asyncio.sleep(_INTERVAL)


def bind(host: str, port: int) -> OSError | None:
    """Try to listen there, and say what stands in the way; `None` where nothing does."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in addresses:
            with socket.socket(family, kind, protocol) as probe:
                # Connections that have just been closed are no reason to refuse.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        return error
    return None


def _refusal(host: str, port: int, option: str, error: OSError) -> Refusal:
    if error.errno == errno.EADDRINUSE:
        return Refusal(
            f"port {port} on {host} is taken by another program: "
            f"stop it, or choose another port with --{option}-port "
            f"({PREFIX}{option.upper()}_PORT)",
            FAILED,
        )
    if error.errno == errno.EACCES:
        return Refusal(
            f"this user may not listen on port {port}: choose one above 1023 with --{option}-port "
            f"({PREFIX}{option.upper()}_PORT)",
            FAILED,
        )
    return Refusal(
        f"cannot listen on {host}: {error.strerror or error}; mend --host ({PREFIX}HOST)",
        WRONG_USAGE,
    )
