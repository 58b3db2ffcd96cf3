"""The export: everything as of one moment, joined to the feed, and never half of it unnoticed."""

import csv
import io
import random
import re
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, delete, text
from sqlalchemy.exc import OperationalError

from domain.events import ItemCreated, ItemDeleted, ItemRenamed, ItemRepriced
from ledger import checkpoints, tables
from ledger.bulk import insert_rows
from ledger.checkpoints import Taken
from readmodel.exports import routes, stream
from readmodel.exports.forms import CSV, NDJSON
from readmodel.exports.snapshot import GivenUp, Snapshot
from readmodel.exports.stream import Stream
from readmodel.views import catalogue
from readmodel.views.items import TABLES
from runtime.positions import Position
from tests.readmodel.partitioned import AT, Partitioned
from tests.waiting import until

READ = "https://read.example"
LAMP = ItemCreated("lamp", AT, AT, "Lamp", None, 100, "EUR")
CUP = ItemCreated("Cup", AT + 1, AT + 1, 'A "blue", cup\r\nwith ☀', "=1+1", 50, "USD")
POT = ItemCreated("pot", AT, AT, "Pot", "", 1, "EUR")


@pytest.fixture
def shop(database_url: str) -> Iterator[Partitioned]:
    with Partitioned.of(database_url, 2) as made:
        made.add(0, LAMP, CUP)
        made.add(1, POT, ItemDeleted("pot", AT + 2, AT + 2))
        yield made


def nobody_told() -> None: ...


