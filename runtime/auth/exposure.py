"""Who can reach an address, that nobody beyond this machine does without keys, and what they are
told.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from runtime.settings import PREFIX, Settings


def is_this_machine(host: str) -> bool:
    """Whether a name or an address is only ever this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def exposed_without_keys(settings: Settings) -> str | None:
    """Say why a service can not listen where it is told to, and how to mend it."""
    if settings.has_keys or is_this_machine(settings.host):
        return None
    return (
        f"others reach {settings.host or 'all addresses'}, and nothing tells whom to trust: set "
        f"{PREFIX}TOKEN_SECRET (at least 32 characters, such as `openssl rand -base64 32` makes) "
        f"or {PREFIX}JWKS_URL, or listen on 127.0.0.1 (--host, {PREFIX}HOST)"
    )


def names_only_itself(settings: Settings) -> str | None:
    """Say which settings are missing where others reach a service whose links lead them to
    themselves.
    """
    if is_this_machine(settings.host):
        return None
    unnamed = {
        f"{PREFIX}{kind}_URL": local
        for kind, url, local in (
            ("COMMAND", settings.command_url, settings.local_command_url),
            ("QUERY", settings.query_url, settings.local_query_url),
        )
        if url is None and is_this_machine(urlsplit(local).hostname or "")
    }
    if not unnamed:
        return None
    return (
        f"others reach {settings.host or 'all addresses'}, and links tell them "
        f"{' and '.join(unnamed.values())}, which is each one's own machine: set "
        f"{' and '.join(unnamed)} to what others call this one"
    )
