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
# A tag that nothing else looks like.
_SOME = '"tag"'


class Forms:
    """The headers of both answers, as Flask makes them; only tag and length are of the item."""

    def __init__(self) -> None:
        self._whole = headers_of(answer(b" ", _tagged()))
        self._bare = headers_of(answer(b"", _tagged(), 304))
        self._before, self._after = lines_of(self.bare(_SOME)).split(_SOME.encode())

    def whole(self, tag: str, length: int) -> Headers:
        """Make the headers of 200."""
        return filled(self._whole, {_TAG: tag, _LENGTH: str(length)})

    def bare(self, tag: str) -> Headers:
        """Make the headers of 304."""
        return filled(self._bare, {_TAG: tag})

    def wire_bare(self, tag: str) -> bytes:
        """Write the headers of 304 as they are sent."""
        return self._before + tag.encode() + self._after


class Rendered:
    """An item as it is sent. `wire` is the headers and the body of 200 as the loop sends them: kept
    in one piece, as there are very many; all else is made of it when it is asked for.
    """

    __slots__ = ("_forms", "_length", "version", "wire")

    def __init__(self, version: int, body: bytes, forms: Forms) -> None:
        self.version = version
        self.wire = lines_of(forms.whole(_tag(version), len(body))) + body
        self._length = len(body)
        self._forms = forms

    @property
    def body(self) -> bytes:
        return self.wire[len(self.wire) - self._length :]

    @property
    def whole(self) -> Headers:
        """The headers of 200."""
        return self._forms.whole(_tag(self.version), self._length)

    @property
    def bare(self) -> Headers:
        """The headers of 304."""
        return self._forms.bare(_tag(self.version))

    @property
    def wire_head(self) -> bytes:
        """The headers of 200 alone, as they are sent."""
        return self.wire[: len(self.wire) - self._length]

    @property
    def wire_bare(self) -> bytes:
        """The headers of 304 as they are sent."""
        return self._forms.wire_bare(_tag(self.version))

    def is_had(self, if_none_match: str) -> bool:
        """Say whether the client has this version, by its header If-None-Match."""
        # As most clients send it, which need not be parsed.
        return if_none_match == _tag(self.version) or parse_etags(if_none_match).contains_weak(
            str(self.version)
        )

    def size(self) -> int:
        """Count the bytes that all of it takes."""
        return sum(map(sys.getsizeof, (self, self.wire, self.version, self._length)))


def lines_of(headers: Headers) -> bytes:
    """Write headers as the server writes those of Flask."""
    told = (f"{name.lower()}: {value}\r\n" for name, value in headers)
    return "".join(told).encode("latin-1") + b"\r\n"


def _tag(version: int) -> str:
    return f'"{version}"'


def _tagged() -> Mapping[str, str]:
    return {**NEGOTIATED, _TAG: _tag(0)}


def headers_of(written: Answer) -> Headers:
    """Make the headers of an answer as Flask does."""
    for name, value in SECURITY_HEADERS.items():
        written.headers.setdefault(name, value)
    return list(written.get_wsgi_headers({}))


def filled(headers: Headers, own: Mapping[str, str]) -> Headers:
    """Give some headers the values that they have in this answer."""
    return [(name, own.get(name, value)) for name, value in headers]
