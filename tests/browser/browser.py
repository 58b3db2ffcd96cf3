"""The browser of this machine, and what a page complains of while it is looked at."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Milliseconds.
PATIENCE = 30_000


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
    """A page of its own browser context, and what went wrong in it: errors of scripts, violations
    of the policy, dialogs that only somebody's script can have opened.
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)


@contextmanager
def window(browser: Browser, url: str, **how: Any) -> Iterator[Window]:
    context = browser.new_context(**how)
    context.set_default_timeout(PATIENCE)
    opened = Window(context.new_page(), url)
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

    page.on("console", hear)
    page.on("dialog", end)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
