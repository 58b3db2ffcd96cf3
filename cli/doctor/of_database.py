"""The database: its server, its schema, what guards the events, and the rights of our role."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from cli.database_refusals import reading_refusal
from cli.doctor.finding import Check, Doubt, Fault, Finding, Fine, Told, clocks, told
from cli.refusals import Refusal, without_password
from ledger.checkup import Database, examine
from ledger.schema import REVISION, DatabaseUnusable
from runtime.settings import PREFIX, Settings

_LEAST = {"sqlite": (3, 35), "postgresql": (14,)}
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_ROLES = "give each process a role of its own (docs/postgresql.md)"
# Seconds that a replica may be behind before somebody should know.
_REPLAY_LAG = 10
_ON = frozenset({"on", "remote_apply"})


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What the database says, and how many partitions the log has and the settings say."""

    database: Database
    of_log: int | None
    of_settings: int | None


def _version(facts: DatabaseFacts) -> Finding:
    database = facts.database
    seen = f"{_NAMES[database.engine]} {'.'.join(map(str, database.version))}"
    least = _LEAST[database.engine]
    if database.version >= least:
        return Fine(seen)
    return Fault(seen, f"use {_NAMES[database.engine]} {'.'.join(map(str, least))} or newer")


def _schema(facts: DatabaseFacts) -> Finding:
    found = facts.database.revision
    if found == REVISION:
        return Fine(f"revision {found}")
    seen = f"revision {found or 'none'}, and this release works with {REVISION}"
    if found is not None and found > REVISION:
        return Fault(seen, "use the release that made it, or a newer one")
    return Fault(seen, "run `itemledger migrate` (`itemledger up` does it when it starts)")


def _guards(facts: DatabaseFacts) -> Finding | None:
    database = facts.database
    if database.revision is None:
        return None
    if not database.unguarded:
        return Fine("events can not be changed")
    names = ", ".join(database.unguarded)
    return Fault(
        f"events can be changed unseen: the triggers {names} are gone or disabled",
        "run `itemledger verify` to see whether they were, then ALTER TABLE events ENABLE TRIGGER, "
        "or make them again as ledger/migrations/versions/0002 and 0004 do",
    )


def _partitions(facts: DatabaseFacts) -> Finding | None:
    ledger, log, told_ = facts.database.partitions, facts.of_log, facts.of_settings
    if ledger is not None and log is not None and ledger != log:
        return Fault(
            f"the database is laid out for {ledger} and the log for {log}: they do not belong "
            "together",
            f"mend {PREFIX}DATABASE_URL or {PREFIX}REDIS_URL",
        )
    stored = ledger or log
    if stored is None:
        return None
    if told_ is not None and told_ != stored:
        return Fault(
            f"the data has {stored} and the settings say {told_}: nothing will start",
            f"set {PREFIX}PARTITIONS={stored}, or unset it",
        )
    return Fine(f"{stored}, in log and database alike" if ledger == log else str(stored))


def _kept(facts: DatabaseFacts) -> Finding | None:
    server = facts.database.server
    if server is None:
        return None
    off = [name for name, value in sorted(server.settings.items()) if value != "on"]
    if off:
        return Fault(
            f"{', '.join(off)} off: PostgreSQL may lose what it has confirmed",
            f"ALTER SYSTEM SET {off[0]} = on; SELECT pg_reload_conf()",
        )
    if server.synchronous_commit not in _ON:
        return Fault(
            f"synchronous_commit is {server.synchronous_commit} in our sessions, which ask for on",
            "let the pooler between keep each session's settings (PgBouncer: pool_mode=session)",
        )
    return Fine(f"fsync on, synchronous_commit {server.synchronous_commit}")


def _role(facts: DatabaseFacts) -> Finding | None:
    server = facts.database.server
    if server is None:
        return None
    if server.is_superuser:
        return Doubt(f"{server.role} is a superuser, and can change what has happened", _ROLES)
    if server.may_change_events:
        rights = ", ".join(server.may_change_events)
        return Doubt(f"{server.role} has {rights} on events", _ROLES)
    return Fine(f"{server.role} can not change events")


def _replica(facts: DatabaseFacts) -> Finding | None:
    server = facts.database.server
    if server is None or server.replay_lag is None:
        return None
    seen = f"this is a replica, {server.replay_lag:.0f} s behind"
    if server.replay_lag <= _REPLAY_LAG:
        return Fine(seen)
    return Doubt(seen, "see to its disk and network, or name the primary")


def _clock(facts: DatabaseFacts) -> Finding | None:
    server = facts.database.server
    return None if server is None else clocks("the database's", server.skew)


CHECKS = (
    Check("database: version", _version),
    Check("database: schema", _schema),
    Check("database: guards", _guards),
    Check("database: partitions", _partitions),
    Check("database: durability", _kept),
    Check("database: role", _role),
    Check("database: replica", _replica),
    Check("database: clock", _clock),
)


def look(settings: Settings, of_log: int | None) -> Generator[Told, None, Database | None]:
    """Look at the database and return it; `None` where it is not to be had."""
    url = settings.sql_url
    if settings.database_url is None and not _file(url).exists():
        yield Told(
            "database: answers",
            Doubt(
                f"there is none yet in {settings.data.absolute()}",
                f"`itemledger up` makes it; or name the deployment's folder with {PREFIX}DATA",
            ),
        )
        return None
    try:
        database = examine(url)
    except (DatabaseUnusable, ModuleNotFoundError) as error:
        yield Told("database: answers", _unusable(reading_refusal(url, error)))
        return None
    yield Told("database: answers", Fine(without_password(url)))
    yield from told(CHECKS, DatabaseFacts(database, of_log, settings.partitions))
    return database


def _file(url: str) -> Path:
    return Path(url.partition(":///")[2].partition("?")[0])


def _unusable(refusal: Refusal) -> Finding:
    # A driver that is not installed is told without a semicolon.
    seen, _, mend = str(refusal).rpartition("; " if "; " in str(refusal) else ": ")
    return Fault(seen, mend)
