"""Writing many rows, reading them back, and who may do either."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from ledger import bulk, gaps, partitions
from ledger.bulk import insert_rows, updating, upsert_rows
from ledger.engines import reading_engine, writing_engine
from ledger.gaps import Gap
from ledger.prepared import Prepared, among, listed
from ledger.tables import events, facts, heads
from ledger.writer import SecondWriter, sole_writer
from runtime.positions import PartitionMismatch, Position

# A quote, a backslash, a brace, a line break, the largest price, and the end of Unicode.
AWKWARD = "a'b\"c\\d{e}\n\t☀ 😀 \U0010ffff :x %s"


EVENT: dict[str, Any] = {
    "partition": 0,
    "offset": 1,
    "item_id": "a",
    "version": 1,
    "type": "ItemCreated",
    "data": "{}",
    "command_id": "c",
    "actor": "anna",
    "reason": None,
    "recorded_at": 1,
    "effective_at": 1,
    "hash": "h",
}


@pytest.fixture
def engine(database_url: str) -> Any:
    made = writing_engine(database_url)
    yield made
    made.dispose()


def head(item_id: str, **members: Any) -> dict[str, Any]:
    return {
        "item_id": item_id,
        "partition": 0,
        "version": 1,
        "name": "Lamp",
        "description": None,
        "price": 0,
        "currency": "EUR",
        "created_at": 1,
        "updated_at": 1,
        "deleted_at": None,
        "effective_at": 1,
        "schedules": None,
        "due_at": None,
        **members,
    }


def stored(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        found = connection.execute(select(heads).order_by(heads.c.item_id))
        return [dict(row) for row in found.mappings()]


def test_rows_come_back_as_they_were_written(engine: Engine) -> None:
    rows = [
        head("a", name=AWKWARD, description=AWKWARD, price=2**53 - 1),
        head("b", deleted_at=5),
    ]
    with engine.begin() as connection:
        insert_rows(connection, heads, rows)

    assert stored(engine) == rows


def test_a_row_that_is_there_is_not_inserted_again(engine: Engine) -> None:
    with engine.begin() as connection:
        insert_rows(connection, heads, [head("a")])
    with pytest.raises(IntegrityError), engine.begin() as connection:
        insert_rows(connection, heads, [head("b"), head("a")])

    assert [row["item_id"] for row in stored(engine)] == ["a"]


def test_an_upsert_overwrites_what_is_there_and_inserts_the_rest(engine: Engine) -> None:
    with engine.begin() as connection:
        upsert_rows(connection, heads, [head("a", description="x"), head("b")])
        upsert_rows(connection, heads, [head("a", price=5), head("c")])

    assert stored(engine) == [head("a", price=5), head("b"), head("c")]


def test_a_thousand_values_are_one_parameter(engine: Engine) -> None:
    names = [f"i{number:04}" for number in range(1000)]
    with engine.begin() as connection:
        insert_rows(connection, heads, [head(name) for name in names[::2]])
        statement = select(heads.c.item_id).where(bulk.among(connection, heads.c.item_id, names))
        found = connection.scalars(statement).all()

    assert sorted(found) == names[::2]


@pytest.mark.parametrize(
    "names",
    [["a", "b"], ["NULL", "null", "", " ", "a,b", "{a}", '"', "'", "☀"], [AWKWARD, "\x1f"], []],
    ids=["plain", "odd", "escaped", "none"],
)
def test_a_list_is_one_parameter_whatever_its_values_are(engine: Engine, names: list[str]) -> None:
    wanted = Prepared(
        lambda dialect: select(heads.c.item_id).where(among(dialect, heads.c.item_id, "ids"))
    )
    with engine.begin() as connection:
        insert_rows(connection, heads, [head(name) for name in [*names, "another"]])
        found = wanted.run(connection, {"ids": listed(connection, names)}).scalars().all()

    assert sorted(found) == sorted(names)


def test_rows_are_overwritten_by_a_key_whatever_the_order_of_their_values(engine: Engine) -> None:
    writer = updating(heads, "item_id", ("item_id", "price", "description"))
    with engine.begin() as connection:
        insert_rows(connection, heads, [head("a"), head("b"), head("c")])
        writer.write(connection, [("b", 7, AWKWARD), ("a", 5, None), ("none", 1, None)])
        writer.write(connection, [])

    assert stored(engine) == [
        head("a", price=5),
        head("b", price=7, description=AWKWARD),
        head("c"),
    ]


def test_no_values_match_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        insert_rows(connection, heads, [head("a")])
        statement = select(heads.c.item_id).where(bulk.among(connection, heads.c.item_id, []))

        assert connection.scalars(statement).all() == []


def test_a_reader_can_not_write(database_url: str) -> None:
    reader = reading_engine(database_url)
    for statement in ("DELETE FROM events", "INSERT INTO facts VALUES ('a', 'b')"):
        with pytest.raises(DBAPIError), reader.connect() as connection:
            connection.execute(text(statement))
    reader.dispose()


def test_a_reader_sees_one_moment(database_url: str, engine: Engine) -> None:
    reader = reading_engine(database_url)
    with reader.connect() as connection:
        before = connection.execute(select(facts)).all()
        with engine.begin() as writing:
            insert_rows(writing, facts, [{"name": "a", "value": "b"}])
        after = connection.execute(select(facts)).all()
    reader.dispose()

    assert before == after == []


def test_the_number_of_partitions_is_fixed_at_the_first_start(engine: Engine) -> None:
    partitions.lay_out(engine, 3)
    partitions.lay_out(engine, 3)

    assert partitions.stored_count(engine) == 3
    assert partitions.read(engine, [2])[2].position == Position(2, 0, 0)
    with pytest.raises(PartitionMismatch, match="ITEMLEDGER_PARTITIONS=3"):
        partitions.lay_out(engine, 4)


def test_workers_that_start_together_lay_out_once(postgresql_url: str) -> None:
    engines = [writing_engine(postgresql_url) for _ in range(4)]
    together = threading.Barrier(len(engines))

    def start(engine: Engine) -> None:
        together.wait(30)
        partitions.lay_out(engine, 8)

    with ThreadPoolExecutor(len(engines)) as pool:
        for started in [pool.submit(start, each) for each in engines]:
            started.result()

    assert partitions.read(engines[0], [7])[7].position == Position(7, 0, 0)
    for each in engines:
        each.dispose()


def test_sqlite_has_one_writing_process(sqlite_url: str) -> None:
    second = sole_writer(sqlite_url)
    with sole_writer(sqlite_url), pytest.raises(SecondWriter, match="PostgreSQL"), second:
        pass
    with sole_writer(sqlite_url):
        pass


def test_a_gap_noticed_again_is_recorded_once(engine: Engine) -> None:
    gap = Gap(0, 1, 2, 3)
    with engine.begin() as connection:
        gaps.record(connection, [gap], 1)
        gaps.record(connection, [gap], 2)
        count = connection.scalar(text("SELECT count(*) FROM gaps"))

    assert count == 1


def test_of_gaps_that_are_recorded_only_the_new_ones_are_told(engine: Engine) -> None:
    known, longer, elsewhere = Gap(0, 1, 2, 3), Gap(0, 1, 2, 4), Gap(1, 1, 2, 3)
    with engine.begin() as connection:
        assert gaps.record(connection, [known], 1) == [known]
        assert gaps.record(connection, [known, elsewhere], 2) == [elsewhere]
        assert gaps.record(connection, [longer, elsewhere], 3) == [longer]
        assert gaps.record(connection, [], 4) == []
        assert gaps.recorded(connection, 0) == [longer]


def test_nothing_is_missing_between_neighbours() -> None:
    assert gaps.between(Position(0, 1, 4), Position(0, 1, 5), {}) == []
    assert gaps.between(Position(0, 1, 4), Position(0, 2, 1), {1: 4}) == []
    assert gaps.between(Position(0, 0, 0), Position(0, 2, 1), {}) == []


def test_what_is_missing_is_named_epoch_by_epoch() -> None:
    missing = gaps.between(Position(0, 1, 4), Position(0, 9, 3), {0: 9, 1: 6, 5: 2, 9: 9})

    assert missing == [Gap(0, 1, 5, 6), Gap(0, 5, 1, 2), Gap(0, 9, 1, 2)]


def test_events_are_never_overwritten(engine: Engine) -> None:
    with engine.begin() as connection:
        insert_rows(connection, events, [EVENT])
    with pytest.raises(IntegrityError), engine.begin() as connection:
        insert_rows(connection, events, [{**EVENT, "version": 2}])


def test_the_database_itself_refuses_to_change_or_delete_an_event(engine: Engine) -> None:
    statements = ["UPDATE events SET actor = 'eve'", "DELETE FROM events"]
    if engine.dialect.name == "postgresql":
        statements.append("TRUNCATE events")
    with engine.begin() as connection:
        insert_rows(connection, events, [EVENT])
    for statement in statements:
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))
    with engine.connect() as connection:
        assert connection.execute(select(events.c.actor)).all() == [("anna",)]


def test_a_commit_on_sqlite_is_on_disk_and_its_writer_is_alone(sqlite_url: str) -> None:
    writer = writing_engine(sqlite_url)
    with writer.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        second = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), timeout=0)
        # The lock is taken with the transaction, not with its first write.
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            second.execute("BEGIN IMMEDIATE")
        second.close()
    writer.dispose()
