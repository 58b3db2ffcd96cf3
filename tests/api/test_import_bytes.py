"""The bytes of an upload: unpacked, decoded, and never all of them at once."""

import gzip
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.imports.formats import Ndjson
from api.imports.rows import read_row
from api.imports.unpacking import UnknownCharset, Unpacker, Unreadable, charset
from tests.api.test_import_parsing import GIVEN, NOW


def unpacked(data: bytes, *, piece: int = 5, **said: Any) -> bytes:
    unpacker = Unpacker(**{"gzip": False, "charset": None, **said})
    pieces = (data[start : start + piece] for start in range(0, len(data), piece))
    return b"".join(part for each in pieces for part in unpacker.feed(each)) + unpacker.end()


def test_gzip_is_unpacked_member_by_member() -> None:
    data = gzip.compress(b"one\n") + gzip.compress(b"two\n") + b"\0\0\0"
    assert unpacked(data, gzip=True) == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: data[:-4], "ends in the middle"),
        (lambda data: data[:20] + b"\xff" + data[21:], "not gzip"),
        (lambda data: b"id,name" + data, "not gzip"),
        (lambda data: data + b"more", "not gzip"),
    ],
    ids=["cut off", "changed inside", "something before", "something after"],
)
def test_gzip_that_is_damaged_is_told(damage: Callable[[bytes], bytes], told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        unpacked(damage(gzip.compress(bytes(range(256)))), gzip=True)


@pytest.mark.parametrize("piece", [1, 5])
def test_gzip_that_nobody_announced_is_told(piece: int) -> None:
    for packed in (gzip.compress(b"one\n"), gzip.compress(b"one\n")[:2]):
        with pytest.raises(Unreadable, match="send Content-Encoding: gzip"):
            unpacked(packed, piece=piece)


@pytest.mark.parametrize("data", [b"", b"\x1f", b"\x1fa", b"a\x1f\x8b"])
def test_what_only_begins_like_gzip_is_left_as_it_is(data: bytes) -> None:
    assert unpacked(data, piece=1) == data


def test_another_character_set_is_taken_by_its_name() -> None:
    assert unpacked("Läuft".encode("cp1252"), charset=charset("windows-1252")) == "Läuft".encode()
    assert unpacked("Läuft".encode("utf-16"), charset=charset("utf-16")) == "Läuft".encode()
    with pytest.raises(Unreadable, match=r"not utf-16.*; name another charset in Content-Type"):
        unpacked(b"abc", charset=charset("utf-16"))


@pytest.mark.parametrize("name", ["hex", "idna", "punycode", "klingon", "rot13", "unicode_escape"])
def test_what_is_no_character_set_is_refused(name: str) -> None:
    with pytest.raises(UnknownCharset):
        charset(name)


def test_utf_8_and_what_it_contains_need_no_decoding() -> None:
    assert charset("UTF-8") is charset("us-ascii") is None


@pytest.mark.parametrize("kind", ["lines", "one endless line", "packed zeros"])
def test_memory_stays_flat_whatever_the_length(kind: str) -> None:
    zeros = gzip.compress(bytes(50_000_000))

    def pieces() -> Iterator[bytes]:
        line = b'{"id": "lamp", "name": "Lamp", "price": 1}\n'
        match kind:
            case "lines":
                yield from (line * 1000 for _ in range(100))
            case "one endless line":
                yield from (b"x" * 65_536 for _ in range(500))
            case _:
                yield zeros

    unpacker, format_ = Unpacker(gzip=kind == "packed zeros", charset=None), Ndjson(None)
    tracemalloc.start()
    rows = 0
    for piece in pieces():
        for block in unpacker.feed(piece):
            for record in format_.feed(block):
                read_row(record, format_.parse, GIVEN, NOW)
                rows += 1
    rows += len(list(format_.end()))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == (100_000 if kind == "lines" else 1)
    assert most < 8 * 2**20
