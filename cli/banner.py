"""What `up` says when everything is ready: where it is, how safe, and how to stop it."""

from collections.abc import Generator

from cli.lines import tell
from cli.refusals import without_password
from runtime.settings import Settings

# Columns of what stands before a value.
_NAMES = 12


def banner(settings: Settings, durability: str) -> str:
    """Write the banner; `durability` says how safely the log is kept."""
    rows = "".join(f"  {name:<{_NAMES}} {value}\n" for name, value in _rows(settings, durability))
    return f"\nitemledger is ready.\n{rows}Ctrl-C stops it; what was accepted is kept.\n"


def tell_banner(told: str) -> None:
    """Print it; what does not fit a terminal goes on below what it is about."""
    tell(told, hang=2 + _NAMES + 1)


def _rows(settings: Settings, durability: str) -> Generator[tuple[str, str]]:
    yield "Pages", f"{settings.public_query_url}/   (for people, in a browser)"
    yield "Command API", f"{settings.public_command_url}   (described at /docs)"
    yield "Query API", f"{settings.public_query_url}   (described at /docs)"
    yield "Data folder", str(settings.data.absolute())
    if settings.redis_url is not None:
        yield "Log", without_password(settings.redis_url)
    if settings.database_url is not None:
        yield "Database", without_password(settings.database_url)
    yield "Durability", durability
    if not settings.has_keys:
        yield "Open to", "this machine alone, without tokens"
