"""What tests of forms do: answer as the command API might, go to another page, press the button."""

from typing import Any

from playwright.sync_api import Page, Route


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
