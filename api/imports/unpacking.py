"""From the bytes of a request to bytes of UTF-8: out of gzip, out of another character set."""

import codecs
import zlib
from collections.abc import Generator, Iterable
from typing import Any

# What comes out at once: a few kilobytes of gzip may hold a gigabyte.
_BLOCK = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"
# Codecs that turn text into other text, or take quadratic time over it.
_NO_CHARSETS = frozenset(
    {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
)


class Unreadable(Exception):
    """What comes is not of the encoding it is said to be of: nothing after it can be read."""


class UnknownCharset(Exception):
    """No character set has this name."""


def charset(name: str) -> str | None:
    """Find Python's name of a character set, `None` for UTF-8. Raises UnknownCharset."""
    try:
        found = codecs.lookup(name).name
        # Refused for codecs that are not of text, such as hex.
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise UnknownCharset(name) from error
    if found in _NO_CHARSETS or found.replace("_", "-") in _NO_CHARSETS:
        raise UnknownCharset(name)
    return None if found in {"utf-8", "ascii"} else found


class Unpacker:
    """Unpacks what arrives, piece by piece. Every method raises Unreadable."""

    def __init__(self, *, gzip: bool, charset: str | None) -> None:
        self._gzip = _Gunzip() if gzip else None
        self._decoder = None if charset is None else codecs.getincrementaldecoder(charset)("strict")
        self._charset = charset
        # The first bytes, as long as they may be those of gzip that nobody has announced.
        self._begun: bytes = b""
        self._looks = not gzip

    def feed(self, data: bytes) -> Generator[bytes]:
        if self._looks:
            data = self._begun + data
            self._begun = data if data in {b"", _GZIP_MAGIC[:1]} else b""
            if self._begun or not data:
                return
            self._looks = False
            if data.startswith(_GZIP_MAGIC):
                raise Unreadable("its bytes are gzip: send Content-Encoding: gzip to say so")
        blocks: Iterable[bytes] = (data,) if self._gzip is None else self._gzip.feed(data)
        for block in blocks:
            yield self._decoded(block, final=False)

    def end(self) -> bytes:
        """Say that nothing follows; return what was held back."""
        if self._gzip is not None:
            self._gzip.end()
        return self._decoded(self._begun, final=True)

    def _decoded(self, block: bytes, *, final: bool) -> bytes:
        if self._decoder is None:
            return block
        try:
            return self._decoder.decode(block, final).encode()
        except ValueError as error:
            why = f"it is not {self._charset}: {error}; name another charset in Content-Type"
            raise Unreadable(why) from error


class _Gunzip:
    """Gzip members one after another, as gzip itself takes them."""

    def __init__(self) -> None:
        self._member: Any = None

    def feed(self, data: bytes) -> Generator[bytes]:
        try:
            while data:
                if self._member is None:
                    # Some writers pad the end with zeros.
                    data = data.lstrip(b"\0")
                    if not data:
                        return
                    self._member = zlib.decompressobj(_GZIP)
                member = self._member
                block = member.decompress(data, _BLOCK)
                data = member.unconsumed_tail
                if member.eof:
                    data, self._member = member.unused_data, None
                if block:
                    yield block
        except zlib.error as error:
            raise Unreadable(f"it is not gzip: {error}") from error

    def end(self) -> None:
        if self._member is not None:
            raise Unreadable("its gzip ends in the middle")
