"""How safely the log is kept, in words for who has just started it."""

from eventlog.durability import LogDurability
from eventlog.inspect import LogUnavailable, inspect_log
from runtime.settings import Durability, Settings
from runtime.times import now_ms

_MEANING: dict[Durability, str] = {
    "fsync": "fsync: a command is on disk before it is answered",
    "everysec": "everysec: a command is on disk within about two seconds of its answer",
    "none": "none: a command can be lost when Redis ends",
}


def told_durability(settings: Settings) -> str:
    """Ask the log, and say it."""
    inspector = inspect_log(settings.log_url, 1)
    try:
        facts: LogDurability | None = inspector.checkup(now_ms()).durability
    except LogUnavailable:
        facts = None
    finally:
        inspector.close()
    return "not known: the log does not tell" if facts is None else _MEANING[facts.level]
