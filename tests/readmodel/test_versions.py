"""One item as it was: at a version, and as of a moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from domain.events import Event, ItemCreated, ItemDeleted, ItemRenamed, ItemRepriced, ItemRestored
from readmodel.views import versions
from readmodel.views.items import render
from runtime.times import rfc3339
from tests.readmodel import timelines
from tests.readmodel.timelines import AT, MOMENTS

LAMP = ItemCreated("lamp", AT, AT, "Läßt-leuchten ☀", None, 1299, "EUR")
FOREVER = "private, max-age=31536000, immutable"
HISTORY = "https://read.example/items/lamp/history"


def lived(ledger: Any) -> None:
    """Versions 1 to 7: the item is deleted at the fourth, and back at the fifth, with two changes
    at once.
    """
    ledger.add(
        LAMP,
        ItemRepriced("lamp", AT + 10, AT + 10, 999, "EUR"),
        ItemRenamed("lamp", AT + 20, AT + 20, "Lantern"),
        ItemDeleted("lamp", AT + 30, AT + 30),
        ItemRestored("lamp", AT + 40, AT + 40),
        ItemRepriced("lamp", AT + 40, AT + 40, 500, "USD"),
        ItemRenamed("lamp", AT + 50, AT + 50, "Lamp"),
    )


def at(offset: int) -> str:
    return rfc3339(AT + offset)


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    told: list[str] = []

    def take(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            told.append(statement)

    event.listen(engine, "before_cursor_execute", take)
    yield told
    event.remove(engine, "before_cursor_execute", take)


@pytest.mark.parametrize("version", [1, 2, 3, 5, 6, 7])
def test_every_version_is_answered_as_it_was_rendered_then(
    ledger: Any, client: FlaskClient, version: int
) -> None:
    lived(ledger)
    answer = client.get(f"/items/lamp?version={version}")
    assert answer.status_code == 200
    assert answer.text == render(ledger.states["lamp", version])
    assert answer.content_type == "application/json"
    assert answer.headers["ETag"] == f'"{version}"'
    assert answer.headers["Cache-Control"] == FOREVER
    assert "Accept-Datetime" not in answer.headers["Vary"]


def test_a_version_at_which_the_item_is_deleted_is_410_whatever_it_is_now(
    ledger: Any, client: FlaskClient
) -> None:
    lived(ledger)
    answer = client.get("/items/lamp?version=4")
    assert (answer.status_code, answer.json["code"]) == (410, "item-deleted")
    assert (answer.json["version"], answer.json["links"]) == (4, {"history": HISTORY})
    assert answer.headers["Memento-Datetime"] == "Sat, 22 Nov 2025 08:00:00 GMT"
    assert f'<{HISTORY}>; rel="version-history"' in answer.headers["Link"]
    assert f'<{HISTORY}>; rel="timemap"' in answer.headers["Link"]


def test_the_versions_of_a_deleted_item_stay_readable(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, ItemDeleted("lamp", AT + 1, AT + 1))
    assert client.get("/items/lamp").status_code == 410
    assert client.get("/items/lamp?version=1").text == render(ledger.states["lamp", 1])


@pytest.mark.parametrize("version", ["8", "9223372036854775808", "9" * 30, "9" * 5000])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_version_beyond_the_last_is_404(ledger: Any, client: FlaskClient, version: str) -> None:
    lived(ledger)
    answer = client.get(f"/items/lamp?version={version}")
    assert (answer.status_code, answer.json["code"]) == (404, "version-not-found")
    assert answer.json["current_version"] == 7
    # It may come to it.
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "version", ["0", "-1", "+1", "01", "1.0", "1e3", " 1", "", "x", "%D9%A1", "%00", "%ed%a0%80"]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_version_that_is_none_is_400(ledger: Any, client: FlaskClient, version: str) -> None:
    ledger.add(LAMP)
    answer = client.get(f"/items/lamp?version={version}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == "version"


@pytest.mark.parametrize(
    ("offset", "version"),
    [(0, 1), (9, 1), (10, 2), (19, 2), (20, 3), (29, 3), (40, 6), (49, 6), (50, 7), (10**9, 7)],
)
def test_as_of_a_moment_it_is_what_had_taken_effect_by_then(
    ledger: Any, client: FlaskClient, offset: int, version: int
) -> None:
    lived(ledger)
    answer = client.get(f"/items/lamp?as_of={at(offset)}")
    assert answer.status_code == 200
    assert answer.text == render(ledger.states["lamp", version])
    assert answer.headers["ETag"] == f'"{version}"'
    assert (
        answer.headers["Content-Location"] == f"https://read.example/items/lamp?version={version}"
    )


@pytest.mark.parametrize("offset", [30, 39])
def test_as_of_a_moment_while_it_is_deleted_it_is_410(
    ledger: Any, client: FlaskClient, offset: int
) -> None:
    lived(ledger)
    answer = client.get(f"/items/lamp?as_of={at(offset)}", headers={"If-None-Match": "*"})
    assert (answer.status_code, answer.json["code"]) == (410, "item-deleted")
    assert answer.json["version"] == 4


@pytest.mark.parametrize("moment", [at(-1), "0001-01-01T00:00:00Z"])
def test_before_its_creation_it_is_404(ledger: Any, client: FlaskClient, moment: str) -> None:
    lived(ledger)
    answer = client.get(f"/items/lamp?as_of={moment}")
    assert (answer.status_code, answer.json["code"]) == (404, "not-yet-created")
    assert at(0) in answer.json["detail"]


def test_it_goes_by_when_changes_took_effect_and_not_by_when_they_were_recorded(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(LAMP, ItemRepriced("lamp", AT + 1000, AT + 5, 999, "EUR"))
    assert client.get(f"/items/lamp?as_of={at(4)}").json["price"] == 1299
    assert client.get(f"/items/lamp?as_of={at(5)}").json["price"] == 999


def test_only_moments_before_the_last_change_are_settled(ledger: Any, client: FlaskClient) -> None:
    lived(ledger)
    path = f"/items/lamp?as_of={at(60)}"
    before = client.get(path)
    assert before.headers["Cache-Control"] == "no-cache"
    assert client.get(f"/items/lamp?as_of={at(50)}").headers["Cache-Control"] == "no-cache"
    assert client.get(f"/items/lamp?as_of={at(49)}").headers["Cache-Control"] == FOREVER
    # Somebody tells later what happened before that moment.
    ledger.add(ItemRepriced("lamp", AT + 9000, AT + 55, 1, "EUR"))
    after = client.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json["price"]) == (200, 1)
    assert after.headers["ETag"] == '"8"'


@pytest.mark.parametrize("asked", ["version=2", f"as_of={at(15)}"])
@pytest.mark.parametrize("sent", ['"2"', 'W/"2"', '"1", "2"', "*"])
def test_who_has_that_state_gets_304(
    ledger: Any, client: FlaskClient, asked: str, sent: str
) -> None:
    lived(ledger)
    whole = client.get(f"/items/lamp?{asked}")
    answer = client.get(f"/items/lamp?{asked}", headers={"If-None-Match": sent})
    assert (answer.status_code, answer.data) == (304, b"")
    for name in ("ETag", "Cache-Control", "Vary", "Link", "Memento-Datetime"):
        assert answer.headers[name] == whole.headers[name]
    assert answer.headers.get("Content-Location") == whole.headers.get("Content-Location")
    other = client.get(f"/items/lamp?{asked}", headers={"If-None-Match": '"1"'})
    assert other.status_code == 200


def test_one_url_has_one_body_for_one_etag(ledger: Any, client: FlaskClient) -> None:
    paths = ["/items/lamp", *(f"/items/lamp?version={n}" for n in range(1, 8))]
    paths += [f"/items/lamp?as_of={at(offset)}" for offset in range(0, 60, 5)]
    seen: dict[tuple[str, str], bytes] = {}
    told: list[Event] = [
        LAMP,
        ItemRepriced("lamp", AT + 10, AT + 10, 999, "EUR"),
        ItemRepriced("lamp", AT + 90, AT + 10, 1299, "EUR"),
        ItemDeleted("lamp", AT + 91, AT + 20),
        ItemRestored("lamp", AT + 92, AT + 20),
        ItemRenamed("lamp", AT + 93, AT + 35, "Lantern"),
    ]
    for each in told:
        ledger.add(each)
        for path in paths:
            answer = client.get(path)
            if answer.status_code == 200:
                body = seen.setdefault((path, answer.headers["ETag"]), answer.data)
                assert body == answer.data
    assert len(seen) > len(paths)


def test_version_and_as_of_together_are_refused(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP)
    answer = client.get(f"/items/lamp?version=1&as_of={at(0)}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == "as_of"


@pytest.mark.parametrize(
    "moment", ["", "now", "2025-11-22", "2025-11-22T08:00:00", "1763798400", at(0) + "x", "%00"]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_moment_that_is_none_is_400(ledger: Any, client: FlaskClient, moment: str) -> None:
    ledger.add(LAMP)
    answer = client.get(f"/items/lamp?as_of={moment}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == "as_of"


@pytest.mark.parametrize("item_id", ["nobody", "%00", "-x", "a" * 65, "%FF%FE"])
@pytest.mark.parametrize("asked", ["version=1", f"as_of={at(0)}"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_item_never_seen_never_was(client: FlaskClient, item_id: str, asked: str) -> None:
    answer = client.get(f"/items/{item_id}?{asked}")
    assert (answer.status_code, answer.json["code"]) == (404, "item-not-found")


def test_head_is_get_without_the_body(ledger: Any, client: FlaskClient) -> None:
    lived(ledger)
    asked = ("?version=2", "?version=4", "?version=9", f"?as_of={at(15)}", "/diff?from=1&to=2")
    for each in (*asked, "/prices", f"/prior-price?at={at(50)}"):
        got, head = client.get(f"/items/lamp{each}"), client.head(f"/items/lamp{each}")
        assert (head.status_code, head.data) == (got.status_code, b"")
        assert head.headers == got.headers


def test_what_an_item_was_costs_a_few_statements_and_what_it_is_none_of_sqlalchemy(
    ledger: Any, client: FlaskClient, engine: Engine
) -> None:
    lived(ledger)
    for query, most in (("", 0), ("?version=3", 3), (f"?as_of={at(25)}", 4)):
        with counted(engine) as statements:
            assert client.get(f"/items/lamp{query}").status_code == 200
        assert len(statements) == most, statements


def test_the_search_for_a_moment_finds_its_version_on_every_engine(
    ledger: Any, engine: Engine
) -> None:
    moments = [AT + n // 3 * 10 for n in range(50)]
    ledger.add(LAMP, *(ItemRepriced("lamp", AT, each, 1, "EUR") for each in moments[1:]))
    with engine.connect() as connection:
        last = versions.last(connection, "lamp")
        assert last == versions.Stamp(50, moments[-1])
        for moment in range(AT - 1, moments[-1] + 2):
            expected = sum(1 for each in moments if each <= moment)
            assert versions.as_of(connection, "lamp", last, moment) == expected


@settings(max_examples=200, deadline=None)
@given(timelines.histories(), st.lists(MOMENTS, min_size=1, max_size=5))
def test_as_of_is_the_last_version_that_had_taken_effect(
    events: list[Event], moments: list[int]
) -> None:
    with timelines.recorded(events) as connection:
        last = versions.last(connection, "lamp")
        assert last == versions.Stamp(len(events), events[-1].effective_at)
        for moment in moments:
            expected = sum(1 for each in events if each.effective_at <= moment)
            assert versions.as_of(connection, "lamp", last, moment) == expected
