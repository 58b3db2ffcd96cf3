"""What a form says and keeps when the command API answers this or that: pages in a real browser,
and answers that each test gives itself.
"""

import gzip
import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from domain.events import ItemRepriced
from readmodel.web.money import understood
from tests.browser.acting import answer, go, save
from tests.browser.browser import window
from tests.readmodel.conftest import Ledger
from tests.readmodel.test_imports import ID
from tests.readmodel.web.stock import AT, created
from tests.readmodel.web.test_money import CASES
from tests.readmodel.web.test_operations import set_aside

# As programs read it; pages are below /ui.
LAMP = re.compile(r"\d/items/lamp$")
LATER = "Date.now = ((now) => () => now() + 121_000)(Date.now)"
COMMAND = "https://read.example/commands/c-1?token=t"
ACCEPTED = {
    "command_id": "c-1",
    "item_id": "lamp",
    "status": "accepted",
    "links": {"command": COMMAND},
}


@pytest.mark.parametrize("opener", ["Edit", "New item"])
def test_nothing_is_called_saved_that_is_only_accepted(page: Page, opener: str) -> None:
    answer(page, 202, ACCEPTED)
    if opener == "New item":
        go(page, "/ui/")
    page.get_by_role("button", name=opener).click()
    form = page.locator("dialog[open] form")
    form.get_by_label("Name").fill("Desk lamp")
    form.get_by_label("Price", exact=True).fill("12.99")
    save(page)
    expect(form).to_contain_text("Accepted; it waits for its turn")
    page.evaluate(LATER)
    expect(form).to_contain_text("not applied yet")
    expect(form.get_by_role("link")).to_have_attribute("href", COMMAND)
    expect(form.get_by_label("Name")).to_have_value("Desk lamp")
    expect(page.locator("#toasts")).to_be_empty()
    assert "undefined" not in page.url


def test_that_a_command_is_accepted_stays_said_while_its_outcome_is_waited_for(timed: Page) -> None:
    page = timed

    def hold(route: Route) -> None:
        # Only the first is answered.
        asked.append(route.request.headers["prefer"])
        if len(asked) == 1:
            route.fulfill(status=202, json=ACCEPTED)

    asked: list[str] = []
    page.route("**/write/**", hold)
    page.get_by_role("button", name="Edit").click()
    page.locator("#edit-price").fill("44")
    line = page.locator("#edit [data-problem]")
    with page.expect_response("**/commands/c-1"):
        save(page)
        expect(line).to_contain_text("Accepted; it waits for its turn")
    # Who is answered at once, and was not let wait, does not ask again at once.
    page.clock.run_for(900)
    assert asked == ["wait=2"]
    with page.expect_request("**/write/**") as again:
        page.clock.run_for(100)
    assert again.value.headers["prefer"] == "wait=10"
    page.clock.run_for(5_000)
    expect(line).to_contain_text("Accepted; it waits for its turn")


@pytest.mark.parametrize(
    ("status", "said"),
    [("parked", "wait behind a command that met a defect"), ("dead", "it met a defect")],
)
def test_what_waits_for_who_operates_the_service_is_not_waited_for(
    page: Page, status: str, said: str
) -> None:
    came = answer(page, 202, ACCEPTED)
    page.route("**/commands/c-1", lambda route: route.fulfill(json={"status": status}))
    page.get_by_role("button", name="Edit").click()
    page.locator("#edit-price").fill("44")
    save(page)
    line = page.locator("#edit [data-problem]")
    expect(line).to_contain_text(said)
    expect(line.get_by_role("link")).to_have_attribute("href", "/ui/operations#h-dead")
    expect(page.locator("#edit button.main")).to_be_enabled()
    assert len(came) == 1


def test_who_closes_the_form_of_what_is_accepted_is_told_that_it_will_be_applied(
    page: Page,
) -> None:
    answer(page, 202, ACCEPTED)
    page.route("**/commands/c-1", lambda route: route.fulfill(json={"status": "parked"}))
    page.get_by_role("button", name="Edit").click()
    page.locator("#edit-price").fill("44")
    save(page)
    expect(page.locator("#edit [data-problem]")).to_contain_text("Accepted")
    page.keyboard.press("Escape")
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("It is accepted and will be applied.")
    question.get_by_role("button", name="Close it").click()
    toasts = page.locator("#toasts")
    expect(toasts).to_have_text(re.compile("accepted and will be applied.*See what becomes of it"))
    page.evaluate("window.open = (address) => { window.opened = address; }")
    toasts.get_by_role("button").click()
    assert page.evaluate("window.opened") == COMMAND


