"""Who can reach an address, and that nobody beyond this machine does without keys."""

from ipaddress import ip_address

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
