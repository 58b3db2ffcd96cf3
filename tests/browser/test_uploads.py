"""A file is chosen, looked at, sent and stopped: pages in a real browser, and answers that each
test gives itself.
"""

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from api.imports.file_names import file_name
from runtime.keyed_ids import keyed_id
from tests.api.test_import_file_names import NAMES, NO_NAMES
from tests.browser.acting import answer, go, save
from tests.readmodel.test_imports import ID


def test_a_file_that_was_chosen_is_not_forgotten_unasked(page: Page) -> None:
    go(page, "/ui/imports")
    page.get_by_role("button", name="Import a file").click()
    page.set_input_files("#upload-file", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"id"})
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Throw it away").click()
    page.get_by_role("button", name="Import a file").click()
    expect(page.locator("#upload-file")).to_have_value("")


def send_a_file(page: Page, name: str, body: bytes) -> None:
    go(page, "/ui/imports")
    send(page, name, body)


def send(page: Page, name: str, body: bytes) -> None:
    page.get_by_role("button", name="Import a file").click()
    file = {"name": name, "mimeType": "text/csv", "buffer": body}
    page.set_input_files("#upload-file", file)
    save(page)


@pytest.fixture
def uploads(page: Page) -> list[Route]:
    """The files that were sent, none of them answered."""
    came: list[Route] = []

    def hold(route: Route) -> None:
        came.append(route)

    page.route("**/write/imports?*", hold)
    return came


def told(**said: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("applied", "unchanged", "rejected", "skipped", "other"), 0)
    known = {"import_id": ID, "status": "receiving", "rows": 0, **counts, **said}
    return {"import_id": ID, "import": known}


def test_while_a_file_is_sent_its_rows_are_counted_and_the_rest_is_reckoned(page: Page) -> None:
    uploads: list[Route] = []

    def hold(route: Route) -> None:
        uploads.append(route)

    page.route("**/write/imports?*", hold)
    applied = iter(range(1, 1000, 9))
    page.route(
        "**/ui/imports/sent/*",
        lambda route: route.fulfill(json=told(rows=500, applied=next(applied), rejected=1)),
    )
    # A line end within quotes begins no row, nor does a blank line.
    rows = b"".join(b'lamp-%d,"a ""b""\nc",1\n\n' % n for n in range(1000))
    send_a_file(page, "stock.csv", b"id,name,price\n" + rows)
    progress = page.locator("[data-progress]")
    expect(progress.locator("[data-told=taken]")).to_have_text("500 of 1,000 rows")
    expect(progress.locator("[data-told=rejected]")).to_have_text("1 row")
    expect(progress.locator("[data-told=left]")).to_contain_text("about")
    key = uploads[0].request.headers["idempotency-key"]
    assert re.fullmatch("[0-9a-f]{32}", key)
    uploads[0].fulfill(status=202, json={"import_id": ID})
    page.wait_for_url(f"**/ui/imports/{ID}")


# Keeps what is written to one place after the other: who does not see the page may hear it.
LISTEN = """() => {
  window.heard = {};
  for (const place of document.querySelectorAll("[data-told]")) {
    const here = heard[place.dataset.told] = [];
    new MutationObserver(() => here.push(place.textContent)).observe(place, { childList: true });
  }
}"""


@pytest.mark.usefixtures("uploads")
def test_what_is_read_out_is_the_beginning_and_each_quarter_once(page: Page) -> None:
    # The time that is left changes with each look.
    looks = iter([0, 260, 280, *[600] * 100])
    page.route(
        "**/ui/imports/sent/*",
        lambda route: route.fulfill(json=told(rows=1000, applied=next(looks))),
    )
    go(page, "/ui/imports")
    page.evaluate(LISTEN)
    send(page, "stock.ndjson", b"{}\n" * 1000)
    expect(page.locator("[data-told=aloud]")).to_contain_text("50 % done")
    heard = page.evaluate("heard")
    first, *others = heard["aloud"]
    assert first == "The file is being sent"
    assert [each.partition(",")[0] for each in others] == ["25 % done", "50 % done"]
    assert "not known" not in "".join(others)
    # A figure that stays the same is not written again.
    assert heard["taken"] == ["none yet", "1,000 of 1,000 rows"]


