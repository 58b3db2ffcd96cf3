"""The browser of this machine, and what a page complains of while it is looked at."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Milliseconds.
PATIENCE = 30_000
_SIZE: ViewportSize = {"width": 1280, "height": 720}
_FORGETS = "addEventListener('pagehide', () => { sessionStorage.clear(); localStorage.clear(); })"


def path_of_browser() -> str | None:
    """Find a Chromium of the system."""
    return next((found for each in _NAMES if (found := shutil.which(each))), None)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run the browser; skip where there is none."""
    path = path_of_browser()
    if path is None:
        pytest.skip(f"no browser is here: install one of {', '.join(_NAMES)}")
    # Chromium refuses to sandbox what root runs.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@dataclass(slots=True)
class Window:
    """A page, and what went wrong in it: errors of scripts, violations of the policy, dialogs that
    only somebody's script can have opened.
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)


@contextmanager
def window(browser: Browser, url: str, script: str = "", **how: Any) -> Iterator[Window]:
    """Open one that is closed afterwards; each of its pages begins with a `script`."""
    with closing(_context(browser, script, **how)) as context:
        opened = Window(context.new_page(), url)
        with _heard(opened):
            yield opened


class Kept:
    """A page that one test has after the other. To make a page and a context for it costs the
    browser more than most tests ask of it; and scripts that it has loaded once are there.
    """

    def __init__(self, browser: Browser, script: str = "") -> None:
        self._browser = browser
        self._script = script
        self._begin()

    @contextmanager
    def lent(self, url: str) -> Iterator[Window]:
        """Lend it for pages at this address; nothing that a test did to it stays, but scripts and
        listeners that it has added: who wants such has a `window`.
        """
        opened = Window(self._page, url)
        with _heard(opened):
            try:
                yield opened
            finally:
                self._clean()

    def _begin(self) -> None:
        self._context = _context(self._browser, self._script)
        self._page = self._context.new_page()

    def _clean(self) -> None:
        page = self._page
        try:
            page.unroute_all(behavior="ignoreErrors")
            # After what the page itself keeps as it is left.
            page.evaluate(_FORGETS)
            page.goto("about:blank")
            page.set_viewport_size(_SIZE)
            page.mouse.move(0, 0)
            self._context.clear_cookies()
        except Error:
            # It is just going elsewhere, or has crashed.
            self._context.close()
            self._begin()

    def close(self) -> None:
        self._context.close()


def _context(browser: Browser, script: str, **how: Any) -> BrowserContext:
    context = browser.new_context(**{"viewport": _SIZE, **how})
    context.set_default_timeout(PATIENCE)
    if script:
        context.add_init_script(script)
    return context


@contextmanager
def _heard(opened: Window) -> Iterator[None]:
    """Hear what a page complains of."""
    page, complaints = opened.page, opened.complaints

    def hear(message: Any) -> None:
        # That a command was refused is told by the browser as an error, too; so is a CSP report.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def end(dialog: Any) -> None:
        if dialog.type == "beforeunload":
            # Of the browser, which asks whether a form that is filled in may be left.
            dialog.accept()
            return
        complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def fail(error: Error) -> None:
        complaints.append(str(error))

    heard = (("console", hear), ("dialog", end), ("pageerror", fail))
    for event, listener in heard:
        page.on(event, listener)
    try:
        yield
    finally:
        for event, listener in heard:
            page.remove_listener(event, listener)
