"""What `up` says when everything is ready: where it is, how safe, and how to stop it."""

from collections.abc import Generator

from cli.refusals import without_password
from eventlog.durability import LogDurability
from eventlog.inspect import LogUnavailable, inspect_log
from runtime.settings import Durability, Settings
from runtime.times import now_ms

_MEANING: dict[Durability, str] = {
    "fsync": "fsync: a command is on disk before it is answered",
    "everysec": "everysec: a command is on disk within about two seconds of its answer",
    "none": "none: a command can be lost when Redis ends",
}


def banner(settings: Settings) -> str:
    """Write the banner; ask the log how safely it is kept."""
    rows = "".join(f"  {name:<12} {value}\n" for name, value in _rows(settings))
    return f"\nitemledger is ready.\n{rows}Ctrl-C stops it; what was accepted is kept.\n"


def _rows(settings: Settings) -> Generator[tuple[str, str]]:
    yield "Pages", f"{settings.public_query_url}/   (for people, in a browser)"
    yield "Command API", f"{settings.public_command_url}   (described at /docs)"
    yield "Query API", f"{settings.public_query_url}   (described at /docs)"
    yield "Data folder", str(settings.data.absolute())
    if settings.redis_url is not None:
        yield "Log", without_password(settings.redis_url)
    if settings.database_url is not None:
        yield "Database", without_password(settings.database_url)
    yield "Durability", _durability(settings)
    if not settings.has_keys:
        yield "Open to", "this machine alone, without tokens"


def _durability(settings: Settings) -> str:
    inspector = inspect_log(settings.log_url, 1)
    try:
        facts: LogDurability | None = inspector.checkup(now_ms()).durability
    except LogUnavailable:
        facts = None
    finally:
        inspector.close()
    return "not known: the log does not tell" if facts is None else _MEANING[facts.level]
