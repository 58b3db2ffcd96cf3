"""Engines for the two databases, set up so that a commit is on disk and readers only read."""

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

# Milliseconds; how long a PostgreSQL session of ours may hold others up.
_POSTGRESQL_WRITER = (
    "-c idle_in_transaction_session_timeout=5000 -c lock_timeout=2000 -c synchronous_commit=on"
)
_POSTGRESQL_READER = "-c default_transaction_read_only=on -c statement_timeout=10000"
_TCP_USER_TIMEOUT = 10_000
_SQLITE_BUSY_TIMEOUT = 5_000
# The writer's cache in KiB: a batch that does not fit in SQLite's own 2 MB spills into the WAL and
# is read back from it. The more pages (of 4 KiB) the WAL may have, the more often those that change
# all the time are written to the database only once; but whoever fills it writes them all, and
# nobody else meanwhile: in a ledger of a million events 0.17 s for 16,000 pages, 0.08 for 4,000,
# which make an import a tenth slower.
_SQLITE_WRITER_CACHE = 24 * 1024
_SQLITE_WAL_PAGES = 4_000
# Bytes of the file that readers look at in the memory of the system, without a call for each page:
# most of what a list costs. It is the most that SQLite takes; larger files are read both ways.
_SQLITE_MAPPED = 2_147_418_112


def writing_engine(url: str) -> Engine:
    """Open the ledger for its writer. On SQLite there is one connection, and one process has it."""
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite_writer(url)
    return create_engine(
        url,
        # RQ's thread, sweeper and alarm; three that build a view and bring another one up.
        pool_size=6,
        max_overflow=0,
        connect_args={
            "options": _POSTGRESQL_WRITER,
            "tcp_user_timeout": _TCP_USER_TIMEOUT,
            "connect_timeout": 5,
        },
    )


def reading_engine(url: str, connections: int = 4) -> Engine:
    """Open the ledger for readers; the database itself refuses a write through it."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            f"sqlite:///file:{parsed.database}?mode=ro&uri=true",
            poolclass=QueuePool,
            pool_size=connections,
            max_overflow=connections,
        )

        @event.listens_for(engine, "connect")
        def _only_read(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
            connection.isolation_level = None
            _pragmas(
                connection,
                f"busy_timeout={_SQLITE_BUSY_TIMEOUT}",
                "query_only=ON",
                f"mmap_size={_SQLITE_MAPPED}",
            )

        @event.listens_for(engine, "begin")
        def _one_snapshot(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        return engine
    return create_engine(
        url,
        pool_size=connections,
        max_overflow=connections,
        pool_pre_ping=True,
        isolation_level="REPEATABLE READ",
        connect_args={
            "options": _POSTGRESQL_READER,
            "tcp_user_timeout": _TCP_USER_TIMEOUT,
            "connect_timeout": 5,
        },
    )


def single_reads(engine: Engine) -> Engine:
    """Spare PostgreSQL the transaction around a single select: two round trips of three."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="AUTOCOMMIT")
    return engine


def _sqlite_writer(url: str) -> Engine:
    engine = create_engine(url, poolclass=QueuePool, pool_size=1, max_overflow=0)

    @event.listens_for(engine, "connect")
    def _durable(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions of its own: ours begin with the write lock.
        connection.isolation_level = None
        _pragmas(
            connection,
            f"busy_timeout={_SQLITE_BUSY_TIMEOUT}",
            "journal_mode=WAL",
            "synchronous=FULL",
            f"cache_size=-{_SQLITE_WRITER_CACHE}",
            f"wal_autocheckpoint={_SQLITE_WAL_PAGES}",
        )

    @event.listens_for(engine, "begin")
    def _take_the_write_lock(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _pragmas(connection: DBAPIConnection, *pragmas: str) -> None:
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
