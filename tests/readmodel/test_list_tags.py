"""The tags of lists: nothing is 304 that would read otherwise."""

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, Table, update

from domain.events import ItemCreated, ItemRepriced
from ledger import prepared
from ledger.tables import checkpoints, projections
from readmodel import list_tags
from readmodel.list_tags import STATE, ListTags
from tests.readmodel.catalogues import (
    AT,
)

LAMP = ItemCreated("lamp", AT, AT, "Reading lamp", None, 100, "EUR")


def test_a_list_that_nothing_was_changed_in_is_304_until_something_is(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(*(replace(LAMP, item_id=f"lamp-{n}") for n in range(5)))
    paths = ["/items", "/items?limit=2", "/items?q=lamp", "/items?sort=-price&total=exact"]
    tags = {path: client.get(path).headers["ETag"] for path in paths}
    assert all(tag.startswith('W/"') for tag in tags.values())
    assert len(set(tags.values())) == len(paths)

    for path, tag in tags.items():
        again = client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
        assert client.get(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200

    ledger.add(ItemRepriced("lamp-3", AT + 1, AT + 1, 7, "EUR"))
    for path in paths:
        after = client.get(path, headers={"If-None-Match": tags[path]})
        assert after.status_code == 200
        assert after.headers["ETag"] != tags[path]


def test_a_tag_of_one_page_is_none_of_another(ledger: Any, client: FlaskClient) -> None:
    ledger.add(*(replace(LAMP, item_id=f"lamp-{n}") for n in range(5)))
    first = client.get("/items?limit=2")
    second = f"/items?limit=2&cursor={first.json['next']}"
    answer = client.get(second, headers={"If-None-Match": first.headers["ETag"]})
    assert answer.status_code == 200
    assert [each["id"] for each in answer.json["items"]] == ["lamp-2", "lamp-3"]


def test_a_tag_of_a_list_is_none_of_the_same_list_counted(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP)
    for query in ("", "&q=lamp", "&as_of=2100-01-01T00:00:00Z"):
        tag = client.get(f"/items?limit=5{query}").headers["ETag"]
        counted = f"/items?limit=5{query}&total=exact"
        answer = client.get(counted, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.json["total"]) == (200, 1)


def test_a_tag_is_of_the_last_event_itself_and_of_the_release(
    ledger: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that was set back has other events at the same places, and another release may
    write the same items in another way.
    """
    ledger.add(LAMP)
    with engine.connect() as connection:
        (row,) = STATE.run(connection, {"views": prepared.listed(connection, ["items"])})
    assert row.hash == "hash-1"
    other = [(*row[:-1], "hash-of-another")]
    tags = ListTags("key")
    assert tags.of([row], "items") != tags.of(other, "items")
    monkeypatch.setattr(list_tags, "version", lambda _: "another")
    assert tags.of([row], "items") != ListTags("key").of([row], "items")


def test_a_tag_of_what_is_found_by_words_is_of_these_too(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP)
    found = client.get("/items?q=lamp").headers["ETag"]
    with ledger.engine.begin() as connection:
        behind = update(checkpoints).where(checkpoints.c.projection == "search").values(offset=0)
        connection.execute(behind)
    assert client.get("/items?q=lamp").headers["ETag"] != found


def test_a_tag_is_of_the_slot_that_is_read_and_of_when_it_was_begun(
    ledger: Any, client: FlaskClient
) -> None:
    """Else somebody would be told 304 of what another slot says, or the same slot built anew."""
    ledger.add(LAMP)

    def tag() -> str:
        return client.get("/items").headers["ETag"]

    def change(table: Table, column: str, name: str, **values: object) -> None:
        with ledger.engine.begin() as connection:
            connection.execute(update(table).where(table.c[column] == name).values(**values))

    first = tag()
    change(projections, "view", "items", begun_at=AT + 7)
    begun = tag()
    change(checkpoints, "projection", "items", offset=0)
    moved = tag()
    change(checkpoints, "projection", "items", projection="items_2")
    change(projections, "view", "items", live=2)
    other = tag()
    change(checkpoints, "projection", "items_2", offset=1)
    assert len({first, begun, moved, other, tag()}) == 5
    of_others = tag()
    change(checkpoints, "projection", "search", offset=0)
    assert tag() == of_others
