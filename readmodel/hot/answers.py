"""The answers for an item, ready to be sent: what Flask would write, made once for each version."""

import sys
from collections.abc import Mapping
from http import HTTPStatus

from werkzeug.http import parse_etags

from readmodel.answers import Answer, answer
from readmodel.item_time_routes import NEGOTIATED
from runtime.response_headers import SECURITY_HEADERS

Headers = list[tuple[str, str]]

OK = f"{HTTPStatus.OK.value} {HTTPStatus.OK.name}"
NOT_MODIFIED = "304 NOT MODIFIED"

_TAG, _LENGTH = "ETag", "Content-Length"


class Forms:
    """The headers of both answers, as Flask makes them; only tag and length are of the item."""

    def __init__(self) -> None:
        self._whole = _headers(answer(b" ", _tagged()))
        self._bare = _headers(answer(b"", _tagged(), 304))

    def whole(self, tag: str, length: int) -> Headers:
        """Make the headers of 200."""
        return _filled(self._whole, {_TAG: (_TAG, tag), _LENGTH: (_LENGTH, str(length))})

    def bare(self, tag: str) -> Headers:
        """Make the headers of 304."""
        return _filled(self._bare, {_TAG: (_TAG, tag)})


class Rendered:
    """An item as it is sent: its body, and the headers of 200 and, made when they are asked for, of
    304.
    """

    __slots__ = ("_bare", "_forms", "_wire", "_wire_bare", "body", "tag", "version", "whole")

    def __init__(self, version: int, body: bytes, forms: Forms) -> None:
        self.version = version
        self.body = body
        self.tag = _tag(version)
        self.whole = forms.whole(self.tag, len(body))
        self._forms = forms
        self._bare: Headers | None = None
        self._wire: bytes | None = None
        self._wire_bare: bytes | None = None

    @property
    def wire(self) -> bytes:
        """The headers and the body of 200 as they are sent."""
        if self._wire is None:
            self._wire = _lines(self.whole) + self.body
        return self._wire

    @property
    def wire_head(self) -> bytes:
        """The headers of 200 alone, as they are sent."""
        return _lines(self.whole)

    @property
    def wire_bare(self) -> bytes:
        """The headers of 304 as they are sent."""
        if self._wire_bare is None:
            self._wire_bare = _lines(self.bare)
        return self._wire_bare

    @property
    def bare(self) -> Headers:
        if self._bare is None:
            self._bare = self._forms.bare(self.tag)
        return self._bare

    def is_had(self, if_none_match: str) -> bool:
        """Say whether the client has this version, by its header If-None-Match."""
        # As most clients send it, which need not be parsed.
        return if_none_match == self.tag or parse_etags(if_none_match).contains_weak(
            str(self.version)
        )

    def size(self) -> int:
        """Count the bytes that all of it takes."""
        parts = (self, self.body, self.tag, self.whole, self.bare, self.wire, self.wire_bare)
        # What is not the same for all: the tuples of tag and length, and the length.
        return sum(map(sys.getsizeof, parts)) + 3 * sys.getsizeof(("", "")) + sys.getsizeof("1234")


def _lines(headers: Headers) -> bytes:
    """Write headers as the server writes those of Flask."""
    told = (f"{name.lower()}: {value}\r\n" for name, value in headers)
    return "".join(told).encode("latin-1") + b"\r\n"


def _tag(version: int) -> str:
    return f'"{version}"'


def _tagged() -> Mapping[str, str]:
    return {**NEGOTIATED, _TAG: _tag(0)}


def _headers(written: Answer) -> Headers:
    for name, value in SECURITY_HEADERS.items():
        written.headers.setdefault(name, value)
    return list(written.get_wsgi_headers({}))


def _filled(headers: Headers, own: Mapping[str, tuple[str, str]]) -> Headers:
    return [own.get(each[0], each) for each in headers]
