"""Raw COPY: rows of events into a table with the same columns and indexes, and nothing else."""

import time
from collections.abc import Sequence
from typing import Any

from psycopg import Connection

_COLUMNS = (
    'partition, "offset", item_id, version, type, data, command_id, actor, reason, recorded_at, '
    "effective_at, hash"
)
_TYPES = ("int4", "int8", "text", "int8", *["text"] * 5, "int8", "int8", "text")
_COMMIT_EVERY = 1_000


def rows_of(connection: Connection[Any], count: int) -> Sequence[tuple[Any, ...]]:
    """Read rows of the ledger."""
    return connection.execute(f"SELECT {_COLUMNS} FROM events LIMIT {count}").fetchall()  # noqa: S608  all ours


def copy(connection: Connection[Any], rows: Sequence[tuple[Any, ...]]) -> float:
    """Write rows into a new table; return the seconds it took."""
    connection.execute("DROP TABLE IF EXISTS copied")
    connection.execute("CREATE TABLE copied (LIKE events INCLUDING ALL)")
    connection.commit()
    begun = time.perf_counter()
    with connection.cursor() as cursor:
        for start in range(0, len(rows), _COMMIT_EVERY):
            with cursor.copy(f"COPY copied ({_COLUMNS}) FROM STDIN (FORMAT binary)") as out:
                out.set_types(_TYPES)
                for row in rows[start : start + _COMMIT_EVERY]:
                    out.write_row(row)
            connection.commit()
    return time.perf_counter() - begun
