"""Datetime negotiation of RFC 7089, by its pattern 1.2: an item is its own TimeGate and answers
`Accept-Datetime` with the memento itself (200), whose own URL is in `Content-Location`.
"""

from collections.abc import Mapping, Sequence

from flask import request

from readmodel.answers import JSON
from readmodel.problems import bad_header
from readmodel.views.versions import Stamp
from runtime.times import http_date, parse_http_date

HEADER = "Accept-Datetime"
# Of what a TimeGate answers, with the header or without.
VARY = f"{HEADER}, Prefer"
LINK_FORMAT = "application/link-format"
# Of the history, which is a TimeMap for who asks for that form.
TIMEMAP_VARY = "Accept, Prefer"

_SECOND = 1_000


def asked() -> int | None:
    """Read the last millisecond of the second that `Accept-Datetime` names; `None` without it.

    Mementos tell by the second when they took effect: who asks for that second means them, whatever
    the millisecond. Raises a problem where it is no date (RFC 7089, 4.5.3).
    """
    value = request.headers.get(HEADER)
    if value is None:
        return None
    try:
        return parse_http_date(value) + _SECOND - 1
    except ValueError as error:
        raise bad_header(HEADER, "malformed-datetime", str(error)) from error


def wants_timemap() -> bool:
    """Tell whether the list of an item's states is wanted in the form of RFC 7089, rather than as
    JSON.
    """
    return request.accept_mimetypes.best_match([JSON, LINK_FORMAT]) == LINK_FORMAT


class Mementos:
    """The URLs of an item's states, and links to them. Versions go from 1 to that of `last`."""

    def __init__(self, public_url: str, item_id: str, last: Stamp) -> None:
        self.original = f"{public_url}/items/{item_id}"
        self.timemap = f"{self.original}/history"
        self._last = last

    def url(self, version: int) -> str:
        return f"{self.original}?version={version}"

    def neighbours(self, version: int) -> list[int]:
        """List the versions that `headers` links to, in order."""
        around = {1, version - 1, version, version + 1, self._last.version}
        return sorted(each for each in around if 1 <= each <= self._last.version)

    def headers(self, version: int, effective: Mapping[int, int]) -> Mapping[str, str]:
        """Make the headers of a state; `effective` tells when its neighbours took effect."""
        words = {version - 1: "prev ", version + 1: "next "}
        ends = (Stamp(1, effective[1]), self._last)
        links = [
            self._timegate_link(),
            _list_link(self.timemap, "timemap", ends),
            *(self._link(Stamp(each, at), words.get(each, "")) for each, at in effective.items()),
        ]
        return {"Memento-Datetime": http_date(effective[version]), "Link": ", ".join(links)}

    def page(self, stamps: Sequence[Stamp], own: str, more: str | None) -> str:
        """Write the TimeMap of these states, newest first; `own` is its URL, `more` that of the
        older ones.
        """
        links = [self._timegate_link(), _list_link(own, "self", (stamps[-1], stamps[0]))]
        if more is not None:
            links.append(f'<{more}>; rel="timemap"; type="{LINK_FORMAT}"')
        return ",\n".join([*links, *map(self._link, stamps)]) + "\n"

    def _timegate_link(self) -> str:
        return f'<{self.original}>; rel="original timegate"'

    def _link(self, stamp: Stamp, words: str = "") -> str:
        """Write the link to a state; `words` are relations it has besides."""
        first = "first " if stamp.version == 1 else ""
        last = "last " if stamp.version == self._last.version else ""
        return (
            f'<{self.url(stamp.version)}>; rel="{first}{last}{words}memento"; '
            f'datetime="{http_date(stamp.effective_at)}"'
        )


def _list_link(url: str, relation: str, ends: tuple[Stamp, Stamp]) -> str:
    """Write the link to a list of states, from the first to the last of these."""
    since, until = (http_date(each.effective_at) for each in ends)
    return f'<{url}>; rel="{relation}"; type="{LINK_FORMAT}"; from="{since}"; until="{until}"'
