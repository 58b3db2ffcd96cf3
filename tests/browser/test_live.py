"""How a page keeps up with the ledger: whatever happens while it is loaded is on it in the end."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from domain.events import ItemRepriced
from tests.browser.acting import go
from tests.readmodel.conftest import Ledger
from tests.readmodel.web.stock import AT

LAMP = re.compile(r"/ui/items/lamp$")
# In place of the browser's: what comes by it is what a test lets come.
STREAM = """
window.streams = [];
window.EventSource = class extends EventTarget {
  static OPEN = 1;
  static CLOSED = 2;
  constructor(url) { super(); this.url = url; this.readyState = 1; streams.push(this); }
  close() { this.readyState = 2; }
};
"""
TELL = (
    "void streams.at(-1).dispatchEvent(new MessageEvent('message',"
    " {data: JSON.stringify({item_id: 'lamp', version: 2})}))"
)


@pytest.fixture
def followed(page: Page) -> Page:
    """The page of the lamp, which follows a stream of the test's own."""
    page.add_init_script(STREAM)
    page.reload()
    return page


def test_what_comes_while_the_page_is_loaded_again_is_loaded_afterwards(
    followed: Page, ledger: Ledger
) -> None:
    def load(route: Route) -> None:
        old = route.fetch()
        ledger.add(ItemRepriced("lamp", AT, AT, 999, "EUR"))
        followed.evaluate(TELL)
        route.fulfill(response=old)

    followed.route(LAMP, load, times=1)
    followed.evaluate(TELL)
    expect(followed.locator(".big")).to_have_text("9.99 EUR")


def test_a_form_that_is_opened_while_its_page_is_loaded_is_of_what_comes(
    followed: Page, ledger: Ledger
) -> None:
    def load(route: Route) -> None:
        ledger.add(ItemRepriced("lamp", AT, AT, 999, "EUR"))
        followed.evaluate("document.querySelector('[data-opens=edit]').click()")
        route.fulfill(response=route.fetch())

    followed.route(LAMP, load, times=1)
    followed.evaluate(TELL)
    expect(followed.locator("#edit")).to_be_visible()
    expect(followed.locator("#edit-price")).to_have_value("9.99")
    expect(followed.locator("#edit form")).to_have_attribute("data-version", "2")


def test_a_form_that_is_open_when_its_page_comes_stays_as_it_is(
    followed: Page, ledger: Ledger
) -> None:
    swaps = "document.addEventListener('htmx:after:swap', () => { window.swapped = true; })"

    def load(route: Route) -> None:
        ledger.add(ItemRepriced("lamp", AT, AT, 999, "EUR"))
        new = route.fetch()
        followed.evaluate(f"document.querySelector('#edit').showModal(); {swaps}")
        route.fulfill(response=new)

    followed.route(LAMP, load, times=1)
    followed.evaluate(TELL)
    with followed.expect_response(LAMP) as came:
        pass
    came.value.finished()
    edit = followed.locator("#edit")
    expect(edit).to_be_visible()
    followed.locator("#edit-name").fill("Mine")
    assert followed.evaluate("window.swapped") is None
    followed.locator("#edit-name").fill("Lamp")
    followed.keyboard.press("Escape")
    expect(edit).to_be_hidden()
    expect(followed.locator(".big")).to_have_text("9.99 EUR")


def test_a_page_that_can_not_be_loaded_says_so_once_and_is_loaded_later(
    followed: Page, ledger: Ledger
) -> None:
    followed.evaluate(
        "window.toasts = 0; void new MutationObserver((all) => all.forEach("
        " ({addedNodes}) => { toasts += addedNodes.length; }))"
        ".observe(document.querySelector('#toasts'), {childList: true})"
    )
    tries: list[Route] = []

    def load(route: Route) -> None:
        tries.append(route)
        match len(tries):
            case 1:
                route.abort()
            case 2:
                route.fulfill(status=503, body="")
            case _:
                route.continue_()

    ledger.add(ItemRepriced("lamp", AT, AT, 999, "EUR"))
    followed.route(LAMP, load)
    followed.evaluate(TELL)
    expect(followed.locator(".toast")).to_contain_text("does not answer; this page is")
    expect(followed.locator(".big")).to_have_text("9.99 EUR")
    assert followed.evaluate("toasts") == 1


def test_a_page_follows_from_what_it_shows(followed: Page) -> None:
    shown = followed.locator("[data-live]").get_attribute("data-cursor")
    assert shown != "head"
    assert followed.evaluate("new URL(streams[0].url, location).searchParams.get('after')") == shown


def test_following_that_is_refused_is_tried_again_from_what_the_page_shows_by_then(
    followed: Page, ledger: Ledger
) -> None:
    followed.clock.install()
    go(followed, "/ui/items/lamp")
    ledger.add(ItemRepriced("lamp", AT, AT, 999, "EUR"))
    followed.evaluate("streams[0].close(), void streams[0].dispatchEvent(new Event('error'))")
    expect(followed.locator(".live")).to_have_text("Connecting")
    followed.clock.run_for(5_000)
    expect(followed.locator(".big")).to_have_text("9.99 EUR")
    shown = followed.locator("[data-live]").get_attribute("data-cursor")
    assert followed.evaluate("new URL(streams[1].url, location).searchParams.get('after')") == shown
    followed.evaluate("void streams[1].dispatchEvent(new Event('open'))")
    expect(followed.locator(".live")).to_have_text("Live")
