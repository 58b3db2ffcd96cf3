"""What a form says and keeps when the command API answers this or that: pages in a real browser, and
answers that each test gives itself.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from ledger.engines import writing_engine
from tests.browser.browser import window
from tests.browser.door import open_pages
from tests.readmodel.conftest import Ledger
from tests.readmodel.test_imports import ID, begun
from tests.readmodel.web.stock import created

LATER = "Date.now = ((now) => () => now() + 121_000)(Date.now)"


@pytest.fixture
def page(browser: Browser, sqlite_url: str, tmp_path: Path) -> Iterator[Page]:
    """A window on pages that have a lamp and an import; commands go nowhere."""
    engine = writing_engine(sqlite_url)
    ledger = Ledger(engine)
    ledger.add(created("lamp", "Lamp", price=1_250_000_00))
    begun(ledger, rows=1234)
    engine.dispose()
    with open_pages(tmp_path, sqlite_url) as url, window(browser, url) as opened:
        # Nothing happens here that could be followed.
        opened.page.route("**/changes/stream?*", lambda route: route.abort())
        opened.go("/ui/items/lamp")
        yield opened.page


def answer(page: Page, status: int, document: dict[str, Any]) -> list[Any]:
    """Answer commands with this; returns those that came."""
    came: list[Any] = []

    def give(route: Route) -> None:
        came.append(route.request)
        route.fulfill(status=status, json=document)

    page.route("**/write/**", give)
    return came


def go(page: Page, path: str) -> None:
    page.goto(page.url.partition("/ui/")[0] + path)


def save(page: Page) -> None:
    page.locator("dialog[open] .actions button").last.click()


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
