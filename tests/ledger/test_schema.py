from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from ledger import tables
from ledger.bulk import insert_rows
from ledger.engines import reading_engine, writing_engine
from ledger.migrate import UnknownSchema, migrate
from ledger.schema import DatabaseUnusable, SchemaOutOfDate, check_schema
from ledger.tables import outcomes, partitions
from readmodel.views import view
from readmodel.views.listing import all_views, install


def _is_of_this_engine(dialect: str) -> Callable[..., bool]:
    """Leave out indexes of the other engine, the index of FTS5, and what SQLite keeps that in."""

    def is_of_it(thing: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        if kind == "index" and thing._ddl_if is not None:
            return thing._ddl_if.dialect == dialect
        return kind != "table" or "_index" not in str(name)

    return is_of_it


def test_the_migrations_make_exactly_the_tables_of_the_code(database_url: str) -> None:
    engine = writing_engine(database_url)
    assert all_views()
    wanted = [tables.metadata, view.metadata]
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": _is_of_this_engine(engine.dialect.name)}
        )
        differences = compare_metadata(context, wanted)
    engine.dispose()

    assert differences == []


def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert migrate(database_url, install) == migrate(database_url, install)


def test_a_database_without_a_schema_is_told_to_migrate(tmp_path: Path) -> None:
    engine = writing_engine(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(SchemaOutOfDate, match="itemledger migrate"):
        check_schema(engine)
    engine.dispose()


def test_a_migrated_database_is_taken(database_url: str) -> None:
    engine = reading_engine(database_url)
    check_schema(engine)
    engine.dispose()


def test_a_schema_of_another_release_is_not_touched(database_url: str) -> None:
    engine = writing_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    engine.dispose()

    with pytest.raises(UnknownSchema):
        migrate(database_url, install)


def test_a_database_that_is_not_to_be_had_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for url in (
        f"sqlite:///{tmp_path}/file/x.db",
        f"postgresql+psycopg://nobody@/none?host={tmp_path}",
    ):
        with pytest.raises(DatabaseUnusable) as raised:
            migrate(url, install)
        assert len(str(raised.value).splitlines()) == 1


def test_outcomes_of_earlier_releases_are_counted_when_the_count_comes(database_url: str) -> None:
    engine = writing_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE partitions DROP COLUMN outcomes"))
        connection.execute(text("ALTER TABLE projections DROP COLUMN by_item"))
        for later in ("request_id", "trace"):
            connection.execute(text(f"ALTER TABLE outcomes DROP COLUMN {later}"))
        for later in ("after_offset", "last_offset"):
            connection.execute(text(f"ALTER TABLE import_counts DROP COLUMN {later}"))
        connection.execute(text("ALTER TABLE imports DROP COLUMN file_name"))
        connection.execute(text("DROP INDEX ix_imports_reverts_begun_at_import_id"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0007'"))
        for partition in (0, 1, 2):
            connection.execute(
                text(
                    'INSERT INTO partitions (partition, epoch, n, "offset", recorded_at, hash)'
                    " VALUES (:partition, 1, 1, 0, 0, '')"
                ),
                {"partition": partition},
            )
        insert_rows(
            connection,
            outcomes,
            [
                {
                    "command_id": f"c-{n}",
                    "partition": n % 2,
                    "epoch": 1,
                    "n": n,
                    "item_id": "lamp",
                    "status": "applied",
                    "http_status": 200,
                    "version": 1,
                    "code": None,
                    "detail": None,
                    "fingerprint": "",
                    "completed_at": 1,
                }
                for n in range(5)
            ],
        )
    engine.dispose()
    migrate(database_url, install)
    engine = reading_engine(database_url)
    with engine.connect() as connection:
        counted = dict(
            tuple(row)
            for row in connection.execute(select(partitions.c.partition, partitions.c.outcomes))
        )
    engine.dispose()

    assert counted == {0: 3, 1: 2, 2: 0}


def test_a_schema_of_a_newer_release_is_not_to_be_migrated(sqlite_url: str) -> None:
    engine = writing_engine(sqlite_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(SchemaOutOfDate, match="use the release that made it, or a newer one"):
        check_schema(engine)
    engine.dispose()
