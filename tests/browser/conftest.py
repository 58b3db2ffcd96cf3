"""The whole service, and a browser that looks at it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ledger.engines import writing_engine
from ledger.imports import Counts
from tests.browser.acting import STREAM
from tests.browser.browser import Kept, Window, running_browser, window
from tests.browser.door import OpenPages, guarded_pages
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


@pytest.fixture(scope="module")
def window_of_all(browser: Browser) -> Iterator[Kept]:
    """The window on the service that all tests of a module use."""
    with closing(Kept(browser)) as kept:
        yield kept


@pytest.fixture
def mine(window_of_all: Kept, deployment: Deployment) -> Iterator[Window]:
    """A window on the service that has nothing to complain of in the end."""
    with window_of_all.lent(deployment.query_url) as opened:
        yield opened
    assert opened.complaints == []


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenPages]:
    """Pages at one address, of whichever database a test has: a browser has their scripts then."""
    pages = OpenPages(tmp_path_factory.mktemp("pages"))
    with pages.served():
        yield pages


@pytest.fixture(scope="module")
def page_of_all(browser: Browser, pages: OpenPages) -> Iterator[Kept]:
    """The page that all tests of a module use for those."""
    with closing(Kept(browser, STREAM)) as kept:
        yield kept


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Ledger]:
    engine = writing_engine(sqlite_url)
    yield Ledger(engine)
    engine.dispose()


@pytest.fixture
def site(pages: OpenPages, sqlite_url: str, ledger: Ledger) -> Iterator[str]:
    """The address of pages that have a lamp and an import; commands go nowhere."""
    ledger.add(created("lamp", "Lamp", price=1_250_000_00))
    begun(ledger, Counts(applied=1200), rows=1200)
    with pages.of(sqlite_url) as url:
        yield url


@pytest.fixture
def page(page_of_all: Kept, site: str) -> Iterator[Page]:
    """The page of the lamp, which follows a stream of the test's own."""
    with page_of_all.lent(site) as opened:
        opened.go("/ui/items/lamp")
        yield opened.page


@pytest.fixture
def own_page(browser: Browser, site: str) -> Iterator[Page]:
    """The same in a browser context of its own, for who does to it what can not be undone."""
    with window(browser, site, STREAM) as opened:
        opened.go("/ui/items/lamp")
        yield opened.page


@pytest.fixture
def timed(own_page: Page) -> Page:
    """The page of the lamp, and only the test lets time pass on it."""
    own_page.clock.install()
    own_page.reload()
    own_page.clock.pause_at(own_page.evaluate("Date.now() + 1000"))
    return own_page
