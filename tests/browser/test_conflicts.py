"""What happens to a form and its page while others change the item, and while nobody answers."""

import re
import time
from typing import Any

from playwright.sync_api import Dialog, Page, expect

from domain.events import ItemDeleted, ItemRepriced
from tests.browser.acting import answer, go, save
from tests.browser.browser import PATIENCE
from tests.readmodel.conftest import Ledger
from tests.readmodel.web.stock import AT, created

# As programs read it; pages are below /ui.
ITEM = re.compile(r"\d/items/lamp$")
CHANGED = {"title": "Changed meanwhile", "detail": "it is at another version"}


def meanwhile(page: Page, version: int, **changes: Any) -> None:
    """Let the item be at this version, with these values."""
    item = {"name": "Lamp", "description": None, "price": 1_250_000_00, "currency": "EUR"}
    page.unroute(ITEM)
    page.route(ITEM, lambda route: route.fulfill(json={**item, **changes, "version": version}))


def sent(page: Page) -> Any:
    """Save, and return what is sent."""
    with page.expect_request("**/write/**") as request:
        save(page)
    return request.value.post_data_json


def edit(page: Page, **texts: str) -> None:
    page.get_by_role("button", name="Edit").click()
    for name, text in texts.items():
        page.locator(f"#edit-{name}").fill(text)


def until(page: Page, condition: str) -> None:
    """Wait in the page: what waits for a condition from outside needs an `eval`, and the policy
    allows none.
    """
    page.evaluate(
        f"new Promise((done, fail) => {{ const end = Date.now() + {PATIENCE};"
        f" const look = () => ({condition}) ? done() : Date.now() > end ? fail(Error('never so')) :"
        " setTimeout(look, 20); look(); })"
    )


def test_what_was_chosen_stays_chosen_when_others_change_something_else(page: Page) -> None:
    answer(page, 412, CHANGED)
    edit(page, name="Mine", price="20")
    meanwhile(page, 2, name="Theirs", price=3000)
    save(page)
    page.get_by_label("Now: Theirs").check()
    meanwhile(page, 3, name="Theirs", price=3000, description="By a third one")
    save(page)
    expect(page.locator("#edit [data-problem]")).to_contain_text("version 3")
    expect(page.get_by_label("Now: Theirs")).to_be_checked()
    expect(page.get_by_label("Yours: 20.00 EUR")).to_be_checked()
    expect(page.locator("#edit-description")).to_have_value("By a third one")
    # An amount and its currency are one answer.
    meanwhile(page, 4, name="Another", price=3000, currency="USD", description="By a third one")
    assert sent(page) == {"price": 2000}
    expect(page.get_by_label("Now: Another")).to_be_checked()
    expect(page.get_by_label("Now: 30.00 USD")).not_to_be_checked()
    assert sent(page) == {"price": 2000, "currency": "EUR"}


def test_a_field_shows_what_is_chosen_and_typing_into_it_is_choosing_ones_own(page: Page) -> None:
    answer(page, 412, CHANGED)
    edit(page, name="Mine")
    meanwhile(page, 2, name="Theirs")
    save(page)
    name, theirs = page.locator("#edit-name"), page.get_by_label("Now: Theirs")
    theirs.check()
    expect(name).to_have_value("Theirs")
    name.fill("Typed afterwards")
    mine = page.get_by_label("Yours: Typed afterwards")
    expect(mine).to_be_checked()
    theirs.check()
    mine.check()
    expect(name).to_have_value("Typed afterwards")
    assert sent(page) == {"name": "Typed afterwards"}


def test_what_others_have_changed_says_who_did_and_what_it_was(page: Page) -> None:
    answer(page, 412, CHANGED)
    events = [
        {"version": 3, "actor": "anna", "changes": {"price": {"from": 1, "to": 2}}},
        {"version": 2, "actor": "otto", "changes": {"name": {"from": "a", "to": "b"}}},
        {"version": 1, "actor": "rosa", "changes": {"description": {"from": None, "to": "c"}}},
    ]
    page.route("**/items/lamp/history?*", lambda route: route.fulfill(json={"events": events}))
    edit(page, name="Mine")
    meanwhile(page, 3, name="Theirs", price=3000)
    save(page)
    question = page.locator("#edit fieldset")
    expect(question).to_contain_text("Now: Theirs, by otto")
    expect(question).to_contain_text("You began with: Lamp")
    taken = page.locator("#edit [data-taken]")
    expect(taken).to_have_text(["Changed meanwhile by anna, was 1250000.00 EUR"])
    expect(page.locator("#edit-price")).to_have_value("30.00")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Throw it away").click()
    expect(taken).to_have_count(0)


def test_a_plot_says_since_when_it_collects_until_there_is_something_to_see(page: Page) -> None:
    go(page, "/ui/operations")
    plot = page.locator("#lag")
    expect(plot).to_have_text(re.compile(r"Collecting since \d\d:\d\d UTC"))
    expect(plot.locator("canvas")).to_have_count(1)
    expect(plot).not_to_contain_text("Collecting")


