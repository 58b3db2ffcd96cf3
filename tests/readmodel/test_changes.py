"""The feed page by page: from anywhere, in any form, without a gap."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from domain.events import (
    ItemCreated,
    ItemDeleted,
    ItemPriceScheduled,
    ItemRenamed,
    ItemRepriced,
)
from ledger import tables
from ledger.bulk import insert_rows
from ledger.engines import reading_engine
from readmodel.views import changes
from tests.engines import put_away
from tests.readmodel.partitioned import AT, Partitioned

READ = "https://read.example"
LAMP = ItemCreated("lamp", AT, AT - 5, "Lamp", None, 100, "EUR")
CUP = ItemCreated("cup", AT + 1, AT + 1, "Cup", "blue", 50, "USD")


@pytest.fixture
def shop(database_url: str) -> Iterator[Partitioned]:
    with Partitioned.of(database_url, 3) as made:
        yield made


def get(client: FlaskClient, **query: Any) -> Any:
    answer = client.get("/changes", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def told(page: Any) -> list[tuple[str, int]]:
    return [(each["item_id"], each["version"]) for each in page["changes"]]


def renamed(item_id: str, name: str, at: int = AT) -> ItemRenamed:
    return ItemRenamed(item_id, at, at, name)


def test_a_change_says_what_happened_to_which_item_by_whom_and_when(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(1, LAMP, reason="opening")
    page = get(client)
    (change,) = page["changes"]
    assert change == {
        "cursor": change["cursor"],
        "partition": 1,
        "offset": 1,
        "item_id": "lamp",
        "version": 1,
        "type": "ItemCreated",
        "data": {"name": "Lamp", "description": None, "price": 100, "currency": "EUR"},
        "command_id": "c-1",
        "actor": "rosa",
        "reason": "opening",
        "recorded_at": "2025-11-22T08:00:00.000Z",
        "effective_at": "2025-11-22T07:59:59.995Z",
        "schema": f"{READ}/schemas/events/ItemCreated/v1",
    }
    assert page == {"changes": [change], "next": change["cursor"], "behind": 0}


def test_a_feed_of_nothing_has_a_next_one_that_brings_what_happens_then(
    shop: Partitioned, client: FlaskClient
) -> None:
    page = get(client)
    assert (page["changes"], page["behind"]) == ([], 0)
    shop.add(0, LAMP)
    assert told(get(client, after=page["next"])) == [("lamp", 1)]


def test_a_feed_that_was_begun_before_the_ledger_was_laid_out_goes_on(
    database_url: str, client: FlaskClient
) -> None:
    page = get(client)
    with Partitioned.of(database_url, 2) as shop:
        shop.add(1, LAMP)
        assert told(get(client, after=page["next"])) == [("lamp", 1)]


def test_next_is_a_link_too_also_at_the_head_and_keeps_what_was_asked_for(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(0, LAMP)
    asked = {"limit": 5, "types": "ItemRenamed,ItemCreated", "item_id": "lamp"}
    answer = client.get("/changes", query_string=asked)
    link = answer.headers["Link"]
    assert link == (
        f"<{READ}/changes?limit=5&types=ItemRenamed%2CItemCreated&item_id=lamp"
        f'&after={answer.json["next"]}>; rel="next"'
    )
    again = client.get(link[1:].partition(">")[0].removeprefix(READ))
    assert again.json == {"changes": [], "next": answer.json["next"], "behind": 0}
    assert again.headers["Link"] == link


def test_behind_counts_the_events_after_the_page(shop: Partitioned, client: FlaskClient) -> None:
    shop.add(0, LAMP, renamed("lamp", "A"), renamed("lamp", "B"))
    shop.add(2, CUP)
    page = get(client, limit=1)
    assert page["behind"] == 3
    assert get(client, limit=3, after=page["next"])["behind"] == 0


def test_the_cursor_of_every_change_goes_on_right_after_it(
    shop: Partitioned, client: FlaskClient
) -> None:
    for n in range(4):
        shop.add(0, *([LAMP] if n == 0 else [renamed("lamp", f"L{n}", AT + 2 * n)]))
        shop.add(2, *([CUP] if n == 0 else [renamed("cup", f"C{n}", AT + 2 * n + 1)]))
    everything = told(get(client))
    assert len(everything) == 8
    for place, change in enumerate(get(client)["changes"], 1):
        assert told(get(client, after=change["cursor"])) == everything[place:]


def test_within_a_page_events_are_in_the_order_of_their_moments(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(2, CUP)
    shop.add(0, LAMP, renamed("lamp", "A", AT + 3))
    shop.add(2, renamed("cup", "C", AT + 2))
    assert told(get(client)) == [("lamp", 1), ("cup", 1), ("cup", 2), ("lamp", 2)]


def test_the_order_of_a_partition_is_kept_whatever_its_moments_say(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add_row(0, version=1, recorded_at=AT + 9)
    shop.add_row(0, version=2, recorded_at=AT)
    shop.add_row(1, item_id="cup", version=1, recorded_at=AT + 5)
    page = get(client)
    assert [each for each in told(page) if each[0] == "lamp"] == [("lamp", 1), ("lamp", 2)]
    assert sorted(told(page)) == [("cup", 1), ("lamp", 1), ("lamp", 2)]


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_no_partition_waits_for_the_others_to_end(
    shop: Partitioned, client: FlaskClient, limit: int
) -> None:
    """One whose clock was ahead has only events that look later than all others."""
    shop.add(1, ItemCreated("late", AT * 2, AT, "Late", None, 1, "EUR"))
    shop.add(0, LAMP, *(renamed("lamp", f"{n}") for n in range(50)))
    shop.add(2, CUP, *(renamed("cup", f"{n}", AT + 1) for n in range(50)))
    after: dict[str, str] = {}
    met: list[tuple[str, int]] = []
    while ("late", 1) not in met:
        page = get(client, limit=limit, **after)
        met += told(page)
        after = {"after": page["next"]}
    assert len(met) < 40


def test_a_page_has_as_many_as_were_asked_for_while_there_are_as_many(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(0, LAMP, *(renamed("lamp", f"{n}") for n in range(20)))
    shop.add(1, CUP)
    first = get(client, limit=20)
    assert len(first["changes"]) == 20
    assert len(get(client, limit=20, after=first["next"])["changes"]) == 2


def test_of_an_item_nothing_is_told_beyond_where_it_is_to_end(shop: Partitioned) -> None:
    shop.add(0, LAMP, *(renamed("lamp", f"name {n}") for n in range(4)))
    seen: list[int] = []
    place: changes.Place = ()
    with shop.engine.connect() as connection:
        for last in (2, 3, 5):
            upto = tuple(last if n == 0 else 0 for n in range(len(changes.head(connection))))
            stretch = changes.read(connection, place, 500, changes.Wanted(None, "lamp"), upto)
            assert stretch.end == upto
            seen += [row.offset for row in stretch.rows]
            place = stretch.end
    assert seen == [1, 2, 3, 4, 5]


def test_a_ledger_of_very_many_partitions_is_told_as_a_whole(database_url: str) -> None:
    """No statement takes them all on SQLite."""
    with Partitioned.of(database_url, 900) as shop:
        with shop.engine.begin() as connection:
            rows = [event_row(partition, offset) for partition in range(900) for offset in (1, 2)]
            insert_rows(connection, tables.events, rows)
            connection.execute(update(tables.partitions).values(offset=2))
        place: changes.Place = ()
        seen: list[tuple[int, int]] = []
        # As the query API reads: a session that may write is ended where it rests for seconds.
        reads = reading_engine(database_url)
        with reads.connect() as connection:
            while (stretch := changes.read(connection, place, 500, changes.Wanted())).rows:
                seen += [(row.partition, row.offset) for row in stretch.rows]
                place = stretch.end
            assert place == changes.head(connection)
        put_away(reads)
    assert sorted(seen) == [(row["partition"], row["offset"]) for row in rows]


def event_row(partition: int, offset: int) -> dict[str, Any]:
    return {
        "partition": partition,
        "offset": offset,
        "item_id": f"i-{partition}-{offset}",
        "version": 1,
        "type": "ItemCreated",
        "data": "{}",
        "command_id": f"c-{partition}-{offset}",
        "actor": "rosa",
        "reason": None,
        "recorded_at": AT,
        "effective_at": AT,
        "hash": "h",
    }


def test_head_begins_after_everything_there_is(shop: Partitioned, client: FlaskClient) -> None:
    shop.add(0, LAMP)
    page = get(client, after="head")
    assert (page["changes"], page["behind"]) == ([], 0)
    shop.add(2, CUP)
    assert told(get(client, after=page["next"])) == [("cup", 1)]


def test_a_filter_of_types_takes_only_those_and_moves_on_past_the_others(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(0, LAMP, renamed("lamp", "A"), ItemRepriced("lamp", AT, AT, 1, "EUR"))
    shop.add(1, CUP, ItemDeleted("cup", AT + 1, AT + 1))
    page = get(client, types="ItemRepriced,ItemDeleted")
    assert [each["type"] for each in page["changes"]] == ["ItemRepriced", "ItemDeleted"]
    assert page["behind"] == 0
    assert get(client, after=page["next"])["changes"] == []


def test_a_filter_takes_all_versions_of_a_type_those_of_newer_releases_too(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add_row(0, version=1, type="ItemRenamed", data='{"name":"A"}')
    shop.add_row(0, version=2, type="ItemRenamed.v7", data='{"names":["B"]}')
    shop.add_row(0, version=3, type="ItemRenamedAgain", data="{}")
    for query in ({"types": "ItemRenamed"}, {"types": "ItemRenamed", "item_id": "lamp"}):
        assert told(get(client, **query)) == [("lamp", 1), ("lamp", 2)]


@pytest.mark.parametrize("wanted", [{"types": "ItemDeleted"}, {"item_id": "lamp"}])
def test_a_page_with_a_filter_looks_at_so_many_events_and_goes_on_from_there(
    shop: Partitioned, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, wanted: Any
) -> None:
    monkeypatch.setattr(changes, "LOOKED_AT", 4)
    wanted = wanted | {"types": "ItemDeleted"}
    shop.add(0, LAMP, *(renamed("lamp", f"{n}") for n in range(9)), ItemDeleted("lamp", AT, AT))
    pages = [get(client, **wanted)]
    while pages[-1]["behind"]:
        pages.append(get(client, after=pages[-1]["next"], **wanted))
    assert [told(page) for page in pages] == [[], [], [("lamp", 11)]]
    assert [page["behind"] for page in pages] == [7, 3, 0]


def test_an_item_is_followed_by_itself_from_any_cursor(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(1, LAMP, CUP, *(renamed("lamp", f"{n}") for n in range(12)))
    shop.add(0, ItemCreated("pot", AT, AT, "Pot", None, 1, "EUR"))
    versions = [("lamp", n) for n in range(1, 14)]
    assert told(get(client, item_id="lamp")) == versions
    assert told(get(client, item_id="lamp", types="ItemRenamed", limit=2)) == versions[1:3]
    whole = [each for each in get(client)["changes"] if each["partition"] == 1]
    for change in whole:
        later = [v for v in versions if v[1] > (change["version"] if v[0] == "lamp" else 0)]
        if change["item_id"] == "cup":
            later = versions[1:]
        assert told(get(client, item_id="lamp", after=change["cursor"])) == later
        assert told(get(client, item_id="lamp", after=change["cursor"], limit=1)) == later[:1]


def test_an_item_that_is_not_there_yet_can_be_followed(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(0, CUP)
    page = get(client, item_id="lamp")
    assert (page["changes"], page["behind"]) == ([], 0)
    shop.add(0, LAMP)
    assert told(get(client, item_id="lamp", after=page["next"])) == [("lamp", 1)]


def test_a_cursor_goes_on_with_other_filters_from_the_same_place(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(0, LAMP, renamed("lamp", "A"))
    page = get(client, types="ItemDeleted")
    shop.add(1, CUP)
    assert told(get(client, after=page["next"])) == [("cup", 1)]
    assert told(get(client, after=page["next"], item_id="lamp")) == []


def test_a_type_of_a_newer_release_is_told_as_it_is_stored(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add_row(0, version=1, type="ItemPainted.v3", data='{"colour": "red"}')
    shop.add_row(0, version=2, type="ItemRepriced.v9", data='{"money": [1, "EUR"]}')
    shop.add(0, ItemCreated("cup", AT, AT, "Cup", None, 1, "EUR"))
    first, second, third = get(client)["changes"]
    assert (first["type"], first["data"], first["schema"]) == (
        "ItemPainted",
        {"colour": "red"},
        None,
    )
    assert (second["type"], second["data"]) == ("ItemRepriced", {"money": [1, "EUR"]})
    assert second["schema"] is None
    assert third["item_id"] == "cup"


def test_an_old_event_is_told_in_the_newest_form(shop: Partitioned, client: FlaskClient) -> None:
    shop.add_row(0, type="ItemRepriced", data='{"price":999,"currency":"EUR"}')
    (change,) = get(client)["changes"]
    assert change["data"] == {"price": 999, "currency": "EUR", "schedule_id": None}
    assert change["schema"] == f"{READ}/schemas/events/ItemRepriced/v2"


def test_moments_in_the_data_are_told_in_rfc_3339(shop: Partitioned, client: FlaskClient) -> None:
    asked = ItemPriceScheduled("lamp", AT, AT, "s", 9, "EUR", AT + 1, None, "rosa", None)
    shop.add(0, LAMP, asked)
    change = get(client)["changes"][1]
    assert change["data"]["effective_from"] == "2025-11-22T08:00:00.001Z"
    assert change["data"]["effective_until"] is None


def test_a_cursor_of_a_ledger_that_was_set_back_is_refused_and_says_so(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(1, LAMP, renamed("lamp", "A"))
    cursor = get(client)["next"]
    shop.set_back(1, 1)
    answer = client.get("/changes", query_string={"after": cursor})
    assert (answer.status_code, answer.json["code"]) == (409, "cursor-ahead")
    assert "event 2 of partition 1, and the last one is 1" in answer.json["detail"]
    assert "set back" in answer.json["detail"]


def test_a_replica_that_is_late_is_to_be_asked_again(
    shop: Partitioned, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add(1, LAMP, renamed("lamp", "A"))
    cursor = get(client)["next"]
    shop.set_back(1, 1)
    monkeypatch.setattr(changes, "_is_replica", lambda _: True)
    answer = client.get("/changes", query_string={"after": cursor})
    assert (answer.status_code, answer.json["code"]) == (503, "replica-behind")
    assert answer.headers["Retry-After"] == "1"


def test_a_database_that_is_no_replica_is_known_as_that(
    shop: Partitioned, client: FlaskClient
) -> None:
    with shop.engine.connect() as connection:
        assert changes._is_replica(connection) is False


def test_a_cursor_of_another_number_of_partitions_is_refused(
    database_url: str, client: FlaskClient
) -> None:
    with Partitioned.of(database_url, 1) as shop:
        shop.add(0, LAMP)
        one = get(client)["next"]
        with shop.engine.begin() as connection:
            connection.exec_driver_sql(
                'INSERT INTO partitions ("partition", epoch, n, "offset", recorded_at, hash) '
                "VALUES (1, 0, 0, 0, 0, '')"
            )
        refused(client, "after", "cursor-mismatch", after=one)


def refused(client: FlaskClient, parameter: str, code: str, **query: Any) -> str:
    answer = client.get("/changes", query_string=query)
    assert answer.status_code == 400, answer.text
    assert answer.json["code"] == "bad-parameter"
    (error,) = answer.json["errors"]
    assert (error["parameter"], error["code"]) == (parameter, code)
    return error["detail"]


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "now", "0-0-0", "0.", ".", "1-2-3.AAAA", "\0", "é☀", "9" * 5000, "-1", "HEAD"],
)
def test_what_is_no_cursor_is_refused(shop: Partitioned, client: FlaskClient, cursor: str) -> None:
    refused(client, "after", "cursor-mismatch", after=cursor)


def test_a_cursor_that_was_changed_by_one_digit_is_refused(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(0, LAMP)
    cursor = get(client)["next"]
    assert cursor.startswith("1-0-0.")
    refused(client, "after", "cursor-mismatch", after="0" + cursor[1:])


def test_cursors_of_lists_and_of_the_feed_are_not_each_others(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(0, LAMP, CUP)
    of_list = client.get("/items?limit=1").json["next"]
    refused(client, "after", "cursor-mismatch", after=of_list)
    of_feed = get(client)["next"]
    assert client.get("/items", query_string={"cursor": of_feed}).status_code == 400


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1.0", "x", "9" * 31, ""])
def test_a_page_has_one_to_a_thousand_changes(
    shop: Partitioned, client: FlaskClient, limit: str
) -> None:
    assert "1000" in refused(client, "limit", "limit-range", limit=limit)


@pytest.mark.parametrize("types", ["ItemPainted", "", "ItemCreated,", "itemcreated", "\0", "Item☀"])
def test_an_unknown_type_is_refused_with_those_that_are_known(
    shop: Partitioned, client: FlaskClient, types: str
) -> None:
    detail = refused(client, "types", "unknown-choice", types=types)
    assert "ItemCreated, ItemRenamed, ItemDescribed, ItemRepriced" in detail


@pytest.mark.parametrize("item_id", ["", " ", "a/b", "x" * 65, "\0", "é"])
def test_an_id_that_no_item_can_have_is_refused(
    shop: Partitioned, client: FlaskClient, item_id: str
) -> None:
    answer = client.get("/changes", query_string={"item_id": item_id})
    assert answer.status_code == 400
    assert [each["parameter"] for each in answer.json["errors"]] == ["item_id"]


def test_a_page_that_the_client_has_is_not_sent_again(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(0, LAMP)
    first = client.get("/changes")
    etag = first.headers["ETag"]
    assert etag.startswith('W/"')
    assert first.headers["Cache-Control"] == "no-cache"
    assert first.headers["Vary"] == "Accept, Prefer"
    again = client.get("/changes", headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == etag
    assert again.headers["Link"] == first.headers["Link"]
    other_form = {"If-None-Match": etag, "Accept": "application/x-ndjson"}
    assert client.get("/changes", headers=other_form).status_code == 200
    shop.add(1, CUP)
    assert client.get("/changes", headers={"If-None-Match": etag}).status_code == 200


def test_a_full_page_stays_the_same_page_however_much_comes_after_it(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(0, LAMP, renamed("lamp", "A"))
    etag = client.get("/changes?limit=1").headers["ETag"]
    shop.add(0, renamed("lamp", "B"))
    again = client.get("/changes?limit=1", headers={"If-None-Match": etag})
    assert again.status_code == 304


def test_a_head_is_what_the_page_would_be_without_its_body(
    shop: Partitioned, client: FlaskClient
) -> None:
    shop.add(0, LAMP)
    page, head = client.get("/changes"), client.head("/changes")
    assert head.data == b""
    assert head.status_code == 200
    for name in ("ETag", "Link", "Content-Type", "Content-Length"):
        assert head.headers[name] == page.headers[name]
