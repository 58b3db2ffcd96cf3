"""The cookie in which a browser keeps the token that somebody has signed in with (RFC 6265).

Scripts do not see it (HttpOnly), pages of other sites do not send it (SameSite=Strict), and it is
gone with the browser's session; the token ends by itself.
"""

from collections.abc import Sequence

NAME = "itemledger_token"
# Browsers keep 4096 bytes of a cookie, its name and attributes included.
TOKEN_LIMIT = 3800


def authorization_of(cookies: str | None) -> Sequence[str]:
    """Make of a header `Cookie` the headers `Authorization` that say the same; none where nobody is
    signed in.
    """
    for each in (cookies or "").split(";"):
        name, _, value = each.strip().partition("=")
        if name == NAME and value:
            return (f"Bearer {value}",)
    return ()


def kept(token: str, url: str, domain: str | None) -> str:
    """Write the header `Set-Cookie` of the service at `url`. With a `domain` it is sent to all
    hosts below, else to this one alone, on whichever port.
    """
    return f"{NAME}={token}; {_attributes(url, domain)}"


def forgotten(url: str, domain: str | None) -> str:
    """Write the header `Set-Cookie` that takes it back."""
    return f"{NAME}=; Max-Age=0; {_attributes(url, domain)}"


def _attributes(url: str, domain: str | None) -> str:
    secure = "; Secure" if url.startswith("https:") else ""
    below = "" if domain is None else f"; Domain={domain}"
    return f"Path=/; HttpOnly; SameSite=Strict{secure}{below}"