def test_that_nobody_answers_is_said_while_it_is_tried_again(page: Page) -> None:
    page.route("**/write/**", lambda route: route.abort())
    edit(page, name="Mine")
    save(page)
    line = page.locator("#edit [data-problem]")
    expect(line).to_contain_text("does not answer; it is tried again")
    page.unroute("**/write/**")
    # Also where it is the look at the item of now that fails.
    answer(page, 412, CHANGED)
    page.route(ITEM, lambda route: route.abort())
    expect(line).to_contain_text("does not answer. Press the button again")
    meanwhile(page, 2, name="Theirs")
    save(page)
    expect(page.get_by_label("Now: Theirs")).to_be_visible()


def test_only_who_leaves_a_page_with_a_form_filled_in_is_asked(page: Page) -> None:
    goes = "dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    assert page.evaluate(goes)
    edit(page)
    assert page.evaluate(goes)
    page.locator("#edit-name").fill("Mine")
    assert not page.evaluate(goes)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Throw it away").click()
    until(page, goes)
    # What was sent is not lost.
    asked: list[str] = []
    go(page, "/ui/")

    def note(dialog: Dialog) -> None:
        asked.append(dialog.type)

    page.on("dialog", note)
    answer(page, 201, {"id": "lamp"})
    page.get_by_role("button", name="New item").click()
    page.locator("#create-name").fill("Lamp")
    page.locator("#create-price").fill("7")
    save(page)
    page.wait_for_url("**/ui/items/lamp")
    page.remove_listener("dialog", note)
    assert asked == []


def test_figures_that_are_old_are_called_so_once_until_there_are_new_ones(page: Page) -> None:
    go(page, "/ui/operations")
    notice, fresh = page.locator("[data-outdated]"), page.get_by_text("Updated every two seconds")
    expect(fresh).to_be_visible()
    page.route("**/ui/operations", lambda route: route.abort())
    expect(notice).to_contain_text(re.compile(r"does not answer.*from \d\d:\d\d:\d\d UTC"))
    expect(fresh).to_be_hidden()
    expect(page.locator("#toasts")).to_be_empty()
    page.unroute("**/ui/operations")
    expect(fresh).to_be_visible()
    expect(notice).to_be_hidden()


def test_the_axis_of_a_new_items_prices_says_no_moment_twice(
    own_page: Page, ledger: Ledger
) -> None:
    page = own_page
    now = int(time.time() * 1000)
    ledger.add(created("new", at=now - 1000), ItemRepriced("new", now, now, 1, "EUR"))
    page.add_init_script(
        "window.said = [];"
        "const { fillText } = CanvasRenderingContext2D.prototype;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {"
        " said.push(text); return fillText.call(this, text, ...rest); }"
    )
    go(page, "/ui/items/new")
    until(page, r"new Set(said.filter((each) => /^\d\d:\d\d:\d\d$/.test(each))).size > 3")


def test_the_highest_price_and_the_longest_id_are_shown_whole(page: Page, ledger: Ledger) -> None:
    longest = "a-" * 32
    ledger.add(created(longest, "Something dear, " * 12, price=2**53 - 1, at=AT - 1_000_000))
    ledger.add(ItemRepriced(longest, AT, AT, 2**53 - 2, "EUR"), ItemDeleted("lamp", AT, AT))
    go(page, f"/ui/items/{longest}")
    expect(page.locator(".u-legend")).to_contain_text("90,071,992,547,409.90")
    go(page, "/ui/")
    # Beside each other there is room for both.
    name = page.locator("td", has_text="Something dear").bounding_box()
    assert name is not None
    assert name["width"] > 300


def test_on_a_phone_names_and_prices_have_the_whole_line_and_ids_of_imports_one(
    page: Page,
) -> None:
    page.set_viewport_size({"width": 390, "height": 800})

    def size_of(selector: str, side: str) -> float:
        box = page.locator(selector).first.bounding_box()
        assert box is not None
        return box[side]

    for path in ("/ui/", "/ui/feed"):
        go(page, path)
        assert size_of("table.cards td", "width") > 300
        below = size_of("table.cards td + td", "y")
        assert below >= size_of("table.cards td", "y") + size_of("table.cards td", "height")
    go(page, "/ui/imports")
    assert size_of("#imports td code", "height") < 30


def test_who_used_a_button_that_is_gone_goes_on_from_what_the_page_is_about(
    page: Page, ledger: Ledger
) -> None:
    answer(page, 200, {"id": "lamp"})
    page.get_by_role("button", name="Delete").click()
    ledger.add(ItemDeleted("lamp", AT, AT))
    save(page)
    heading = page.locator("h1")
    expect(heading).to_contain_text("deleted")
    expect(heading).to_be_focused()
