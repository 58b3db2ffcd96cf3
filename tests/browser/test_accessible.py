"""Every page for somebody who does not see it, or not well: axe-core finds nothing serious."""

from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.browser import window
from tests.browser.stock import patch, put, write
from tests.journey import Deployment

SEEN: tuple[dict[str, Any], ...] = (
    {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
)
# Where most differs on a phone, and in the dark.
FEW = ("/ui/", "/ui/items/plate", "/ui/imports", "/ui/operations")
PATHS = (
    "/ui/",
    "/ui/?q=nothing-has-this",
    "/ui/?min=x",
    "/ui/items/plate",
    "/ui/items/plate?version=1",
    "/ui/items/plate?as_of=2020-01-01T00:00",
    "/ui/items/plate/diff",
    "/ui/items/nobody",
    "/ui/feed",
    "/ui/imports",
    "/ui/operations",
    "/ui/sign-in",
)


@pytest.mark.parametrize("seen", SEEN, ids=["wide and light", "narrow and dark"])
def test_axe_finds_nothing_serious_on_any_page_and_none_is_too_wide(
    browser: Browser, deployment: Deployment, seen: dict[str, Any]
) -> None:
    write(deployment, put("plate", "Plate", description="Round. " * 60))
    write(deployment, patch("plate", price=999, description="Flat.", reason="sale " * 30))
    # Its history leads to where this came from.
    httpx.post(
        f"{deployment.command_url}/imports",
        content=b'{"op":"patch","id":"plate","price":%d}' % seen["viewport"]["width"],
        headers={"Content-Type": "application/x-ndjson", "Prefer": "wait=20"},
        trust_env=False,
    ).raise_for_status()
    with window(browser, deployment.query_url, **seen) as opened:
        for path in PATHS if seen is SEEN[0] else FEW:
            opened.go(path)
            _check(opened.page, path)
            assert (
                opened.page.evaluate("document.documentElement.scrollWidth")
                <= seen["viewport"]["width"]
            )
        # The zone of moments is in the head of a list, or where that is not shown beside each.
        opened.go("/ui/feed")
        zone = "getComputedStyle(document.querySelector('td time'), '::after').content"
        told = {
            opened.page.evaluate(zone),
            *opened.page.get_by_role("columnheader").all_inner_texts(),
        }
        assert told & {'" UTC"', "When (UTC)"}
        opened.go("/ui/items/plate")
        opened.page.get_by_role("button", name="Edit").click()
        _check(opened.page, "the form")
        opened.page.locator("#edit-name").fill("Dish")
        opened.page.keyboard.press("Escape")
        expect(opened.page.get_by_role("alertdialog")).to_be_visible()
        _check(opened.page, "the question before it is left")
        assert opened.complaints == []


def test_axe_finds_nothing_serious_where_people_sign_in_and_are_refused(
    browser: Browser, door: str
) -> None:
    with window(browser, door) as opened:
        page = opened.page
        opened.go("/ui/")
        expect(page.get_by_label("Token")).to_be_focused()
        _check_as_seen(page, "the form")
        page.get_by_label("Token").fill("no-token")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_label("Token")).to_be_focused()
        _check_as_seen(page, "the form with what is wrong")
        assert opened.complaints == []


def _check_as_seen(page: Page, where: str) -> None:
    """Check it in both widths and in both schemes."""
    for each in SEEN:
        page.set_viewport_size(each["viewport"])
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            _check(page, f"{where}, {each['viewport']['width']} {scheme}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= each["viewport"]["width"]


def _check(page: Any, where: str) -> None:
    found = Axe().run(page).response["violations"]
    serious = [
        (each["id"], [node["html"] for node in each["nodes"]])
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]
    assert serious == [], where
