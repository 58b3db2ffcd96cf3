"""Requests that a web page of somebody else may have sent to a service on this machine."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from runtime.auth import codes
from runtime.auth.denied import Denied
from runtime.auth.exposure import is_this_machine

_MOST_KNOWN = 64


class Visitors:
    """Knows the names of both services by their URLs. A page can lead its own name to this machine
    (DNS rebinding), so the name that a browser was given is looked at, and where the page is from.
    """

    def __init__(self, urls: Iterable[str]) -> None:
        parsed = [urlsplit(each) for each in urls]
        self._hosts = frozenset(each.hostname or "" for each in parsed)
        origins = {origin_of(each.geturl()) for each in parsed}
        # A browser on this machine may have been given either name.
        for each in parsed:
            if is_this_machine(each.hostname or ""):
                port = f":{each.port}" if each.port else ""
                names = ("localhost", "127.0.0.1", "[::1]")
                origins |= {f"{each.scheme}://{name}{port}" for name in names}
        self._origins = frozenset(origins)
        # Headers that were found to name us: most clients send the same.
        self._known: set[str | None] = set()

    def check(self, host: str | None, origin: str | None) -> None:
        """Raise Denied for a name that is not ours, or a page that is not."""
        if host not in self._known:
            name = _name_of(host or "")
            if name not in self._hosts and not is_this_machine(name):
                detail = "the header Host names another service than this one"
                raise Denied(codes.FOREIGN_HOST, detail)
            if len(self._known) < _MOST_KNOWN:
                self._known.add(host)
        if origin is not None and origin.lower() not in self._origins:
            raise Denied(codes.FOREIGN_ORIGIN, "the header Origin names a page of somebody else")


def origin_of(url: str) -> str:
    """Cut a URL down to its origin, as browsers write it."""
    parsed = urlsplit(url)
    host = parsed.hostname or ""
    name = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parsed.scheme)
    port = "" if parsed.port in {None, usual} else f":{parsed.port}"
    return f"{parsed.scheme}://{name}{port}"


def _name_of(host: str) -> str:
    """Take the port off a Host header; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