@pytest.mark.usefixtures("uploads")
def test_what_a_file_is_called_is_sent_with_it(page: Page) -> None:
    with page.expect_request("**/write/imports?*") as sent:
        send_a_file(page, "prices ä (1)'s.csv", b"id\n1\n")
    named = "attachment; filename*=UTF-8''prices%20%C3%A4%20%281%29%27s.csv"
    assert sent.value.headers["content-disposition"] == named


# A file that has another name than a folder would take.
CALLED = """name => {
  const chosen = new DataTransfer();
  chosen.items.add(new File(["id\\n1\\n"], name));
  document.querySelector("#upload-file").files = chosen.files;
}"""


@pytest.mark.usefixtures("uploads")
def test_a_file_of_which_no_name_is_to_be_seen_is_sent_without_one(page: Page) -> None:
    go(page, "/ui/imports")
    page.get_by_role("button", name="Import a file").click()
    page.evaluate(CALLED, "\u202e\u200b ")
    with page.expect_request("**/write/imports?*") as sent:
        save(page)
    assert "content-disposition" not in sent.value.headers


def test_the_service_takes_whatever_name_the_page_makes_of_one(page: Page) -> None:
    go(page, "/ui/imports")
    script = page.locator("script[src$='page.js']").get_attribute("src") or ""
    # In the script's own letters, as half a character travels in no other way.
    names = json.dumps([*(name for name, _ in NAMES), *NO_NAMES])
    made = page.evaluate(
        f"""async file => {{
          const {{ disposition }} = await import(file);
          return {names}.map(disposition);
        }}""",
        script.replace("page.js", "file-name.js"),
    )
    assert [file_name([each]) for each in made[: len(NAMES)]] == [kept for _, kept in NAMES]
    assert made[len(NAMES) :] == [None] * len(NO_NAMES)


def test_sending_a_file_is_stopped_by_who_was_asked_and_what_was_taken_in_is_shown(
    page: Page,
) -> None:
    page.route("**/write/imports?*", lambda _: None)
    page.route(
        f"**/write/imports/{ID}/cancel",
        lambda route: route.fulfill(status=202, json={"import_id": ID}),
    )
    page.route("**/ui/imports/sent/*", lambda route: route.fulfill(json=told(rows=5)))
    send_a_file(page, "stock.ndjson", b"{}\n" * 7)
    expect(page.locator("[data-progress]")).to_contain_text("5 of 7")
    page.keyboard.press("Escape")
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("Stop sending")
    with page.expect_request(f"**/write/imports/{ID}/cancel"):
        question.get_by_role("button", name="Stop sending").click()
    page.wait_for_url(f"**/ui/imports/{ID}")


def test_a_file_of_other_characters_is_shown_as_it_would_read_and_sent_as_was_chosen(
    page: Page,
) -> None:
    came = answer(page, 202, {"import_id": ID})
    send_a_file(page, "stock.csv", "id,name,price\n1,Glühwein,9\n".encode("cp1250"))
    form = page.locator("dialog[open] form")
    expect(form.locator("[data-problem]")).to_contain_text("CSV UTF-8")
    characters = page.get_by_label("How its characters are written")
    expect(characters).to_be_focused()
    expect(form).to_contain_text("Line 2 reads: 1,Glühwein,9")
    characters.select_option("windows-1251")
    expect(form).to_contain_text("Line 2 reads: 1,Glьhwein,9")
    assert came == []
    characters.select_option("windows-1250")
    with page.expect_request("**/write/**") as sent:
        save(page)
    assert sent.value.headers["content-type"] == "text/csv; charset=windows-1250"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_file_with_semicolons_is_not_sent_and_how_to_save_it_is_said(
    page: Page, pack: Callable[[bytes], bytes]
) -> None:
    came = answer(page, 202, {"import_id": ID})
    send_a_file(page, "stock.csv", pack(b"\nid;name;price\n1;Lamp;9\n"))
    problem = page.locator("dialog[open] [data-problem]")
    expect(problem).to_contain_text("separated by semicolons")
    expect(problem).to_contain_text("List separator")
    file = {"name": "stock.csv", "mimeType": "text/csv", "buffer": b"PK\3\4\x14\0\xff"}
    page.set_input_files("#upload-file", file)
    save(page)
    expect(problem).to_contain_text("workbook")
    assert came == []
    # Commas separate these, whatever else is there.
    file["buffer"] = b'id,"name;old"\n1,a;b\n'
    page.set_input_files("#upload-file", file)
    save(page)
    page.wait_for_url(f"**/ui/imports/{ID}")


