"""The databases that tests are lent are as fresh as new ones."""

from typing import Any

import psycopg

from ledger.engines import reading_engine
from tests.engines import put_away
from tests.postgresql import Databases


def test_what_a_test_leaves_behind_is_gone_for_the_next(postgresql_databases: Databases) -> None:
    def lent(*statements: str) -> tuple[str, list[tuple[object, ...]]]:
        """Execute them in a database that is lent, and tell which it was and what was in it."""
        with (
            postgresql_databases.lent() as url,
            psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection,
        ):
            found = connection.execute("SELECT * FROM events").fetchall()
            found += connection.execute("SELECT * FROM projections ORDER BY 1, 2").fetchall()
            for each in statements:
                connection.execute(each)
        return url, found

    event = "INSERT INTO events SELECT 0, n, 'lamp', n, 'x', '{}', 'c', 'a', NULL, 0, 0, 'h'"
    first, fresh = lent(f"{event} FROM generate_series(1, 5000) AS n", "DELETE FROM projections")
    second, found = lent(f"{event} FROM generate_series(1, 5) AS n")
    assert (second, found) == (first, fresh)

    third, found = lent("ALTER TABLE events DISABLE TRIGGER events_are_not_changed")
    assert (third, found) == (first, fresh)
    # Emptying tables would not bring that back.
    fourth, found = lent()
    assert fourth != first
    assert found == fresh


def test_a_connection_that_is_given_back_late_is_closed(postgresql_url: str) -> None:
    engine = reading_engine(postgresql_url)
    connection = engine.connect()
    own: Any = connection.connection.dbapi_connection
    put_away(engine)
    assert not own.closed
    connection.close()
    assert own.closed
