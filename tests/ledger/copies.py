"""A database as it is at a moment, to be put into fresh ones: what took long is done once."""

import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

_TABLES = (
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)


class Copy:
    """What is in a database; it is read when this is made, and nobody may be writing then."""

    def __init__(self, url: str, folder: Path) -> None:
        self._file = folder / "copy.db"
        self._rows: Mapping[str, bytes] = {}
        if url.startswith("sqlite"):
            with sqlite3.connect(make_url(url).database or "") as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            shutil.copy(make_url(url).database or "", self._file)
        else:
            with psycopg.connect(_plain(url)) as connection:
                names = [name for (name,) in connection.execute(_TABLES).fetchall()]
                self._rows = {name: _read(connection, name) for name in names}

    def put_into(self, url: str) -> None:
        """Make a database that nobody has open equal to what was copied."""
        if not self._rows:
            shutil.copy(self._file, make_url(url).database or "")
            return
        # Triggers keep the ledger append-only, which it is not yet.
        options = "-c session_replication_role=replica"
        with psycopg.connect(_plain(url), options=options) as connection:
            for name, rows in self._rows.items():
                table = sql.Identifier(name)
                connection.execute(sql.SQL("DELETE FROM {}").format(table))
                writing = sql.SQL("COPY {} FROM STDIN").format(table)
                with connection.cursor() as cursor, cursor.copy(writing) as copy:
                    copy.write(rows)


def _read(connection: "psycopg.Connection[tuple[str]]", name: str) -> bytes:
    reading = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(name))
    with connection.cursor() as cursor, cursor.copy(reading) as copy:
        return b"".join(bytes(each) for each in copy)


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")
