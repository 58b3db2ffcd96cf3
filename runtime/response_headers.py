"""What every answer of both services tells a browser, unless the answer itself says otherwise."""

from collections.abc import Mapping

# An answer that is no page needs nothing from anywhere, and is nothing but what its type says.
SECURITY_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}

# How long the first line and the headers of a request may be.
URL_LIMIT = 8 * 1024
HEADERS_LIMIT = 32 * 1024
