"""The whole service, and a browser that looks at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ledger.engines import writing_engine
from ledger.imports import Counts
from tests.browser.browser import Window, running_browser, window
from tests.browser.door import guarded_pages, open_pages
from tests.journey import Deployment
from tests.readmodel.conftest import Ledger
from tests.readmodel.test_imports import begun
from tests.readmodel.web.stock import created


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


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Ledger]:
    engine = writing_engine(sqlite_url)
    yield Ledger(engine)
    engine.dispose()


@pytest.fixture
def page(browser: Browser, sqlite_url: str, ledger: Ledger, tmp_path: Path) -> Iterator[Page]:
    """A window on pages that have a lamp and an import; commands go nowhere."""
    ledger.add(created("lamp", "Lamp", price=1_250_000_00))
    begun(ledger, Counts(applied=1200), rows=1200)
    with open_pages(tmp_path, sqlite_url) as url, window(browser, url) as opened:
        # Nothing happens here that could be followed.
        opened.page.route("**/changes/stream?*", lambda route: route.abort())
        opened.go("/ui/items/lamp")
        yield opened.page
