"""The pages of imports."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from ledger.imports import Counts
from runtime.keyed_ids import keyed_id
from tests.readmodel.conftest import Ledger
from tests.readmodel.test_imports import AT, ID, LATELY, OTHER, begun, results
from tests.readmodel.web.reading import Page, get, page_of
from tests.readmodel.web.stock import created


def test_imports_are_listed_with_how_far_they_are(client: FlaskClient, ledger: Ledger) -> None:
    begun(ledger, Counts(applied=1200, rejected=34), rows=5000)
    begun(ledger, import_id=OTHER, begun_at=AT + 1, rows=3, dry=True)
    page = page_of(client, "/ui/imports")
    assert page.texts("a", class_="title-link") == [OTHER, ID]
    assert "1,234 of 5,000 rows · 34 rejected" in " ".join(page.one("table").text.split())


def test_while_an_import_goes_on_its_pages_are_asked_for_again(
    client: FlaskClient, ledger: Ledger
) -> None:
    begun(ledger, Counts(applied=3), rows=3)
    for path, part in (("/ui/imports", "imports"), (f"/ui/imports/{ID}", "import")):
        page = page_of(client, path)
        (element,) = [each for each in page.elements if each.attributes.get("id") == part]
        assert "hx-trigger" not in element.attributes
    begun(ledger, Counts(), import_id=OTHER, rows=3)
    for path, part in (("/ui/imports", "imports"), (f"/ui/imports/{OTHER}", "import")):
        page = page_of(client, path)
        (element,) = [each for each in page.elements if each.attributes.get("id") == part]
        assert element.attributes["hx-trigger"] == "every 1s"


@pytest.mark.parametrize(
    ("said", "counts", "line", "bar"),
    [
        (
            {"status": "received", "rows": 5000},
            Counts(applied=1200),
            "1,200 of 5,000 rows are done",
            ["1200"],
        ),
        ({"status": "received", "rows": 1}, Counts(applied=1), "1 of 1 row is done", ["1"]),
        ({"status": "received", "rows": 0}, Counts(), "This file has no rows", []),
        (
            {"status": "received", "rows": 0, "reverts": OTHER},
            Counts(),
            "0 of 0 items are done",
            [],
        ),
        (
            {"status": "receiving", "rows": None},
            Counts(applied=29_300),
            "29,300 rows are done so far",
            [None],
        ),
        ({"status": "cancelled", "rows": None}, Counts(applied=9700), "9,700 rows are done", []),
        ({"status": "cancelled", "rows": 1}, Counts(applied=1), "1 row is done", []),
    ],
)
def test_of_how_many_rows_is_said_where_that_is_known(
    client: FlaskClient,
    ledger: Ledger,
    said: dict[str, Any],
    counts: Counts,
    line: str,
    bar: list[str | None],
) -> None:
    begun(ledger, counts, **{"changed_at": LATELY, **said})
    page = page_of(client, f"/ui/imports/{ID}")
    assert page.texts("p", class_="number") == [line]
    assert [each.attributes.get("value") for each in page.all("progress")] == bar


def test_who_sends_an_import_finds_it_by_its_key_before_it_is_answered(
    client: FlaskClient, ledger: Ledger
) -> None:
    begun(ledger, Counts(applied=7), import_id=keyed_id("anonymous", "POST", "/imports", "k-1"))
    found = client.get("/ui/imports/sent/k-1")
    assert (found.status_code, found.json["import"]["applied"]) == (200, 7)
    assert found.json["import_id"] == found.json["import"]["import_id"]
    later = keyed_id("anonymous", "POST", "/imports", "k-2")
    early = client.get("/ui/imports/sent/k-2")
    # What is not there yet is no mistake: browsers would put it down as one.
    assert (early.status_code, early.json) == (200, {"import_id": later, "import": None})
    assert early.headers["Cache-Control"] == "no-store"


def test_who_does_not_see_it_is_told_each_quarter_and_the_end(
    client: FlaskClient, ledger: Ledger
) -> None:
    met: list[str] = []
    for done in (0, 1, 24, 25, 49, 74, 75, 99):
        begun(ledger, Counts(applied=done), rows=100)
        met += page_of(client, f"/ui/imports/{ID}").texts("p", role="status")
    begun(ledger, Counts(applied=1, rejected=99), rows=100)
    met += page_of(client, f"/ui/imports/{ID}").texts("p", role="status")
    assert met == [
        *["0 % done"] * 3,
        *["25 % done"] * 2,
        "50 % done",
        *["75 % done"] * 2,
        "Done: 1 row applied, 99 rejected",
    ]


def test_a_file_is_called_by_its_name(client: FlaskClient, ledger: Ledger) -> None:
    begun(ledger, file="<b>prices ä.csv")
    assert page_of(client, "/ui/imports").texts("a", class_="title-link") == ["<b>prices ä.csv"]
    page = page_of(client, f"/ui/imports/{ID}")
    assert "File <b>prices ä.csv" in page.texts("span")
    # Whatever direction it is read in, what follows it stands where it would.
    assert page.texts("title") == ["Import \u2068<b>prices ä.csv\u2069 · itemledger"]
    begun(ledger, Counts(), OTHER, reverts=ID)
    reverting = page_of(client, f"/ui/imports/{OTHER}")
    assert "Reverts <b>prices ä.csv" in reverting.texts("span")
    listed = page_of(client, "/ui/imports")
    assert "Reverts <b>prices ä.csv" in listed.texts("div", class_="small quiet")
    assert len(reverting.all("a", href=f"/ui/imports/{ID}")) == 1
    begun(ledger, Counts(), OTHER, reverts=f"{ID[:-1]}f")
    reverting = page_of(client, f"/ui/imports/{OTHER}")
    assert f"Reverts {ID[:-1]}f, which is not kept any more" in reverting.texts("span")
    assert reverting.all("a", href=f"/ui/imports/{ID[:-1]}f") == []


def test_a_row_leads_to_its_item_where_there_is_one(client: FlaskClient, ledger: Ledger) -> None:
    begun(ledger, Counts(applied=2), rows=2, dry=True)
    ledger.outcome(f"{ID}.{2:09d}", "lamp")
    ledger.outcome(f"{ID}.{3:09d}", "never-made")
    ledger.add(created("lamp"))
    page = page_of(client, f"/ui/imports/{ID}", status="all")
    assert _rows(page) == ["Line 2 applied lamp", "Line 3 applied never-made (no such item)"]
    assert len(page.all("a", href="/ui/items/lamp")) == 1
    assert page.all("a", href="/ui/items/never-made") == []


def test_what_a_row_is_called_by_is_said(client: FlaskClient, ledger: Ledger) -> None:
    begun(ledger, Counts(applied=2, rejected=1))
    results(ledger)
    begun(ledger, Counts(applied=2, rejected=1), OTHER, reverts=ID)
    results(ledger, OTHER)
    of_file, of_revert = (page_of(client, f"/ui/imports/{each}") for each in (ID, OTHER))
    assert of_file.texts("th")[0] == "Line"
    assert "line of the file" in of_file.texts("p", class_="small quiet note")[0]
    assert of_revert.texts("th")[0] == "No."
    assert of_revert.texts("p", class_="small quiet note") == []
    assert of_revert.texts("h2", id="h-rows") == ["Items"]


def test_rejected_rows_are_shown_first_and_say_why(client: FlaskClient, ledger: Ledger) -> None:
    begun(ledger, Counts(applied=2, rejected=1))
    results(ledger)
    page = page_of(client, f"/ui/imports/{ID}")
    assert _rows(page) == ["Line 3 rejected name: is required, in row 3"]
    everything = page_of(client, f"/ui/imports/{ID}", status="all")
    assert len(_rows(everything)) == 3
    assert _rows(page_of(client, f"/ui/imports/{ID}", status="applied"))[0] == (
        "Line 2 applied lamp-2 (no such item)"
    )


def test_why_an_upload_ended_is_told_to_who_has_no_key_of_it(
    client: FlaskClient, ledger: Ledger
) -> None:
    for_programs = "send the file again under the same Idempotency-Key to resume"
    begun(ledger, status="failed", detail=f"the upload ended early; {for_programs}")
    (notice,) = page_of(client, f"/ui/imports/{ID}").texts("p", class_="notice bad")
    assert notice == (
        "The upload ended early; send the file again: rows that were taken in come out as unchanged"
    )


def test_rows_follow_page_by_page(client: FlaskClient, ledger: Ledger) -> None:
    begun(ledger, Counts(applied=60, rejected=60), rows=120)
    results(ledger, rows=120)
    asked, met = {"status": "all"}, []
    while asked:
        page = page_of(client, f"/ui/imports/{ID}", **asked)
        met += _rows(page)
        more = page.all("a", hx_target="#more")
        query = parse_qs(urlsplit(more[0].attributes["href"]).query) if more else {}
        asked = {name: value for name, (value,) in query.items()}
    assert [int(each.split()[1]) for each in met] == list(range(2, 122))


@pytest.mark.parametrize(
    ("said", "steps"),
    [
        ({"status": "received", "rows": 0}, ["revert"]),
        ({"status": "received", "rows": 0, "dry": True}, []),
        ({"status": "cancelled"}, ["revert"]),
        ({"status": "failed"}, ["cancel", "revert"]),
    ],
)
def test_an_import_offers_what_can_be_done_to_it(
    client: FlaskClient, ledger: Ledger, said: dict[str, Any], steps: list[str]
) -> None:
    begun(ledger, **said)
    page = page_of(client, f"/ui/imports/{ID}")
    buttons = [each.attributes for each in page.all("button")]
    # Taking everything back is asked about first.
    offered = [each.get("data-step") or each.get("data-opens") for each in buttons]
    assert [each for each in offered if each] == [
        "revert-import" if each == "revert" else each for each in steps
    ]


@pytest.mark.parametrize(
    ("counts", "rows", "said"),
    [
        (Counts(applied=3), 3, f"Reverted by {OTHER}"),
        (Counts(applied=1), 3, f"Being reverted by {OTHER}"),
        (Counts(applied=2, rejected=1), 3, f"Reverted by {OTHER}, but for 1 item changed since"),
        (Counts(applied=1, other=2), 3, f"Reverted by {OTHER}, but for 2 items set aside"),
        (
            Counts(applied=1, rejected=2, other=1),
            4,
            f"Reverted by {OTHER}, but for 2 items changed since and 1 item set aside",
        ),
    ],
)
def test_an_import_that_was_reverted_says_so_and_is_not_to_be_reverted_again(
    client: FlaskClient, ledger: Ledger, counts: Counts, rows: int, said: str
) -> None:
    begun(ledger, Counts(applied=3))
    begun(ledger, counts, OTHER, reverts=ID, rows=rows)
    page = page_of(client, f"/ui/imports/{ID}")
    assert said in page.texts("span")
    assert not page.all("button", data_opens="revert-import")
    (element,) = [each for each in page.elements if each.attributes.get("id") == "import"]
    assert ("hx-trigger" in element.attributes) == said.startswith("Being")
    other = page_of(client, f"/ui/imports/{OTHER}")
    assert f"Reverts {ID}" in other.texts("span")
    assert page_of(client, "/ui/imports").texts("div", class_="small quiet") == [
        f"Reverts {ID}",
        f"Reverted by {OTHER}",
    ]


def test_a_revert_that_was_reverted_is_told_at_what_it_reverted(
    client: FlaskClient, ledger: Ledger
) -> None:
    last = f"{ID[:-1]}f"
    begun(ledger, Counts(applied=3))
    begun(ledger, Counts(applied=3), OTHER, reverts=ID)
    begun(ledger, Counts(applied=3), last, reverts=OTHER)
    page = page_of(client, f"/ui/imports/{ID}")
    assert f"Reverted by {OTHER}, and that by {last}: what it changed is back" in page.texts("span")
    assert page.all("button", data_opens="revert-import")
    listed = page_of(client, "/ui/imports").texts("div", class_="small quiet")
    assert listed == [f"Reverts {OTHER}", f"Reverts {ID}", f"Reverted by {last}"]


def test_an_import_that_brought_in_more_after_its_revert_says_so_and_is_to_be_reverted_again(
    client: FlaskClient, ledger: Ledger
) -> None:
    begun(ledger, Counts(applied=5), rows=5, last=9)
    begun(ledger, Counts(applied=3), OTHER, reverts=ID, after=4)
    said = f"Reverted by {OTHER}; more rows came in since"
    page = page_of(client, f"/ui/imports/{ID}")
    assert said in page.texts("span")
    assert page.all("button", data_opens="revert-import")
    assert said in page_of(client, "/ui/imports").texts("div", class_="small quiet")


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        (f"/ui/imports/{ID}", {}, 404),
        ("/ui/imports/x%00", {}, 404),
        ("/ui/imports", {"cursor": "x"}, 400),
        ("/ui/imports", {"colour": "red"}, 400),
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(
    client: FlaskClient, path: str, asked: dict[str, str], status: int
) -> None:
    answer = get(client, path, **asked)
    assert answer.status_code == status
    assert Page(answer.text).texts("h1")


def _rows(page: Page) -> list[str]:
    bodies = [each for each in page.all("tbody") if each.attributes.get("id") == "rows"]
    rows = [row for body in bodies for row in body.inside if row.tag == "tr"]
    return [
        " ".join(" ".join(cell.text for cell in row.inside if cell.tag == "td").split())
        for row in rows
        if row.attributes.get("id") != "more"
    ]
