"""One row, straight by the driver."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, Text, bindparam, select, text
from sqlalchemy.sql import ClauseElement

from ledger import single
from ledger.engines import reading_engine, writing_engine
from ledger.single import NotRead, SingleRow, raw
from ledger.tables import facts


def _fact(dialect_name: str) -> ClauseElement:
    wanted = bindparam("name", type_=Text())
    return select(raw(dialect_name, facts.c.value)).where(facts.c.name == wanted)


@pytest.fixture
def writer(database_url: str) -> Iterator[Engine]:
    engine = writing_engine(database_url)
    put(engine, "lamp", "Läßt-leuchten ☀")
    yield engine
    engine.dispose()


@pytest.fixture
def reader(writer: Engine, database_url: str) -> Iterator[Engine]:
    engine = reading_engine(database_url, connections=1)
    yield engine
    engine.dispose()


def put(engine: Engine, name: str, value: str) -> None:
    with engine.begin() as connection:
        statement = text("INSERT INTO facts (name, value) VALUES (:name, :value)")
        connection.execute(statement, {"name": name, "value": value})


def test_a_row_is_read_and_one_that_is_not_there_is_not(reader: Engine) -> None:
    row = SingleRow(reader, _fact)
    found = row.read("lamp")
    assert found is not None
    assert found[0] == "Läßt-leuchten ☀".encode()
    assert row.read("cup") is None
    assert row.read("' OR 1=1 --") is None


def test_each_read_sees_what_was_committed_before_it(reader: Engine, writer: Engine) -> None:
    row = SingleRow(reader, _fact)
    assert row.read("cup") is None
    put(writer, "cup", "a cup")
    assert row.read("cup") is not None


def test_it_is_planned_anew_now_and_then(reader: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single, "_PLANNED_FOR", 3)
    row = SingleRow(reader, _fact)
    assert all(row.read("lamp") is not None for _ in range(10))


def test_threads_do_not_share_a_connection(reader: Engine) -> None:
    row = SingleRow(reader, _fact)
    found: list[Any] = []

    def read() -> None:
        found.extend(row.read("lamp") for _ in range(200))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert {each[0] for each in found} == {"Läßt-leuchten ☀".encode()}
    assert len(found) == 800


def test_an_error_ends_its_connection_and_the_next_read_has_another(
    reader: Engine, writer: Engine
) -> None:
    row = SingleRow(reader, _fact)
    row.read("lamp")
    with writer.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE facts RENAME TO gone")
    with pytest.raises(NotRead, match="facts"):
        row.read("lamp")
    with writer.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO facts")
    assert row.read("lamp") is not None


def test_a_server_that_closed_the_connection_is_asked_again(
    postgresql_url: str, postgresql_server: Any
) -> None:
    del postgresql_server
    engine = reading_engine(postgresql_url, connections=1)
    row = SingleRow(engine, _fact)
    assert row.read("lamp") is None
    other = writing_engine(postgresql_url)
    with other.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(NotRead):
        row.read("lamp")
    assert row.read("lamp") is None
    other.dispose()
    engine.dispose()


def test_a_statement_of_several_parameters_is_refused(reader: Engine) -> None:
    def two(_: str) -> ClauseElement:
        return select(facts).where(
            facts.c.name == bindparam("one"), facts.c.value == bindparam("two")
        )

    with pytest.raises(ValueError, match="parameters"):
        SingleRow(reader, two)
