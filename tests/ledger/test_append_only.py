"""The database itself refuses whatever would change an event, by whichever statement."""

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

from ledger.tables import events

ANOTHER = """(
    "partition", "offset", item_id, version, type, data, command_id, actor, recorded_at,
    effective_at, hash
) VALUES ({place}, 'ItemDeleted', '{{}}', 'c', 'eve', 1, 1, 'h')"""
SAME_PLACE = ANOTHER.format(place="0, 3, 'another', 1")
SAME_VERSION = ANOTHER.format(place="0, 100000, (SELECT item_id FROM events LIMIT 1), 1")

ON_BOTH = {
    "update": "UPDATE events SET actor = 'eve'",
    "update of one": "UPDATE events SET actor = 'eve' WHERE \"offset\" = 3",
    "update of the key": 'UPDATE events SET "offset" = 100000 WHERE "offset" = 3',
    "update of nothing": "UPDATE events SET actor = actor",
    "delete": "DELETE FROM events",
    "delete of one": 'DELETE FROM events WHERE "offset" = 3',
    "upsert": f'INSERT INTO events {SAME_PLACE} ON CONFLICT ("partition", "offset")'
    " DO UPDATE SET actor = 'eve'",
}
ON_SQLITE = {
    "replace": f"REPLACE INTO events {SAME_PLACE}",
    "replace by version": f"INSERT OR REPLACE INTO events {SAME_VERSION}",
    "replace by rowid": "INSERT OR REPLACE INTO events "
    + ANOTHER.format(place="1, 100000, 'another', 1")
    .replace("(", "(rowid, ", 1)
    .replace("VALUES (", "VALUES (1, "),
    "update or replace": 'UPDATE OR REPLACE events SET "offset" = 4 WHERE "offset" = 3',
}
ON_POSTGRESQL = {
    "truncate": "TRUNCATE events",
    "truncate of all": "TRUNCATE events, heads CASCADE",
    "merge": 'MERGE INTO events USING (SELECT 3 AS three) s ON events."offset" = s.three'
    " WHEN MATCHED THEN UPDATE SET actor = 'eve'",
}


def stored(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        rows = connection.execute(select(events).order_by(events.c.partition, events.c.offset))
        return [*rows.all()]


def refused(writer: Engine, statement: str) -> None:
    before = stored(writer)
    with pytest.raises(DBAPIError, match="append-only"), writer.begin() as connection:
        connection.execute(text(statement))
    assert stored(writer) == before


@pytest.mark.parametrize("what", ON_BOTH)
def test_an_event_is_not_changed_on_either_database(writer: Engine, what: str) -> None:
    refused(writer, ON_BOTH[what])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("what", ON_SQLITE)
def test_sqlite_does_not_let_one_event_take_the_place_of_another(writer: Engine, what: str) -> None:
    refused(writer, ON_SQLITE[what])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("what", ON_POSTGRESQL)
def test_postgresql_has_more_ways_and_none_of_them_works(writer: Engine, what: str) -> None:
    refused(writer, ON_POSTGRESQL[what])
