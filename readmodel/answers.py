"""How an answer leaves: bytes that are already rendered, and headers right for shared caches."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, request

JSON = "application/json"
# May be kept, but must be asked about before every use.
REVALIDATE = {"Cache-Control": "no-cache", "Vary": "Prefer"}
# Nothing that can still happen changes it. Only for who asked: a cache that others share does not
# ask for their tokens.
SETTLED = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": "Prefer"}
FRESH_ONLY = {"Cache-Control": "no-store"}


class Answer(Response):
    """A response whose bytes go to the server in one piece, not through an iterator; unless they
    are a stream, which goes as it comes and is closed.
    """

    default_mimetype = JSON

    def get_app_iter(self, environ: dict[str, Any]) -> Iterable[bytes]:
        if self.is_streamed:
            return super().get_app_iter(environ)
        if environ["REQUEST_METHOD"] == "HEAD" or self.status_code in {204, 304}:
            return []
        return [self.get_data()]


def answer(body: bytes | str, headers: Mapping[str, str] = REVALIDATE, status: int = 200) -> Answer:
    return Answer(body, status, headers)


def has_tag(tag: str) -> bool:
    """Say whether the client has what an entity tag stands for (RFC 9110, 13.1.2)."""
    return request.if_none_match.contains_weak(tag)


def tagged(body: bytes | str, tag: str, headers: Mapping[str, str] = REVALIDATE) -> Answer:
    """Answer with a strong entity tag, or with 304 where the client has what it stands for."""
    headers = {**headers, "ETag": f'"{tag}"'}
    return answer(b"", headers, 304) if has_tag(tag) else answer(body, headers)
