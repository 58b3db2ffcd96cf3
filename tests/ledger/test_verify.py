"""Whoever changes the database past the worker is found out."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from domain.commands import CreateItem, PatchItem
from eventlog.codec import encode
from eventlog.envelope import Order
from ledger import partitions
from ledger.tables import events
from ledger.verify.difference import Behind, Difference, Noted
from ledger.verify.run import OUTCOMES_KEPT_MS, verify, verify_database
from readmodel.verify import live_views
from readmodel.views import items
from runtime.positions import Position
from tests.ledger.ledgers import NOW, chain_anew, edit, look
from tests.worker.world import envelope, no_ends
from worker.apply import Circumstances, Decoded, apply_one
from worker.condemned import Condemned

_KEYS = {"partition", "offset", "item_id"}


def only(reader: Engine, *noted: Noted, now: int = NOW) -> Difference:
    (difference,) = look(reader, *noted, now=now).differences
    return difference


def test_what_the_worker_made_has_no_difference(writer: Engine, reader: Engine) -> None:
    report = look(reader)

    assert report.differences == ()
    for each in report.partitions:
        checkpoint = partitions.read(writer, [each.partition])[each.partition]
        assert each.offset == checkpoint.offset > 50
        assert each.hash == checkpoint.hash
        assert each.behind == ()


def test_an_empty_database_has_no_difference(database_url: str, reader: Engine) -> None:
    assert look(reader).differences == ()


def test_a_difference_names_its_place(writer: Engine, reader: Engine) -> None:
    edit(writer, """UPDATE events SET actor = 'eve' WHERE "partition" = 1 AND "offset" = 7""")
    difference = only(reader)

    assert (difference.partition, difference.offset) == (1, 7)
    assert difference.what == "events.hash"
    assert difference.item_id is not None


def test_only_a_noted_hash_finds_a_chain_that_was_made_anew(writer: Engine, reader: Engine) -> None:
    whole = look(reader).partitions[0]
    noted = Noted(0, whole.offset, whole.hash)
    assert look(reader, noted).differences == ()

    edit(writer, """UPDATE events SET actor = 'eve' WHERE "offset" = 7""", chain=True)
    with writer.begin() as connection:
        chain_anew(connection, 1)

    assert look(reader).differences == ()
    difference = only(reader, noted)
    assert (difference.partition, difference.offset) == (0, whole.offset)
    assert difference.expected == noted.hash


@pytest.mark.parametrize("noted", [Noted(0, 100_000, "f" * 64), Noted(7, 1, "f" * 64)])
def test_a_noted_event_that_is_not_there_is_a_difference(
    writer: Engine, reader: Engine, noted: Noted
) -> None:
    difference = only(reader, noted)
    assert (difference.partition, difference.offset) == (noted.partition, noted.offset)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("version", {"version": 999}),
        ("recorded_at", {"recorded_at": 5}),
        ("effective_at", {"effective_at": 5}),
        ("data", {"type": "ItemPainted"}),
        ("data", {"data": '{"name":'}),
        ("data", {"data": '{"colour":1}'}),
        ("data", {"type": "ItemRenamed", "data": '{"name":1}'}),
        ("data", {"type": "ItemCreated"}),
    ],
)
def test_an_event_that_can_not_have_happened_is_found_in_a_chain_that_fits_it(
    writer: Engine, reader: Engine, what: str, change: dict[str, Any]
) -> None:
    last = look(reader).partitions[0].offset
    members = ", ".join(f"{name} = :{name}" for name in change)
    edit(
        writer,
        f'UPDATE events SET {members} WHERE "partition" = 0 AND "offset" = :last',
        chain=True,
        last=last,
        **change,
    )
    difference = only(reader)

    assert (difference.partition, difference.offset) == (0, last)
    assert difference.what == f"events.{what}"


def test_an_item_does_not_begin_with_anything_but_its_creation(
    writer: Engine, reader: Engine
) -> None:
    edit(
        writer,
        "UPDATE events SET type = 'ItemDeleted', data = '{}'"
        ' WHERE "partition" = 0 AND "offset" = 1',
        chain=True,
    )
    difference = only(reader)

    assert (difference.offset, difference.what) == (1, "events.data")


@pytest.mark.parametrize("to", [-5, 0, 100_000])
def test_an_offset_that_is_left_out_is_found(writer: Engine, reader: Engine, to: int) -> None:
    edit(writer, f'UPDATE events SET "offset" = {to} WHERE "partition" = 0 AND "offset" = 6')
    difference = only(reader)

    assert (difference.partition, difference.what) == (0, "events.offset")


def test_an_event_before_the_first_is_found(writer: Engine, reader: Engine) -> None:
    names = ", ".join(column.name for column in events.columns if column.name not in _KEYS)
    edit(
        writer,
        f'INSERT INTO events ("partition", "offset", item_id, {names})'
        f" SELECT \"partition\", 0, 'another', {names} FROM events"
        ' WHERE "partition" = 1 AND "offset" = 1',
    )
    difference = only(reader)

    assert (difference.partition, difference.what, difference.found) == (1, "events.offset", 0)


def test_what_is_dead_parked_and_replayed_is_no_difference(writer: Engine, reader: Engine) -> None:
    last = partitions.read(writer, [0])[0].position
    log = [
        Decoded(Position(0, last.epoch, last.n + n), entry, encode(entry))
        for n, entry in enumerate(
            (
                envelope("dead", CreateItem("q", NOW, "Lamp", None, 1, "EUR")),
                envelope("parked", PatchItem("q", NOW, price=2)),
                envelope("other", CreateItem("r", NOW, "Chair", None, 1, "EUR")),
                Order("order", "replay", "dead", "anna"),
            ),
            1,
        )
    ]
    views = {items.NAME: items.VIEW.into(1)}
    condemned = {log[0].position: Condemned("a defect")}
    apply_one(writer, views, log[:3], Circumstances(no_ends, NOW, condemned))
    assert partitions.read(writer, [0])[0].quarantined == 2
    assert look(reader).differences == ()

    apply_one(writer, views, log[3:], Circumstances(no_ends, NOW))
    assert partitions.read(writer, [0])[0].quarantined == 0
    assert look(reader).differences == ()


def test_a_tail_cut_off_with_all_its_traces_is_betrayed_by_its_outcomes(
    writer: Engine, reader: Engine
) -> None:
    with writer.connect() as connection:
        last = connection.execute(
            text('SELECT * FROM events WHERE "partition" = 0 ORDER BY "offset" DESC LIMIT 2')
        ).mappings()
        cut, end = last.all()
    edit(
        writer,
        'DELETE FROM events WHERE "partition" = 0 AND "offset" = :cut',
        'UPDATE partitions SET "offset" = :end, hash = :hash WHERE "partition" = 0',
        'UPDATE checkpoints SET "offset" = :end WHERE "partition" = 0',
        cut=cut["offset"],
        end=end["offset"],
        hash=end["hash"],
    )
    whats = {each.what for each in look(reader).differences}

    assert any(each.startswith("outcomes") for each in whats)


@pytest.mark.parametrize("table", ["heads", "items"])
def test_a_row_too_few_or_too_many_is_found(writer: Engine, reader: Engine, table: str) -> None:
    edit(writer, f"DELETE FROM {table} WHERE item_id = 'p0-3'")
    missing = only(reader)
    assert (missing.partition, missing.what, missing.item_id) == (0, table, "p0-3")
    assert missing.found is None

    edit(writer, f"UPDATE {table} SET item_id = 'p0-3' WHERE item_id = 'p0-4'")
    other = only(reader)
    assert (other.partition, other.item_id) == (0, "p0-3")


@pytest.mark.parametrize("table", ["heads", "items", "outcomes"])
def test_rows_of_a_partition_that_there_is_not_are_found(
    writer: Engine, reader: Engine, table: str
) -> None:
    key = "command_id" if table == "outcomes" else "item_id"
    with writer.begin() as connection:
        first = connection.execute(text(f"SELECT * FROM {table} LIMIT 1")).mappings().one()
        row = {**first, "partition": 9, key: "another"}
        names = ", ".join(f'"{name}"' for name in row)
        connection.execute(
            text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})"),
            row,
        )
    assert only(reader).partition == 9


def test_a_partition_without_its_row_is_found(writer: Engine, reader: Engine) -> None:
    edit(writer, 'DELETE FROM partitions WHERE "partition" = 0')
    assert (0, "partitions") in {(each.partition, each.what) for each in look(reader).differences}


def test_another_number_of_partitions_is_found(writer: Engine, reader: Engine) -> None:
    edit(writer, "UPDATE facts SET value = '3'")
    assert only(reader).what == "facts.partitions"


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("partitions.epoch and n", "n = n - 1"),
        ("partitions.epoch and n", "epoch = 0"),
        ("partitions.recorded_at", "recorded_at = 1"),
        ("partitions.quarantined", "quarantined = 1"),
    ],
)
def test_a_partition_that_was_set_back_is_found(
    writer: Engine, reader: Engine, what: str, change: str
) -> None:
    edit(writer, f'UPDATE partitions SET {change} WHERE "partition" = 1')
    difference = only(reader)
    assert (difference.partition, difference.what) == (1, what)


def test_a_view_that_is_behind_is_said_and_not_compared(writer: Engine, reader: Engine) -> None:
    edit(
        writer,
        'UPDATE checkpoints SET "offset" = "offset" - 1 WHERE "partition" = 1'
        " AND projection = 'items'",
        "UPDATE items SET body = '' WHERE \"partition\" = 1",
    )
    report = look(reader)

    assert report.differences == ()
    assert [[each.view for each in at.behind] for at in report.partitions] == [[], ["items"]]
    assert report.not_compared == ("items",)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE stats SET value = value + 1", "stats.value"),
        ("UPDATE timeline SET price = price + 1", "timeline.price"),
        ("UPDATE timeline SET currency = 'ZZZ'", "timeline.currency"),
        ("DELETE FROM stats", "stats"),
        ("DELETE FROM timeline", "timeline"),
        ("UPDATE stats SET name = name || 'A'", "stats"),
        ("UPDATE timeline SET effective_at = effective_at + 1", "timeline"),
        ("UPDATE timeline SET effective_at = effective_at - 1", "timeline"),
    ],
)
def test_views_without_a_row_per_item_are_made_anew_and_compared(
    writer: Engine, reader: Engine, change: str, what: str
) -> None:
    edit(writer, f'{change} WHERE "partition" = 1')
    difference = only(reader)
    assert (difference.partition, difference.what) == (1, what)


def test_a_view_without_a_row_per_item_that_is_behind_is_not_compared(
    writer: Engine, reader: Engine
) -> None:
    edit(
        writer,
        'UPDATE checkpoints SET "offset" = "offset" - 1 WHERE projection = \'stats\'',
        "UPDATE stats SET value = value + 1",
    )
    report = look(reader)

    assert report.differences == ()
    assert report.not_compared == ("stats",)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            (
                "UPDATE partitions SET in_step = 'search,stats,timeline,wordings'",
                "UPDATE checkpoints SET \"offset\" = 3, error = 'Traceback\nValueError: no'",
            ),
            "it is left behind at offset 3 since an error of its own (ValueError: no)",
        ),
        (
            ("UPDATE checkpoints SET \"offset\" = 3, error = 'ValueError: no'",),
            "it is at offset 3, and nothing says why",
        ),
        (
            (
                "UPDATE partitions SET in_step = 'search,stats,timeline,wordings'",
                'UPDATE checkpoints SET "offset" = 3',
            ),
            "it is at offset 3, and nothing says why",
        ),
        (("DELETE FROM checkpoints",), "it has no checkpoint"),
    ],
)
def test_why_a_view_is_not_compared_is_said(
    writer: Engine, reader: Engine, changes: tuple[str, ...], why: str
) -> None:
    of_items = " AND projection = 'items'"
    edit(
        writer,
        *(
            f'{each} WHERE "partition" = 1{of_items if "checkpoints" in each else ""}'
            for each in changes
        ),
    )
    report = look(reader)

    assert report.differences == ()
    assert [each.behind for each in report.partitions] == [(), (Behind("items", why),)]


def whole(url: str) -> list[str]:
    report = verify_database(url, live_views, (), NOW, lambda *_: None)
    return [each.what for each in report.differences]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["changed", "deleted", "replaced"])
def test_a_trigger_that_is_missing_on_sqlite_is_found(
    writer: Engine, database_url: str, name: str
) -> None:
    assert whole(database_url) == []
    with writer.begin() as connection:
        connection.execute(text(f"DROP TRIGGER events_are_not_{name}"))

    assert whole(database_url) == [f"trigger events_are_not_{name} of events"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", ["changed", "truncated"])
@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER {name} ON events",
        "ALTER TABLE events DISABLE TRIGGER {name}",
        "ALTER TABLE events ENABLE REPLICA TRIGGER {name}",
    ],
)
def test_a_trigger_that_does_not_fire_on_postgresql_is_found(
    writer: Engine, database_url: str, name: str, statement: str
) -> None:
    assert whole(database_url) == []
    with writer.begin() as connection:
        connection.execute(text(statement.format(name=f"events_are_not_{name}")))

    assert whole(database_url) == [f"trigger events_are_not_{name} of events"]


def test_a_view_that_is_ahead_of_the_ledger_is_found(writer: Engine, reader: Engine) -> None:
    further = 'UPDATE checkpoints SET "offset" = "offset" + 1 WHERE "partition" = 1'
    edit(writer, f"{further} AND projection = 'items'")
    difference = only(reader)
    assert (difference.partition, difference.what) == (1, "checkpoints of items")


def test_outcomes_may_be_gone_when_they_need_be_kept_no_longer(
    writer: Engine, reader: Engine
) -> None:
    edit(writer, "DELETE FROM outcomes")

    assert {each.what for each in look(reader).differences} == {"outcomes"}
    assert look(reader, now=NOW + OUTCOMES_KEPT_MS + 1_000).differences == ()


def test_an_outcome_that_only_says_applied_is_found(writer: Engine, reader: Engine) -> None:
    edit(
        writer,
        "UPDATE outcomes SET status = 'applied', version = 1 WHERE command_id ="
        " (SELECT min(command_id) FROM outcomes WHERE status = 'rejected' AND \"partition\" = 0)",
    )
    difference = only(reader)
    assert (difference.partition, difference.what) == (0, "outcomes that say applied")


def test_verifying_sees_one_moment_and_tells_how_far_it_is(writer: Engine, reader: Engine) -> None:
    heard: dict[str, tuple[int, int]] = {}

    def meanwhile(what: str, done: int, total: int) -> None:
        if not heard:
            edit(writer, "UPDATE items SET price = price + 1")
        heard[what] = done, total

    assert verify(reader, live_views, (), NOW, meanwhile).differences == ()
    compared = {
        f"rows of {each} compared" for each in ("heads", "items", "search", "timeline", "wordings")
    }
    assert {"events"} | compared <= set(heard)
    assert all(done == total for done, total in heard.values()), heard
    assert look(reader).differences != ()
