"""Heads of requests that can be parsed, and still do not say one thing: what HTTP/1.1 wants refused
(RFC 9112, 3.2 and 6.1), as whoever stands in between may have read the other one.
"""

import re
from collections.abc import Sequence

# Percent-encoded or not; in brackets where it is an address with colons; with a port or without
# (RFC 3986, 3.2.2). It may be empty.
_HOST = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*(?::[0-9]*)?"
    rb"|\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\](?::[0-9]*)?"
)


def is_host(value: bytes) -> bool:
    """Say whether a header Host may have this value."""
    return _HOST.fullmatch(value.strip(b" \t")) is not None


def fault_of(version: str, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Say what is wrong with a head; `headers` have their names in small letters. What the parser
    itself refuses is not looked at again: a length that is told twice, or beside chunks, folded
    lines, a space before the colon.
    """
    host: bytes | None = None
    for name, value in headers:
        if name == b"host":
            if host is not None:
                return "it has two headers Host: send one"
            if not is_host(value):
                return "its header Host is no host with or without a port, such as 127.0.0.1:8000"
            host = value
        elif name == b"transfer-encoding" and (version == "1.0" or value.lower() != b"chunked"):
            return "its body comes by another Transfer-Encoding than chunked, or by HTTP/1.0"
    if host is None and version == "1.1":
        return "it has no header Host"
    return None
