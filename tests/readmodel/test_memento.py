"""Datetime negotiation of RFC 7089: the item is its own TimeGate, its history the TimeMap."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from domain.events import ItemCreated, ItemDeleted, ItemRenamed, ItemRepriced, ItemRestored
from readmodel.views.items import render
from tests.readmodel.timelines import AT

# 22 November 2025, 08:00 in Greenwich.
LAMP = ItemCreated("lamp", AT, AT + 500, "Lamp", None, 100, "EUR")
URL = "https://read.example/items/lamp"
MINUTE = 60_000


def lived(ledger: Any) -> None:
    """Versions 1 to 5: of 08:00, 08:01, 08:02 (deleted), 08:03 (restored), 08:04."""
    ledger.add(
        LAMP,
        ItemRepriced("lamp", AT + MINUTE, AT + MINUTE + 7, 90, "EUR"),
        ItemDeleted("lamp", AT + 2 * MINUTE, AT + 2 * MINUTE),
        ItemRestored("lamp", AT + 3 * MINUTE, AT + 3 * MINUTE),
        ItemRenamed("lamp", AT + 4 * MINUTE, AT + 4 * MINUTE, "Lantern"),
    )


def gmt(clock: str) -> str:
    return f"Sat, 22 Nov 2025 {clock} GMT"


def near(client: FlaskClient, clock: str, **headers: str) -> Any:
    return client.get("/items/lamp", headers={"Accept-Datetime": gmt(clock), **headers})


Link = tuple[str, set[str], dict[str, str]]


def links(text: str) -> list[Link]:
    """Take apart a header Link, or the body of a TimeMap (RFC 8288, RFC 6690)."""
    found: list[Link] = []
    for url, rest in re.findall(r'<([^>]*)>((?:; *\w+="[^"]*")*)', text):
        values = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        found.append((url, set(values.pop("rel").split()), values))
    assert text.count("<") == len(found)
    return found


def mementos(text: str) -> dict[str, str]:
    return {
        url: values["datetime"] for url, relations, values in links(text) if "memento" in relations
    }


@pytest.mark.parametrize(
    ("clock", "version"),
    [
        ("08:00:00", 1),
        ("08:00:59", 1),
        ("08:01:00", 2),
        ("08:01:59", 2),
        ("08:03:00", 4),
        ("08:04:00", 5),
        ("23:59:59", 5),
    ],
)
def test_the_state_of_that_second_is_answered_itself(
    ledger: Any, client: FlaskClient, clock: str, version: int
) -> None:
    lived(ledger)
    answer = near(client, clock)
    assert answer.status_code == 200
    assert answer.text == render(ledger.states["lamp", version])
    assert answer.headers["ETag"] == f'"{version}"'
    assert answer.headers["Content-Location"] == f"{URL}?version={version}"
    assert answer.headers["Vary"] == "Accept-Datetime, Prefer"
    assert answer.headers["Cache-Control"] == "no-cache"


def test_who_asks_for_the_time_that_a_memento_tells_gets_that_memento(
    ledger: Any, client: FlaskClient
) -> None:
    lived(ledger)
    for version in (1, 2, 4, 5):
        memento = client.get(f"/items/lamp?version={version}")
        when = memento.headers["Memento-Datetime"]
        again = client.get("/items/lamp", headers={"Accept-Datetime": when})
        assert (again.data, again.headers["ETag"]) == (memento.data, memento.headers["ETag"])
        assert again.headers["Memento-Datetime"] == when


def test_before_the_first_state_it_is_the_first(ledger: Any, client: FlaskClient) -> None:
    lived(ledger)
    answer = client.get("/items/lamp", headers={"Accept-Datetime": "Thu, 01 Jan 1970 00:00:00 GMT"})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    assert answer.headers["Memento-Datetime"] == gmt("08:00:00")


def test_while_it_is_deleted_the_memento_is_a_410(ledger: Any, client: FlaskClient) -> None:
    lived(ledger)
    answer = near(client, "08:02:30")
    assert (answer.status_code, answer.json["code"]) == (410, "item-deleted")
    assert answer.headers["Memento-Datetime"] == gmt("08:02:00")
    assert answer.headers["Vary"] == "Accept-Datetime, Prefer"
    assert (URL, {"original", "timegate"}, {}) in links(answer.headers["Link"])


def test_a_deleted_item_is_its_own_timegate_still(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, ItemDeleted("lamp", AT, AT + MINUTE))
    assert near(client, "08:00:30").status_code == 200
    assert near(client, "08:01:00").status_code == 410


def test_the_links_lead_to_original_timemap_and_neighbours(
    ledger: Any, client: FlaskClient
) -> None:
    lived(ledger)
    answer = near(client, "08:03:30")
    assert answer.headers["Memento-Datetime"] == gmt("08:03:00")
    assert links(answer.headers["Link"]) == [
        (URL, {"original", "timegate"}, {}),
        (
            f"{URL}/history",
            {"timemap"},
            {
                "type": "application/link-format",
                "from": gmt("08:00:00"),
                "until": gmt("08:04:00"),
            },
        ),
        (f"{URL}?version=1", {"first", "memento"}, {"datetime": gmt("08:00:00")}),
        (f"{URL}?version=3", {"prev", "memento"}, {"datetime": gmt("08:02:00")}),
        (f"{URL}?version=4", {"memento"}, {"datetime": gmt("08:03:00")}),
        (f"{URL}?version=5", {"last", "next", "memento"}, {"datetime": gmt("08:04:00")}),
    ]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (1, {1: {"first"}, 2: {"next"}, 5: {"last"}}),
        (2, {1: {"first", "prev"}, 2: set(), 3: {"next"}, 5: {"last"}}),
        (5, {1: {"first"}, 4: {"prev"}, 5: {"last"}}),
    ],
)
def test_every_memento_knows_its_neighbours(
    ledger: Any, client: FlaskClient, version: int, expected: dict[int, set[str]]
) -> None:
    lived(ledger)
    answer = client.get(f"/items/lamp?version={version}")
    assert {
        int(url.partition("?version=")[2]): relations - {"memento"}
        for url, relations, _ in links(answer.headers["Link"])
        if "memento" in relations
    } == expected


def test_the_only_state_is_first_and_last(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP)
    told = links(client.get("/items/lamp?version=1").headers["Link"])
    assert told[2:] == [
        (f"{URL}?version=1", {"first", "last", "memento"}, {"datetime": gmt("08:00:00")})
    ]


def test_a_state_with_a_url_of_its_own_is_not_negotiated(ledger: Any, client: FlaskClient) -> None:
    lived(ledger)
    for query in ("version=2", "as_of=2025-11-22T08:01:30Z"):
        for header in (gmt("08:04:30"), "no date at all"):
            answer = client.get(f"/items/lamp?{query}", headers={"Accept-Datetime": header})
            assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
            assert answer.headers["Memento-Datetime"] == gmt("08:01:00")
            assert "Accept-Datetime" not in answer.headers["Vary"]


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "now",
        "2025-11-22T08:00:00Z",
        "Saturday, 22-Nov-25 08:00:00 GMT",
        "Sat Nov 22 08:00:00 2025",
        "Sat, 22 Nov 2025 08:00:00",
        "Sat, 22 Nov 2025 08:00:00 UTC",
        "Sat, 22 Nov 2025 08:00:00 +0000",
        "sat, 22 nov 2025 08:00:00 gmt",
        "Sat, 31 Feb 2025 08:00:00 GMT",
        "Sat, 22 Nov 2025 24:00:00 GMT",
        "Sat, 22 Nov 0000 08:00:00 GMT",
        "Sat, 22 Nov 99999999999999999999 08:00:00 GMT",
        "Sat, 22 Nov 2025 08:00:00 GMT, Sat, 22 Nov 2025 08:00:00 GMT",
        "Sat, ٢٢ Nov 2025 08:00:00 GMT".encode().decode("latin-1"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_header_that_is_no_date_is_400(ledger: Any, client: FlaskClient, sent: str) -> None:
    ledger.add(LAMP)
    for item_id in ("lamp", "nobody"):
        answer = client.get(f"/items/{item_id}", headers={"Accept-Datetime": sent})
        assert (answer.status_code, answer.json["code"]) == (400, "malformed-header")
        (error,) = answer.json["errors"]
        assert (error["header"], error["code"]) == ("Accept-Datetime", "malformed-datetime")


def test_an_item_never_seen_has_no_states(client: FlaskClient) -> None:
    for item_id in ("nobody", "%00"):
        answer = client.get(f"/items/{item_id}", headers={"Accept-Datetime": gmt("08:00:00")})
        assert (answer.status_code, answer.json["code"]) == (404, "item-not-found")
        assert answer.headers["Vary"] == "Accept-Datetime, Prefer"


def test_without_the_header_only_vary_tells_of_it(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP)
    answer = client.get("/items/lamp")
    assert answer.headers["Vary"] == "Accept-Datetime, Prefer"
    assert not {"Memento-Datetime", "Link", "Content-Location"} & set(answer.headers.keys())
    ledger.add(ItemDeleted("lamp", AT, AT + MINUTE))
    assert client.get("/items/lamp").headers["Vary"] == "Accept-Datetime, Prefer"


def test_who_has_the_memento_gets_304(ledger: Any, client: FlaskClient) -> None:
    lived(ledger)
    whole = near(client, "08:01:00")
    answer = near(client, "08:01:00", **{"If-None-Match": '"2"'})
    assert (answer.status_code, answer.data) == (304, b"")
    for name in ("ETag", "Vary", "Content-Location", "Memento-Datetime", "Link", "Cache-Control"):
        assert answer.headers[name] == whole.headers[name]
    assert near(client, "08:01:00", **{"If-None-Match": '"5"'}).status_code == 200


@pytest.mark.parametrize("limit", [1, 2, 5, 200])
def test_the_history_is_a_timemap_for_who_asks_for_that_form(
    ledger: Any, client: FlaskClient, limit: int
) -> None:
    lived(ledger)
    found: dict[str, str] = {}
    url = f"{URL}/history?limit={limit}"
    while url:
        answer = client.get(
            url.removeprefix("https://read.example"),
            headers={"Accept": "application/link-format"},
        )
        assert answer.status_code == 200
        assert answer.content_type == "application/link-format"
        assert answer.headers["Vary"] == "Accept, Prefer"
        told = links(answer.text)
        page = mementos(answer.text)
        assert (URL, {"original", "timegate"}, {}) in told
        ((own, _, ends),) = [each for each in told if each[1] == {"self"}]
        assert own == url
        assert (ends["from"], ends["until"]) == (list(page.values())[-1], next(iter(page.values())))
        found |= page
        more = [each[0] for each in told if each[1] == {"timemap"}]
        assert [each[0] for each in links(answer.headers.get("Link", ""))] == more
        url = more[0] if more else ""
    assert found == {
        f"{URL}?version={version}": gmt(f"08:0{version - 1}:00") for version in (5, 4, 3, 2, 1)
    }


def test_the_first_and_the_last_state_are_named_in_the_timemap(
    ledger: Any, client: FlaskClient
) -> None:
    lived(ledger)
    answer = client.get("/items/lamp/history", headers={"Accept": "application/link-format"})
    relations = {url: each for url, each, _ in links(answer.text)}
    assert relations[f"{URL}?version=5"] == {"last", "memento"}
    assert relations[f"{URL}?version=1"] == {"first", "memento"}
    assert relations[f"{URL}/history"] == {"self"}


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "text/html", "application/json, */*;q=0.1", "?!"]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_everybody_else_gets_the_history_as_json(
    ledger: Any, client: FlaskClient, accept: str | None
) -> None:
    lived(ledger)
    headers = {} if accept is None else {"Accept": accept}
    answer = client.get("/items/lamp/history", headers=headers)
    assert answer.content_type == "application/json"
    assert answer.headers["Vary"] == "Accept, Prefer"
    assert len(answer.json["events"]) == 5


def test_a_timemap_refuses_what_the_history_refuses(ledger: Any, client: FlaskClient) -> None:
    lived(ledger)
    accept = {"Accept": "application/link-format"}
    for item_id in ("nobody", "%00"):
        answer = client.get(f"/items/{item_id}/history", headers=accept)
        assert (answer.status_code, answer.json["code"]) == (404, "item-not-found")
    of_the_history = client.get("/items/lamp/history?limit=1").json["next"]
    for query in (f"cursor={of_the_history}", "limit=0", "version=1"):
        answer = client.get(f"/items/lamp/history?{query}", headers=accept)
        assert answer.status_code == 400
