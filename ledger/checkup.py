"""What the database's server says of itself, of its tables, and of the role that asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from ledger import partitions
from ledger.engines import reading_engine, writing_engine
from ledger.schema import current_revision, unusable
from ledger.tables import events, facts
from ledger.verify import guards
from runtime.times import now_ms

_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes')"
_ROLE = "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user"
_RIGHTS = ("UPDATE", "DELETE", "TRUNCATE")
_RIGHT = "SELECT has_table_privilege(current_user, 'events', :right)"
# While nothing is written, the time of the last transaction says nothing.
_REPLAY_LAG = """
    SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
           ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END
    """


@dataclass(frozen=True, slots=True)
class Server:
    """What only a PostgreSQL server has. `settings` are its own, `synchronous_commit` is that of a
    session of a worker. `may_change_events` names the rights that nobody needs who appends, and
    `replay_lag` is in seconds, `None` where this is no replica. `skew` is how far its clock is
    before ours, in milliseconds.
    """

    settings: Mapping[str, str]
    synchronous_commit: str
    role: str
    is_superuser: bool
    may_change_events: tuple[str, ...]
    replay_lag: float | None
    skew: int


@dataclass(frozen=True, slots=True)
class Database:
    """`revision` is `None` without a schema, `partitions` before the first start. `unguarded` names
    the triggers that should keep events as they are, and do not.
    """

    engine: Literal["sqlite", "postgresql"]
    version: tuple[int, ...]
    revision: str | None
    partitions: int | None
    unguarded: tuple[str, ...]
    server: Server | None


def examine(url: str) -> Database:
    """Look at a database without changing it.

    Raises DatabaseUnusable where it is not to be had; a driver that is not installed raises
    ModuleNotFoundError.
    """
    reads = reading_engine(url, connections=1)
    try:
        with reads.connect() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            tables = inspect(connection)
            has_events = tables.has_table(events.name)
            missing = guards.missing(connection) if has_events else []
            is_laid_out = tables.has_table(facts.name)
            return Database(
                engine="sqlite" if is_sqlite else "postgresql",
                version=_numbers(connection),
                revision=current_revision(connection),
                partitions=partitions.stored_count(reads) if is_laid_out else None,
                unguarded=tuple(each.what.split()[1] for each in missing),
                server=None if is_sqlite else _server(url, connection, has_events=has_events),
            )
    except SQLAlchemyError as error:
        raise unusable(error) from error
    finally:
        reads.dispose()


def _numbers(connection: Connection) -> tuple[int, ...]:
    told = connection.dialect.server_version_info or ()
    return tuple(each for each in told if isinstance(each, int))


def _server(url: str, connection: Connection, *, has_events: bool) -> Server:
    settings = {str(row[0]): str(row[1]) for row in connection.execute(text(_SETTINGS))}
    role, is_superuser = connection.execute(text(_ROLE)).one()
    rights = [
        right
        for right in (_RIGHTS if has_events else ())
        if connection.scalar(text(_RIGHT), {"right": right})
    ]
    is_replica = connection.scalar(text("SELECT pg_is_in_recovery()"))
    before = now_ms()
    told = int(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp()) * 1000")) or 0)
    return Server(
        settings=settings,
        synchronous_commit=_synchronous_commit(writing_engine(url)),
        role=str(role),
        is_superuser=bool(is_superuser),
        may_change_events=tuple(rights),
        replay_lag=float(connection.scalar(text(_REPLAY_LAG)) or 0) if is_replica else None,
        skew=told - (before + now_ms()) // 2,
    )


def _synchronous_commit(engine: Engine) -> str:
    try:
        with engine.connect() as connection:
            return str(connection.scalar(text("SHOW synchronous_commit")))
    finally:
        engine.dispose()
