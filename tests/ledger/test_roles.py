"""The roles of deploy/postgresql: the product works under them, and nothing more does."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, RaiseException, ReadOnlySqlTransaction
from sqlalchemy import make_url, text

import readmodel.views.items  # noqa: F401  its table is one that the roles have rights on
from cli.verify import run_verify
from domain.commands import CreateItem, PatchItem
from ledger.engines import reading_engine, writing_engine
from ledger.projections import SLOTS
from ledger.schema import check_schema
from ledger.tables import metadata
from readmodel.views import items
from readmodel.views.listing import all_views
from tests.ledger.granted import ROLES, Roles, granted, run, script
from tests.ledger.ledgers import NOW, fill, look
from tests.worker.world import World, envelope
from worker.housekeeping import Housekeeping

UPSERT = (
    'INSERT INTO events SELECT * FROM events ON CONFLICT ("partition", "offset")'
    " DO UPDATE SET actor = 'eve'"
)
ANOTHER_FUNCTION = (
    "CREATE OR REPLACE FUNCTION the_ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NEW; END'"
)
# A right that is missing, a transaction that only reads, and our triggers.
REFUSED = (InsufficientPrivilege, ReadOnlySqlTransaction, RaiseException)

NOBODY_BUT_THE_OWNER = [
    "CREATE TABLE mine (a int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TEMPORARY TABLE mine (a int)",
    "DROP TABLE items",
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "ALTER TABLE events ADD COLUMN more text",
    "DROP TRIGGER events_are_not_changed ON events",
    ANOTHER_FUNCTION,
    "SET session_replication_role = replica",
    "UPDATE events SET actor = 'eve'",
    "UPDATE events SET hash = 'x' WHERE false",
    UPSERT,
    "DELETE FROM events",
    "TRUNCATE events",
    "DO $$ BEGIN LOCK TABLE events IN ACCESS EXCLUSIVE MODE; END $$",
    "SELECT * FROM events FOR UPDATE",
    "UPDATE alembic_version SET version_num = '0001'",
    "DELETE FROM alembic_version",
    "DELETE FROM partitions",
    "DELETE FROM heads",
    "DELETE FROM facts",
    "DELETE FROM gaps",
    "DELETE FROM epochs",
    "TRUNCATE outcomes",
    "UPDATE outcomes SET status = 'applied'",
    "CREATE ROLE another",
    "ALTER TABLE events OWNER TO CURRENT_USER",
    "COPY events TO PROGRAM 'cat'",
]
NOT_THE_QUERY = [
    "INSERT INTO events SELECT * FROM events",
    "INSERT INTO facts VALUES ('a', 'b')",
    "UPDATE partitions SET n = n + 1",
    "UPDATE items SET price = 0",
    "UPDATE heads SET price = 0",
    "DELETE FROM outcomes",
    "DELETE FROM quarantine",
    "SELECT * FROM partitions FOR UPDATE",
    "DO $$ BEGIN LOCK TABLE facts IN EXCLUSIVE MODE; END $$",
]
# The owner may do as it likes with its tables, but not by a mere statement on events.
NOT_THE_OWNER = [
    "UPDATE events SET actor = 'eve'",
    'UPDATE events SET "offset" = "offset" + 1000',
    'UPDATE events SET reason = NULL WHERE "offset" = 1',
    UPSERT,
    "DELETE FROM events",
    'DELETE FROM events WHERE "offset" = 1',
    "WITH gone AS (DELETE FROM events RETURNING *) SELECT count(*) FROM gone",
    "TRUNCATE events",
    "TRUNCATE events CASCADE",
    "SET session_replication_role = replica",
    "CREATE ROLE another",
    "CREATE DATABASE another",
    "COPY events TO PROGRAM 'cat'",
]


@pytest.fixture
def roles(postgresql_server: Any) -> Iterator[Roles]:
    with granted(postgresql_server) as made:
        yield made


def went_through(url: str, forbidden: list[str], *before: str) -> list[str]:
    """Try each statement by itself, after these, and return those that were not refused."""
    done: list[str] = []
    for statement in forbidden:
        try:
            run(url, *before, statement)
        except REFUSED:
            continue
        done.append(statement)
    return done


def test_every_table_has_its_rights_in_the_file() -> None:
    granted = set(
        re.findall(r"\w+", " ".join(re.findall(r"ON ([a-z0-9_,\s]+?)\s+TO", script("rights.sql"))))
    )
    assert granted >= metadata.tables.keys()


def test_the_worker_may_write_and_empty_the_tables_of_every_view(roles: Roles) -> None:
    missing = "SELECT name FROM unnest(%s::text[]) AS name WHERE NOT has_table_privilege(name, %s)"
    tables = [table.name for each in all_views() for slot in SLOTS for table in each.tables[slot]]
    with psycopg.connect(roles.worker.replace("+psycopg", "")) as connection:
        assert items.TABLES[2].name in tables
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            assert connection.execute(missing, [tables, right]).fetchall() == [], right


def test_the_worker_works_under_its_role(roles: Roles, valkey_url: str) -> None:
    with World.of(roles.worker, valkey_url, partitions=1) as world:
        check_schema(world.engine)
        world.append(
            envelope("c1", CreateItem("a", NOW, "Lamp", None, 5, "EUR")),
            envelope("c2", PatchItem("a", NOW, price=6)),
        )
        world.drain().partition(0)
        assert [row["price"] for row in world.rows(items.TABLES[1])] == [6]
        world.clock.now += 40 * 24 * 60 * 60 * 1000
        Housekeeping(world.engine, world.reader, world.clock).run(lambda: None)


def test_a_ledger_made_by_the_worker_is_read_and_verified_by_the_query(
    roles: Roles, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = writing_engine(roles.worker)
    fill(writer)
    writer.dispose()
    reader = reading_engine(roles.query)
    check_schema(reader)

    assert look(reader).differences == ()
    reader.dispose()
    assert run_verify(roles.query, (), NOW) == 0
    assert "no difference" in capsys.readouterr().out


def test_the_worker_can_do_nothing_else(roles: Roles) -> None:
    assert went_through(roles.worker, NOBODY_BUT_THE_OWNER) == []


def test_the_query_can_do_nothing_but_read(roles: Roles) -> None:
    every = [*NOBODY_BUT_THE_OWNER, *NOT_THE_QUERY]
    assert went_through(roles.query, every) == []


def test_the_query_s_rights_do_not_rest_on_a_setting_that_it_can_change(roles: Roles) -> None:
    every = [*NOBODY_BUT_THE_OWNER, *NOT_THE_QUERY]
    assert went_through(roles.query, every, "SET default_transaction_read_only = off") == []


def test_the_backup_can_do_nothing_but_read(roles: Roles) -> None:
    every = [*NOBODY_BUT_THE_OWNER, *NOT_THE_QUERY]
    assert went_through(roles.backup, every) == []
    assert went_through(roles.backup, every, "SET default_transaction_read_only = off") == []


def test_every_role_gets_a_password_from_its_file() -> None:
    text = script("passwords.sql")
    for role in ROLES:
        assert f"\\set {role} `cat /run/secrets/{role}`" in text
        assert f"ALTER ROLE itemledger_{role} PASSWORD :'{role}';" in text


def test_the_owner_too_is_kept_from_changing_events(roles: Roles) -> None:
    writer = writing_engine(roles.worker)
    fill(writer, commands=20)
    writer.dispose()

    assert went_through(roles.owner, NOT_THE_OWNER) == []


def test_a_table_of_a_later_release_works_at_once(roles: Roles) -> None:
    run(roles.owner, "CREATE TABLE later (a int)")
    run(roles.worker, "INSERT INTO later VALUES (1)", "UPDATE later SET a = 2")
    run(roles.query, "SELECT * FROM later")

    assert went_through(roles.query, ["INSERT INTO later VALUES (1)"]) == []
    assert went_through(roles.worker, ["DROP TABLE later", "TRUNCATE later"]) == []


def test_strangers_do_not_even_get_in(roles: Roles, postgresql_server: Any) -> None:
    stranger = f"s{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgresql_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {stranger} LOGIN")
        url = make_url(roles.owner).set(username=stranger).render_as_string(False)
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            run(url, "SELECT 1")
        connection.execute(f"DROP ROLE {stranger}")


def test_a_session_of_the_worker_lets_nobody_wait_for_long(postgresql_url: str) -> None:
    writer = writing_engine(postgresql_url)
    with writer.connect() as connection:
        shown = {
            name: connection.scalar(text(f"SHOW {name}"))
            for name in (
                "idle_in_transaction_session_timeout",
                "lock_timeout",
                "synchronous_commit",
            )
        }
    writer.dispose()

    assert shown == {
        "idle_in_transaction_session_timeout": "5s",
        "lock_timeout": "2s",
        "synchronous_commit": "on",
    }
