"""Whether who has asked is still there: nobody waits on behalf of a client that has left."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

# Under this name the WSGI environment of a request keeps whether its client is there, where whoever
# serves it looks.
PRESENCE = "itemledger.presence"


class Presence:
    """Of one client, for the loop that sees it leave and the thread that works for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._left = False
        self._tell: Callable[[], object] | None = None

    @property
    def has_left(self) -> bool:
        """Whether nobody is there any more to be answered."""
        return self._left

    def leave(self) -> None:
        """Say that the client has left."""
        with self._lock:
            self._left = True
            if self._tell is not None:
                self._tell()

    @contextmanager
    def telling(self, tell: Callable[[], object]) -> Generator[None]:
        """Have somebody told, once, if the client leaves during the block or has left before; it
        must be quick.
        """
        with self._lock:
            self._tell = tell
            if self._left:
                tell()
        try:
            yield
        finally:
            with self._lock:
                self._tell = None


def presence_of(environ: Mapping[str, Any]) -> Presence | None:
    """Find whether the client of a request is there; `None` where nobody looks."""
    return environ.get(PRESENCE)
