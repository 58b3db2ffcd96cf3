"""The whole service, and a browser that looks at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.browser import Window, running_browser, window
from tests.browser.door import guarded_pages
from tests.journey import Deployment


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as started:
        yield started


@pytest.fixture(scope="module")
def deployment(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A service that all tests of a module share; each has items of its own."""
    folder: Path = tmp_path_factory.mktemp("browser")
    made = Deployment(folder, f"sqlite:///{folder / 'data' / 'itemledger.db'}")
    with made.up():
        yield made


@pytest.fixture(scope="module")
def door(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of pages that want a token."""
    with guarded_pages(tmp_path_factory.mktemp("door")) as url:
        yield url


@pytest.fixture
def mine(browser: Browser, deployment: Deployment) -> Iterator[Window]:
    """A window on the service that has nothing to complain of in the end."""
    with window(browser, deployment.query_url) as opened:
        yield opened
        assert opened.complaints == []