def test_what_is_sent_when_its_form_is_closed_is_told_beside_the_page(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/write/**", hold)
    page.get_by_role("button", name="Edit").click()
    page.locator("#edit-price").fill("44")
    with page.expect_request("**/write/**"):
        save(page)
    page.keyboard.press("Escape")
    question, toasts = page.get_by_role("alertdialog"), page.locator("#toasts")
    expect(question).to_contain_text("may be applied all the same")
    question.get_by_role("button", name="Close it").click()
    expect(toasts).to_contain_text("on its way")
    # A form that is opened again is another one: it says nothing of what it did not send.
    page.get_by_role("button", name="Edit").click()
    with page.expect_request("**/write/**"):
        held[0].fulfill(status=202, json=ACCEPTED)
    expect(toasts).to_contain_text("accepted and will be applied")
    expect(page.locator("#edit [data-problem]")).to_be_empty()
    expect(page.locator("#edit button.main")).to_be_enabled()
    held[1].fulfill(status=409, json={"title": "x", "detail": "it can not be so"})
    expect(toasts).to_contain_text("Your change was not applied: it can not be so")
    expect(toasts).not_to_contain_text("will be applied")
    expect(page.locator("#edit [data-problem]")).to_be_empty()


def test_what_is_unfolded_stays_so_when_the_page_changes(page: Page) -> None:
    page.get_by_text("As a table").click()
    page.evaluate("document.querySelector('h1').textContent = 'Not loaded again'")
    page.evaluate(
        "htmx.ajax('GET', location.href, {target: '#item', select: '#item', swap: 'outerMorph'})"
    )
    expect(page.locator("h1")).to_have_text("Lamp")
    expect(page.locator("details")).to_have_attribute("open", "")


def test_an_import_is_only_reverted_by_who_was_asked(page: Page) -> None:
    came = answer(page, 202, {"import_id": ID})
    go(page, f"/ui/imports/{ID}")
    page.get_by_role("button", name="Revert").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1,200 applied rows")
    assert came == []
    dialog.get_by_label("Reason").fill("wrong file")
    with page.expect_request("**/write/**"):
        save(page)
    assert came[0].url.endswith(f"/imports/{ID}/revert?reason=wrong+file")


def test_a_revert_that_is_asked_for_once_more_is_the_same_one(page: Page) -> None:
    running = {"code": "import-running", "title": "Rows may come", "detail": "cancel it first"}
    came = answer(page, 409, running)
    go(page, f"/ui/imports/{ID}")
    page.get_by_role("button", name="Revert").click()
    for _ in range(2):
        with page.expect_request("**/write/**"):
            save(page)
        expect(page.get_by_role("dialog")).to_contain_text("cancel it first")
    assert len({each.headers["idempotency-key"] for each in came}) == 1


def test_who_is_signed_out_keeps_the_words_and_is_led_to_sign_in(page: Page) -> None:
    came = answer(page, 401, {"title": "Unauthorized", "detail": "send Authorization: Bearer"})
    page.get_by_role("button", name="Edit").click()
    page.locator("#edit-name").fill("Desk lamp")
    save(page)
    form = page.locator("dialog[open] form")
    sign_in = form.get_by_role("link", name="Sign in")
    expect(sign_in).to_have_attribute("href", "/ui/sign-in")
    expect(sign_in).to_have_attribute("target", "_blank")
    expect(page.locator("#edit-name")).to_have_value("Desk lamp")
    go(page, "/ui/imports")
    page.get_by_role("button", name="Import a file").click()
    page.set_input_files("#upload-file", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"id"})
    save(page)
    expect(sign_in).to_be_visible()
    expect(form).not_to_contain_text("Bearer")
    assert "content-encoding" not in came[-1].headers
    # Its bytes say it, not its name.
    zipped = gzip.compress(b"id")
    page.set_input_files(
        "#upload-file", {"name": "a.csv", "mimeType": "text/csv", "buffer": zipped}
    )
    with page.expect_request("**/write/**") as sent:
        save(page)
    assert sent.value.headers["content-encoding"] == "gzip"


def test_the_radios_of_a_conflict_are_not_shrunk(page: Page) -> None:
    answer(page, 412, {"title": "Changed meanwhile", "detail": "it is at version 2"})
    item = {"name": "x" * 400, "description": None, "price": 1, "currency": "EUR", "version": 2}
    page.route(re.compile(r"(?<!write)/items/lamp$"), lambda route: route.fulfill(json=item))
    page.get_by_role("button", name="Edit").click()
    page.locator("#edit-name").fill("y" * 400)
    save(page)
    radio = page.locator("#edit fieldset input").first
    expect(radio).to_be_visible()
    width = radio.evaluate("each => each.getBoundingClientRect().width")
    assert width >= 12


def test_an_id_that_is_taken_and_fields_that_are_empty_are_marked(page: Page) -> None:
    answer(page, 412, {"title": "Precondition failed", "detail": "the item exists"})
    go(page, "/ui/")
    page.get_by_role("button", name="New item").click()
    save(page)
    expect(page.locator("#create-name-wrong")).to_be_visible()
    expect(page.locator("#create-price-wrong")).to_be_visible()
    page.locator("#create-name").fill("Lamp")
    page.locator("#create-price").fill("12,99")
    page.locator("#create-id").fill("lamp")
    save(page)
    taken = page.locator("#create-id-wrong")
    expect(taken).to_contain_text("taken")
    expect(taken.get_by_role("link")).to_have_attribute("href", "/ui/items/lamp")


@pytest.mark.parametrize("leaves", ["Escape", "Cancel"])
def test_what_is_typed_is_only_thrown_away_by_who_was_asked(page: Page, leaves: str) -> None:
    def leave() -> None:
        if leaves == "Escape":
            page.keyboard.press("Escape")
        else:
            page.locator("#edit").get_by_role("button", name="Cancel").click()

    opener = page.get_by_role("button", name="Edit")
    name, question = page.locator("#edit-name"), page.get_by_role("alertdialog")
    opener.click()
    leave()
    # Nothing was typed, and so nothing is asked.
    expect(page.locator("dialog[open]")).to_have_count(0)
    opener.click()
    name.fill("Desk lamp")
    leave()
    expect(question).to_contain_text("lost")
    expect(question.get_by_role("button", name="Keep editing")).to_be_focused()
    for _ in range(2):
        # However often somebody presses it, nothing gets lost.
        page.keyboard.press("Escape")
        expect(question).to_have_count(0)
        page.keyboard.press("Escape")
        expect(question).to_be_visible()
    expect(name).to_have_value("Desk lamp")
    question.get_by_role("button", name="Keep editing").click()
    expect(question).to_have_count(0)
    expect(page.locator("#edit :focus")).to_have_count(1)
    leave()
    question.get_by_role("button", name="Throw it away").click()
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(opener).to_be_focused()
    opener.click()
    expect(name).to_have_value("Lamp")


def test_without_scripts_pages_are_read_and_offer_nothing_that_needs_them(
    browser: Browser, page: Page
) -> None:
    url = page.url.partition("/ui/")[0]
    with window(browser, url, java_script_enabled=False) as plain:
        for path, offered in (
            ("/ui/?q=lamp", ["Search"]),
            ("/ui/items/lamp", ["Show"]),
            ("/ui/items/lamp/diff", ["Compare"]),
            ("/ui/feed", []),
            ("/ui/imports", []),
            (f"/ui/imports/{ID}", ["Show"]),
            ("/ui/operations", []),
        ):
            plain.go(path)
            # Playwright finds no text in there.
            expect(plain.page.locator("main > noscript p")).to_be_visible()
            # As whoever does not see the page is told, too: nothing of what is hidden.
            assert plain.page.get_by_role("button").all_text_contents() == offered, path
            expect(plain.page.get_by_text("Not connected")).not_to_be_visible()


def test_scripts_read_amounts_as_the_service_does(page: Page) -> None:
    script = page.locator("script[src$='/page.js']").get_attribute("src") or ""
    found = page.evaluate(
        """async ([path, cases]) => {
          const { advice, amountOf, understood } = await import(path);
          return cases.map(([currency, text]) =>
            [amountOf(text, currency) ?? advice(text, currency), understood(text, currency)]);
        }""",
        [script.replace("page.js", "money.js"), [each[:2] for each in CASES]],
    )
    assert found == [[outcome, understood(currency, text)] for currency, text, outcome in CASES]


def test_a_price_is_pasted_as_the_page_shows_it_and_how_it_was_read_is_told(page: Page) -> None:
    came = answer(page, 202, ACCEPTED)
    page.get_by_role("button", name="Schedule a price").click()
    form = page.locator("#schedule form")
    price = page.locator("#schedule-price")
    price.fill("12,999")
    page.locator("#schedule-from").fill("2099-01-01T00:00")
    save(page)
    expect(page.locator("#schedule-price-wrong")).to_contain_text("12,999.00")
    assert came == []
    for text, read, amount in (("1,299.5", "1,299.50 EUR", 129950), ("7,5", "7.50 EUR", 750)):
        price.fill(text)
        expect(form.locator("[data-understood]")).to_have_text(f"Read as {read}")
        with page.expect_response("**/commands/c-1"):
            save(page)
        assert came[-1].post_data_json["price"] == amount
        page.evaluate(LATER)
        expect(form).to_contain_text("not applied yet")


def test_the_way_back_from_an_item_leads_to_where_the_list_stood(
    page: Page, ledger: Ledger
) -> None:
    ledger.add(*(created(f"chair-{n:03}", f"Chair {n:03}") for n in range(170)))
    go(page, "/ui/?sort=name&q=chair")
    rows = page.locator("#rows tr[id^=row-]")
    for count in (100, 150):
        page.locator("#more").scroll_into_view_if_needed()
        expect(rows).to_have_count(count)
    link = page.get_by_role("link", name="Chair 120")
    link.scroll_into_view_if_needed()
    stood = page.evaluate("scrollY")
    assert stood > 0
    link.click()
    expect(page.locator("h1")).to_have_text("Chair 120")
    page.go_back()
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()
    expect(rows).to_have_count(150)
    assert page.evaluate("scrollY") == stood
    # It goes on from there, and each stands there once.
    page.locator("#more").scroll_into_view_if_needed()
    expect(rows).to_have_count(170)
    names = page.locator(".title-link").all_text_contents()
    assert names == [f"Chair {n:03}" for n in range(170)]


def test_what_the_service_names_as_programs_do_is_said_in_words_beside_its_field(
    page: Page,
) -> None:
    detail = "effective_from does not lie after the moment the command was received"
    answer(page, 422, {"code": "effective-from-in-past", "title": "x", "detail": detail})
    page.get_by_role("button", name="Schedule a price").click()
    page.locator("#schedule-price").fill("7.50")
    page.locator("#schedule-from").fill("2019-01-01T00:00")
    save(page)
    expect(page.locator("#schedule-from-wrong")).to_contain_text("still to come")
    expect(page.locator("#schedule-from")).to_be_focused()
    expect(page.locator("#schedule form")).not_to_contain_text("effective")


def test_who_waits_for_an_answer_is_told_so(page: Page) -> None:
    page.route("**/write/**", lambda _: None)
    page.get_by_role("button", name="Edit").click()
    page.locator("#edit-price").fill("12,99")
    save(page)
    expect(page.locator("#edit [data-problem]")).to_contain_text("longer than usual")


def test_an_order_says_while_it_is_tried_again(page: Page, ledger: Ledger) -> None:
    page.route("**/write/**", lambda route: route.abort())
    go(page, f"/ui/imports/{ID}")
    page.get_by_role("button", name="Revert").click()
    save(page)
    line = page.locator("#revert-import [data-problem]")
    expect(line).to_have_text("The service does not answer; it is tried again …")

    set_aside(ledger, ("bad", "dead"))
    go(page, "/ui/operations")
    said: list[int] = []

    def fail_twice(route: Route) -> None:
        said.append(page.locator(".toast").count())
        if len(said) < 3:
            route.abort()
        else:
            route.fulfill(status=202, json={})

    page.unroute("**/write/**")
    page.route("**/write/**", fail_twice)
    page.get_by_role("button", name="Replay bad").click()
    toasts = page.locator(".toast")
    expect(toasts.first).to_have_text("The service does not answer; it is tried again …")
    expect(toasts.last).to_have_text("It will be tried again at once")
    assert said == [0, 1, 1]


def test_what_is_created_while_nobody_shows_pages_is_said_to_be_so(page: Page) -> None:
    answer(page, 201, {"id": "lamp"})
    page.route(LAMP, lambda route: route.abort())
    go(page, "/ui/")
    page.get_by_role("button", name="New item").click()
    page.locator("#create-name").fill("Lamp")
    page.locator("#create-price").fill("7")
    save(page)
    line = page.locator("#create [data-problem]")
    expect(line).to_contain_text("It is created, but")
    expect(line.get_by_role("link")).to_have_attribute("href", "/ui/items/lamp")
    page.unroute(LAMP)
    save(page)
    page.wait_for_url("**/ui/items/lamp")
    # By keyboard somebody goes on from there.
    expect(page.locator("h1")).to_be_focused()


def test_the_axis_has_room_for_millions(page: Page, ledger: Ledger) -> None:
    ledger.add(ItemRepriced("lamp", AT + 1, AT + 1, 1_240_000_00, "EUR"))
    page.reload()
    axis = page.locator(".u-axis").last
    expect(axis).to_be_visible()
    assert axis.evaluate("each => each.getBoundingClientRect().width") > 70
