"""The connection that a request came by, and how answers that are sent to it as they are begin."""

from collections.abc import Sequence
from typing import Protocol

Told = Sequence[tuple[bytes, bytes]]

NEXT, END = b"\r\n", b"\r\n\r\n"


class Guest(Protocol):
    def answer(self, data: bytes) -> None:
        """Send an answer, whole."""

    def pass_on(self, data: bytes) -> None:
        """Have a request answered as any other."""


class Beginnings:
    """The first lines of answers: the status, and the headers that the server sends with all."""

    def __init__(self) -> None:
        self._always: Told = ()
        self.whole, self.bare = _written(())

    def take(self, always: Told) -> None:
        """Take in what is sent with all answers, which changes each second."""
        if always is not self._always:
            self._always = always
            self.whole, self.bare = _written(always)


def named(answer: bytes, line: bytes) -> bytes:
    """Add to an answer the line that repeats the id of its request, if there is one."""
    if not line:
        return answer
    lines, _, body = answer.partition(END)
    return b"".join((lines, NEXT, line, NEXT, body))


def _written(always: Told) -> tuple[bytes, bytes]:
    lines = b"".join(b"%b: %b\r\n" % each for each in always)
    return b"HTTP/1.1 200 OK\r\n" + lines, b"HTTP/1.1 304 Not Modified\r\n" + lines