def export(client: FlaskClient, **query: Any) -> Any:
    answer = client.get("/exports/items", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer


def ids(answer: Any) -> list[str]:
    return [orjson.loads(line)["id"] for line in answer.data.splitlines()]


def following(answer: Any) -> str:
    """The path of the feed that an export names."""
    link = re.fullmatch(r'<(.+)>; rel="changes"', answer.headers["Link"])
    assert link is not None
    return link[1].removeprefix(READ)


def test_lines_are_the_documents_of_the_items_by_id(shop: Partitioned, client: FlaskClient) -> None:
    answer = export(client)
    assert answer.content_type == "application/x-ndjson"
    assert ids(answer) == ["Cup", "lamp"]
    assert answer.data == b"".join(client.get(f"/items/{i}").data + b"\n" for i in ("Cup", "lamp"))
    assert answer.headers["Export-Items"] == "2"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="items.ndjson"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Accept"


def test_deleted_items_come_if_they_are_asked_for(shop: Partitioned, client: FlaskClient) -> None:
    answer = export(client, include_deleted="true")
    assert ids(answer) == ["Cup", "lamp", "pot"]
    assert answer.headers["Export-Items"] == "3"
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_an_export_of_nothing_is_empty_and_joined_to_the_feed(
    database_url: str, client: FlaskClient
) -> None:
    for form, body in (("ndjson", b""), ("csv", CSV.head)):
        answer = export(client, format=form)
        assert (answer.data, answer.headers["Export-Items"]) == (body, "0")
        assert client.get(following(answer)).json["changes"] == []


def test_records_have_the_members_of_items_and_are_as_rfc_4180_says(
    shop: Partitioned, client: FlaskClient
) -> None:
    answer = export(client, format="csv", include_deleted="true")
    assert answer.content_type == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Export-Items"] == "3"
    at, later = "2025-11-22T08:00:00.000Z", "2025-11-22T08:00:00.001Z"
    gone = "2025-11-22T08:00:00.002Z"
    assert answer.data.decode() == (
        "id,name,description,price,currency,version,created_at,updated_at,deleted_at\r\n"
        f'Cup,"A ""blue"", cup\r\nwith ☀",=1+1,50,USD,1,{later},{later},\r\n'
        f"lamp,Lamp,,100,EUR,1,{at},{at},\r\n"
        f"pot,Pot,,1,EUR,2,{at},{gone},{gone}\r\n"
    )
    assert len(list(csv.reader(io.StringIO(answer.data.decode(), newline="")))) == 4


@pytest.mark.parametrize(
    ("accept", "query", "form"),
    [
        (None, {}, "application/x-ndjson"),
        ("text/csv", {}, "text/csv"),
        ("text/csv;q=0.5, application/x-ndjson", {}, "application/x-ndjson"),
        ("text/*", {}, "text/csv"),
        ("text/html", {"format": "csv"}, "text/csv"),
        ("text/csv", {"format": "ndjson"}, "application/x-ndjson"),
    ],
)
def test_the_form_is_what_format_says_else_what_the_client_likes_best(
    client: FlaskClient, accept: str | None, query: dict[str, str], form: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = client.get("/exports/items", headers=headers, query_string=query)
    assert (answer.status_code, answer.mimetype) == (200, form)


def test_what_is_no_form_is_refused(client: FlaskClient) -> None:
    answer = client.get("/exports/items", headers={"Accept": "application/pdf"})
    assert (answer.status_code, answer.json["code"]) == (406, "not-acceptable")
    for query in ({"format": "xml"}, {"include_deleted": "yes"}, {"limit": "5"}):
        answer = client.get("/exports/items", query_string=query)
        assert (answer.status_code, answer.json["code"]) == (400, "bad-parameter")


def test_the_feed_goes_on_exactly_after_the_export(shop: Partitioned, client: FlaskClient) -> None:
    after = following(export(client))
    assert client.get(after).json["changes"] == []
    shop.add(1, ItemCreated("jug", AT, AT, "Jug", None, 1, "EUR"))
    changes = client.get(after).json["changes"]
    assert [each["item_id"] for each in changes] == ["jug"]


def test_the_cursor_is_that_of_the_items_also_where_they_are_behind_the_ledger(
    shop: Partitioned, client: FlaskClient
) -> None:
    with shop.engine.begin() as connection:
        checkpoints.move(connection, [Taken("items", Position(0, 0, 0), 1)])
        behind = tables.checkpoints
        connection.execute(delete(behind).where(behind.c.partition == 1))
    changes = client.get(following(export(client))).json["changes"]
    assert sorted((each["partition"], each["offset"]) for each in changes) == [
        (0, 2),
        (1, 1),
        (1, 2),
    ]


def test_an_export_is_of_the_moment_it_began_at_however_long_it_takes(
    shop: Partitioned, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_AT_ONCE", 1)
    client = app.test_client()
    answer = client.get("/exports/items", buffered=False)
    body = answer.iter_encoded()
    first = next(iter(body))
    shop.add(0, ItemRenamed("lamp", AT + 9, AT + 9, "Other"))
    shop.add(0, ItemCreated("zebra", AT + 9, AT + 9, "Z", None, 1, "EUR"))
    found = [orjson.loads(line) for line in (first + b"".join(body)).splitlines()]
    answer.close()
    assert [(each["id"], each["name"]) for each in found] == [
        ("Cup", 'A "blue", cup\r\nwith ☀'),
        ("lamp", "Lamp"),
    ]
    changes = client.get(following(answer)).json["changes"]
    assert [(each["item_id"], each["type"]) for each in changes] == [
        ("lamp", "ItemRenamed"),
        ("zebra", "ItemCreated"),
    ]


def test_so_many_exports_run_at_once_and_one_that_ends_makes_room(
    shop: Partitioned, app: Flask
) -> None:
    running = [app.test_client().get("/exports/items") for _ in range(routes.AT_ONCE)]
    refused = app.test_client().get("/exports/items")
    assert (refused.status_code, refused.json["code"]) == (503, "too-many-exports")
    assert refused.headers["Retry-After"] == "5"
    running[0].close()
    again = app.test_client().get("/exports/items")
    assert again.status_code == 200
    assert ids(again) == ["Cup", "lamp"]
    # It is at its end, and has made room by itself.
    running[0] = app.test_client().get("/exports/items")
    assert running[0].status_code == 200
    for each in running:
        each.close()


def test_a_head_has_the_headers_of_the_export_and_holds_nothing(
    shop: Partitioned, app: Flask, engine: Engine
) -> None:
    for _ in range(routes.AT_ONCE + 1):
        answer = app.test_client().head("/exports/items", buffered=True)
        assert answer.status_code == 200
        assert answer.data == b""
        assert answer.headers["Export-Items"] == "2"
    pool: Any = engine.pool
    assert pool.checkedout() == 0


def test_a_refusal_holds_nothing(
    shop: Partitioned, app: Flask, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(routes.AT_ONCE + 1):
        answer = app.test_client().get("/exports/items", headers={"Consistency-Token": "x"})
        assert (answer.status_code, answer.json["code"]) == (400, "malformed-header")

    def fails(*_: Any, **__: Any) -> Any:
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(catalogue, "extent", fails)
    answer = app.test_client().get("/exports/items")
    assert (answer.status_code, answer.json["code"]) == (503, "database-unavailable")
    pool: Any = engine.pool
    assert pool.checkedout() == 0


def broken(app: Flask, monkeypatch: pytest.MonkeyPatch, form: str) -> tuple[bytes, Any]:
    """Export while the database goes away after the first item."""
    monkeypatch.setattr(stream, "_AT_ONCE", 1)
    bodies = catalogue.bodies

    def once(connection: Any, slot: Any, after: str | None, most: int, **named: Any) -> Any:
        if after is not None:
            raise OperationalError("select", {}, Exception("gone"))
        return bodies(connection, slot, after, most, **named)

    monkeypatch.setattr(catalogue, "bodies", once)
    answer = app.test_client().get("/exports/items", query_string={"format": form})
    return answer.data, answer


def test_json_lines_that_break_off_are_shorter_than_was_told(
    shop: Partitioned, app: Flask, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, answer = broken(app, monkeypatch, "ndjson")
    assert len(body.splitlines()) == 1
    assert len(body) < int(answer.headers["Content-Length"])
    assert answer.headers["Export-Items"] == "2"
    pool: Any = engine.pool
    assert pool.checkedout() == 0


def test_records_that_break_off_end_in_what_no_reader_takes(
    shop: Partitioned, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, _ = broken(app, monkeypatch, "csv")
    reader = csv.reader(io.StringIO(body.decode(), newline=""), strict=True)
    assert [len(next(reader)), len(next(reader))] == [9, 9]
    with pytest.raises(csv.Error, match="unexpected end"):
        next(reader)


def test_a_client_that_takes_nothing_does_not_hold_the_snapshot(
    shop: Partitioned, engine: Engine
) -> None:
    let_go = threading.Event()
    snapshot = Snapshot(engine, let_go.set, stalled=0.05)
    with snapshot.used() as connection:
        assert catalogue.place(connection, 1) == (2, 2)
    pool: Any = engine.pool
    until(lambda: pool.checkedout() == 0, 30, "the connection is given back")
    assert let_go.wait(30)
    body = Stream(snapshot, 1, CSV, include_deleted=False)
    assert list(body) == [CSV.head, CSV.broken]
    with pytest.raises(GivenUp), snapshot.used():
        pass


def test_an_export_that_is_given_up_makes_room_once(
    shop: Partitioned, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[Snapshot]()

    def remembered(*given: Any) -> Snapshot:
        made.append(Snapshot(*given))
        return made[-1]

    monkeypatch.setattr(routes, "Snapshot", remembered)
    running = [app.test_client().get("/exports/items") for _ in range(routes.AT_ONCE)]
    made[0]._until = 0.0
    made[0]._give_up()
    running.append(app.test_client().get("/exports/items"))
    assert running[-1].status_code == 200
    running[0].close()
    assert app.test_client().get("/exports/items").status_code == 503
    for each in running:
        each.close()


def test_an_export_that_takes_too_long_in_all_is_given_up(
    shop: Partitioned, engine: Engine
) -> None:
    snapshot = Snapshot(engine, nobody_told, stalled=60, longest=0.05)
    pool: Any = engine.pool
    until(lambda: pool.checkedout() == 0, 30, "the connection is given back")
    snapshot.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_export_may_take_longer_to_count_than_a_page_to_read(engine: Engine) -> None:
    bound = text("SHOW statement_timeout")
    snapshot = Snapshot(engine, nobody_told)
    with snapshot.used() as connection:
        assert connection.scalar(bound) == "0"
        connection.scalar(text("SELECT 1"))
        assert connection.scalar(bound) == "0"
    snapshot.close()
    with engine.connect() as connection:
        assert connection.scalar(bound) != "0"


def test_who_is_just_reading_is_not_given_up(shop: Partitioned, engine: Engine) -> None:
    snapshot = Snapshot(engine, nobody_told)
    with ThreadPoolExecutor(1) as pool:
        with snapshot.used():
            # The time is over while something is read, which takes long.
            snapshot._until = 0.0
            given_up = pool.submit(snapshot._give_up)
        given_up.result()
    with snapshot.used() as connection:
        assert catalogue.place(connection, 1) == (2, 2)
    snapshot.close()


def test_what_is_held_of_an_export_does_not_grow_with_it(
    shop: Partitioned, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_AT_ONCE", 20)
    large = {
        "partition": 0,
        "version": 1,
        "name_key": "n",
        "price": 1,
        "currency": "EUR",
        "updated_at": AT,
        "deleted_at": None,
        "body": '{"id": "' + "x" * 10_000 + '"}',
    }
    with shop.engine.begin() as connection:
        insert_rows(connection, TABLES[1], [{"item_id": f"n{n:05}", **large} for n in range(3000)])
    body = Stream(Snapshot(engine, nobody_told), 1, NDJSON, include_deleted=False)
    next(body)
    tracemalloc.start()
    size = sum(map(len, body))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 29_000_000
    assert peak < 4_000_000


def test_export_and_feed_together_come_to_the_final_state_under_load(
    shop: Partitioned, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_AT_ONCE", 3)
    seed = random.randrange(2**32)  # noqa: S311
    print(f"seed {seed}")  # noqa: T201  shown when it fails
    chance = random.Random(seed)  # noqa: S311
    over = threading.Event()

    def write() -> None:
        for n in range(200):
            item_id = f"i{chance.randrange(30)}"
            moment = (item_id, AT + n, AT + n)
            partition = int(item_id[1:]) % 2
            if item_id not in shop.items:
                shop.add(partition, ItemCreated(*moment, "N", None, n, "EUR"))
            else:
                shop.add(partition, ItemRepriced(*moment, n, "EUR"))
        over.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        client = app.test_client()
        rounds = 0
        while not over.is_set() or rounds < 2:
            _bootstrap(client)
            rounds += 1
        writing.result()
    catalogued, after = _bootstrap(client)
    assert {each: (item["version"], item["price"]) for each, item in catalogued.items()} == {
        each: (item.version, item.price) for each, item in shop.items.items()
    }
    assert client.get(after).json["changes"] == []


def _bootstrap(client: FlaskClient) -> tuple[dict[str, Any], str]:
    """Take an export and then what the feed says, which must go on where the items are."""
    answer = export(client, include_deleted="true")
    found = {item["id"]: item for item in map(orjson.loads, answer.data.splitlines())}
    assert len(found) == int(answer.headers["Export-Items"])
    after = following(answer)
    while changes := client.get(after).json["changes"]:
        for each in changes:
            item = found.setdefault(each["item_id"], {"version": 0})
            # No hole and no overlap: each change is the very next one of its item.
            assert each["version"] == item["version"] + 1
            item |= each["data"] | {"version": each["version"]}
        after = f"/changes?after={changes[-1]['cursor']}"
    return found, after