NOT_YET = (404, {"code": "import-not-found", "title": "No such import"})
ENDED = (409, {"code": "import-over", "title": "The import is over"})
CANCELLED = (202, {"import_id": ID})


def stop_at_once(page: Page, cancels: Callable[[], tuple[int, dict[str, Any]]]) -> None:
    """Stop an upload before anything is told of it, while a cancel is answered like this."""

    def give(route: Route) -> None:
        status, document = cancels()
        route.fulfill(status=status, json=document)

    page.route("**/write/imports/*/cancel", give)
    with page.expect_request("**/write/imports?*"):
        send_a_file(page, "stock.ndjson", b"{}\n" * 7)
    page.keyboard.press("Escape")
    page.get_by_role("alertdialog").get_by_role("button", name="Stop sending").click()


def id_of(upload: Route) -> str:
    return keyed_id("anonymous", "POST", "/imports", upload.request.headers["idempotency-key"])


def test_what_is_stopped_before_it_is_known_is_cancelled_once_it_is(
    page: Page, uploads: list[Route]
) -> None:
    answers = iter([NOT_YET, NOT_YET, CANCELLED])
    stop_at_once(page, lambda: next(answers))
    page.wait_for_url(lambda url: url.endswith(f"/ui/imports/{id_of(uploads[0])}"))


def test_what_never_began_is_said_to_have_taken_nothing_and_only_then(
    page: Page, uploads: list[Route]
) -> None:
    asked = 0

    def cancels() -> tuple[int, dict[str, Any]]:
        nonlocal asked
        asked += 1
        if asked == 2:
            uploads[0].fulfill(status=503, json={"title": "Not accepted"})
        return NOT_YET

    stop_at_once(page, cancels)
    expect(page.locator("#toasts")).to_contain_text("before any row was taken in")
    # After its request had ended, which until then might have brought rows.
    assert asked >= 3


def test_who_stops_too_late_is_told_so_and_led_to_the_import(
    page: Page, uploads: list[Route]
) -> None:
    stop_at_once(page, lambda: ENDED)
    expect(page.locator("#toasts")).to_contain_text("too late")
    page.get_by_role("button", name="See this import").click()
    page.wait_for_url(lambda url: url.endswith(f"/ui/imports/{id_of(uploads[0])}"))


@pytest.mark.usefixtures("uploads")
@pytest.mark.parametrize(
    ("name", "body", "media_type"),
    [
        ("stock.txt", b"\xef\xbb\xbf id,name,price\n1,Lamp,9\n", "text/csv"),
        ("stock", gzip.compress(b"id,name,price\n1,Lamp,9\n"), "text/csv"),
        ("stock.csv", b'\xef\xbb\xbf\n {"id":"a"}\n', "application/x-ndjson"),
    ],
    ids=["txt", "no ending", "csv"],
)
def test_what_a_file_is_its_bytes_say_and_not_its_name(
    page: Page, name: str, body: bytes, media_type: str
) -> None:
    with page.expect_request("**/write/imports?*") as sent:
        send_a_file(page, name, body)
    assert sent.value.headers["content-type"] == media_type


def test_a_json_array_is_not_sent(page: Page, uploads: list[Route]) -> None:
    send_a_file(page, "stock.json", b'[\n{"id":"a"}\n]\n')
    expect(page.locator("#upload [data-problem]")).to_contain_text("an object per line")
    assert uploads == []


def test_columns_are_told_by_the_names_that_they_are_to_have(page: Page) -> None:
    detail = (
        "the column 'effective_from' is no member of a row, which are op, effective_at; "
        "name the columns to take with map="
    )
    answer(page, 422, {"code": "invalid-columns", "title": "x", "detail": detail})
    send_a_file(page, "stock.csv", b"effective_from\n1\n")
    expect(page.locator("#upload [data-problem]")).to_have_text(
        "the column 'effective_from' is none that an import takes; it takes op, effective_at; "
        "say under Columns which are to be taken",
        ignore_case=True,
    )
