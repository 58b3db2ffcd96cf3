"""What the headers of answers say, and which answers have them."""

from collections.abc import Mapping, Sequence
from typing import Any

_SAY: Mapping[str, str] = {
    "ETag": "Of an item its version, quoted, and of a diff both; of lists, of pages of the feed, "
    "and of what a view answers by itself, a weak one",
    "Export-Items": "How many items the export has: with fewer it broke off",
    "Link": 'Of a list the next page, rel="next", absent on the last one; the feed always has it. '
    "Of a state asked for by version or moment those around it, and the list of all (RFC 7089). "
    'Of an export, the feed that goes on after it, rel="changes". Of what is deleted its history, '
    'rel="version-history"',
    "Preference-Applied": "The preference that was honoured, such as wait=20",
    "Memento-Datetime": "When the state took effect that was asked for by version or moment",
    "Content-Location": "The URL of that state itself, where it was asked for by a moment",
    "Retry-After": "Seconds to wait before asking again: of a command while it is accepted, and "
    "where something is not to be had",
    "Projection-Lag": "Where the token's command is not in the answer yet: seconds that what was "
    "read is behind, or `unknown`",
    "Cache-Control": "`no-cache` may be kept, and asked about before every use; what nothing can "
    "change any more is `immutable`",
    "Vary": "Headers of the request that the answer depends on",
    "Content-Disposition": "A file, and its name",
    "WWW-Authenticate": "The scheme, Bearer, and what is wrong with the token (RFC 6750)",
    "X-Request-ID": "The id that the request came with, if it had one; else of a 500 the one under "
    "which the service's log tells of it",
}
# With what shared caches and logs go by.
_ALL: Sequence[str] = ("Cache-Control", "Vary", "X-Request-ID")
# Of reads of items and events, whatever comes of them.
_FRESHNESS: Sequence[str] = ("Projection-Lag", "Preference-Applied")
# Of problems, by their status.
OF_PROBLEMS: Mapping[int, Sequence[str]] = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    410: ("Link", "Memento-Datetime", "Content-Location"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}

HEADERS: Mapping[str, Any] = {
    name: {"description": says, "schema": {"type": "string"}} for name, says in _SAY.items()
}


def headers_of(own: Sequence[str], *, of_views: bool) -> Mapping[str, Any]:
    """Describe the headers of an answer that has these of its own; `of_views` where it is read from
    items or events. Those that are the same on every answer (of security) are left out.
    """
    names = dict.fromkeys((*own, *(_FRESHNESS if of_views else ()), *_ALL))
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
