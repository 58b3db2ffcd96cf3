"""Ports for servers that tests start: each is given out once in a long while, to whatever test in
whatever process of this user.

Who lets the system choose a port, and lets it go for a server to take, may see it given to another
one meanwhile, or to a connection. These are below what systems choose from.
"""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

_FIRST, _COUNT = 20_000, 12_000


def free_port() -> int:
    """Find a port of the loopback that nobody listens on."""
    while not _is_free(port := _FIRST + _next() % _COUNT):
        pass
    return port


def free_ports() -> tuple[int, int]:
    """Find two of them."""
    return free_port(), free_port()


def _next() -> int:
    """Count how often that was asked, in a file that all processes have in common."""
    file = Path(tempfile.gettempdir(), f"itemledger-tests-ports-{os.getuid()}")
    mode = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    with os.fdopen(os.open(file, mode, 0o600), "r+") as counted:
        fcntl.flock(counted, fcntl.LOCK_EX)
        number = int(counted.read() or 0)
        counted.seek(0)
        counted.write(str(number + 1))
        return number


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As a server does: who has only just left does not keep it.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
