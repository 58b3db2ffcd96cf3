"""What lists were answered, in so many bytes: what was asked for last stays."""

import sys
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]
# What an answer depends on, beside the store: the query string, and the headers that are read.
Key = tuple[bytes, Headers]
# The place of headers where none is read. A request has no header without a name.
FOR_ALL: Headers = ((b"", b""),)

# Bytes that Python needs for an entry beside its texts and tuples: objects, and places in a table.
_AROUND = 600


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer. `version` is what the store had before it was read: what was committed after that
    may or may not be in it.
    """

    version: object
    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Figures:
    """What the memory has come to: requests it answered and did not, and what it holds."""

    hits: int
    misses: int
    lists: int
    size: int


class ListMemory:
    """Holds at most `limit` bytes; with 0 it holds nothing. Only its figures are for any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._answers: OrderedDict[Key, Kept] = OrderedDict()
        self._size = 0
        self._hits = 0
        self._misses = 0

    def find(self, key: Key, version: object) -> Kept | None:
        """Find an answer that was read from a store of this version."""
        kept = self._answers.get(key)
        if kept is None or kept.version != version:
            self._misses += 1
            return None
        self._answers.move_to_end(key)
        self._hits += 1
        return kept

    def keep(self, key: Key, answer: Kept) -> None:
        """Take an answer in, in the place of an older one."""
        before = self._answers.pop(key, None)
        if before is not None:
            self._size -= _size(key, before)
        size = _size(key, answer)
        if size > self._limit:
            return
        self._answers[key] = answer
        self._size += size
        while self._size > self._limit:
            oldest = self._answers.popitem(last=False)
            self._size -= _size(*oldest)

    def figures(self) -> Figures:
        return Figures(self._hits, self._misses, len(self._answers), self._size)


def _size(key: Key, answer: Kept) -> int:
    """Count the bytes that an entry takes."""
    query, asked = key
    parts: list[Any] = [query, asked, answer.headers, answer.body]
    for each in (*asked, *answer.headers):
        parts += [each, *each]
    return sum(map(sys.getsizeof, parts)) + _AROUND
