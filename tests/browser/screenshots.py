"""Pictures of every page for the documentation: `python -m tests.browser.screenshots`."""

import argparse
import io
import itertools
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.browser import path_of_browser, running_browser, window
from tests.browser.door import guarded_pages
from tests.browser.stock import patch, put, write
from tests.journey import Deployment

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
WIDTHS = {1280: 900, 390: 844}
SCHEMES = ("light", "dark")
_SEED = 4
_QUALITY = 76
# The page of operations asks every two seconds, and draws what has changed since.
_TURNS, _TURN = 8, 2_000
_NAMES = (
    *("Walnut desk lamp", "Linen cushion, sand", "Stoneware mug 0.3 l", "Brass bookends"),
    *("Oak serving board", "Wool throw, charcoal", "Glass carafe 1 l", "Copper kettle"),
    *("Cotton tea towel", "Beeswax candle, tall", "Cast-iron pan 28 cm", "Rattan basket"),
    *("Terracotta planter 18 cm", "Canvas tote, natural", "Slate coaster", "Wicker chair"),
    *("Paper lantern 40 cm", "Bamboo tray", "Marble cheese board", "Enamel jug 2 l"),
    *("Wall clock",),
)
_TEXTS = ("Hand-finished; wipe clean with a damp cloth.", None, "Made in small batches.")
_WHY = ("summer sale", "supplier raised prices", "quarterly review", None)
# By the names of the pictures: paths, and what to do before each.
Pages = Mapping[str, tuple[str, Callable[[Page], None]]]
_CSV = "id,name,price\nmug-1,Enamel mug,1299\nmug-2,,900\nmug-3,Espresso cup,4.50\nmug-4,Jug,2100\n"


def stock(now: datetime) -> Iterator[dict[str, Any]]:
    """Make items with a year of prices."""
    chance = random.Random(_SEED)  # noqa: S311  the same pictures each time
    for number, name in enumerate(_NAMES):
        item_id, price = f"SKU-{1000 + number}", chance.randrange(300, 24_900)
        at = now - timedelta(days=380 - chance.random() * 20)
        yield put(item_id, name, price, description=chance.choice(_TEXTS), effective_at=_moment(at))
        for _ in range(chance.randrange(2, 9)):
            at += timedelta(days=chance.random() * 40 + 3)
            price = max(100, int(price * chance.choice((0.8, 0.9, 1.05, 1.1, 1.2))))
            when = _moment(at)
            yield patch(item_id, price=price, effective_at=when, reason=chance.choice(_WHY))


def fill(deployment: Deployment) -> str:
    """Write everything that is to be seen, and return the id of an import."""
    now = datetime.now(UTC)
    write(deployment, *stock(now))
    write(deployment, patch("SKU-1000", name="Walnut desk lamp, dimmable", reason="new model"))
    with httpx.Client(base_url=deployment.command_url, trust_env=False, timeout=30) as client:
        begins, ends = (_moment((now + timedelta(days=each)).date()) for each in (4, 8))
        sale = {"price": 7900, "effective_from": begins, "effective_until": ends}
        told = client.post(
            "/items/SKU-1000/scheduled-prices", json={**sale, "reason": "Cyber week"}
        )
        told.raise_for_status()
        name = 'attachment; filename="mugs.csv"'
        kind = {"Content-Type": "text/csv", "Content-Disposition": name, "Prefer": "wait=20"}
        imported = client.post("/imports", content=_CSV, headers=kind)
        return imported.raise_for_status().json()["import_id"]


def operations(deployment: Deployment) -> Pages:
    """Name the page that is to show a service at work."""

    def busy(page: Page) -> None:
        expect(page.locator(".uplot").first).to_be_visible()
        for turn in range(_TURNS):
            prices = (4990 + 10 * turn, 4990 + 10 * turn + 5)
            commands = [patch("mug-4", price=each) for each in prices * (1 + turn % 3)]
            write(deployment, *commands)
            page.wait_for_timeout(_TURN)

    return {"operations": ("/ui/operations", busy)}


def disputed(deployment: Deployment) -> Pages:
    """Name the page that asks which of two values should stay."""
    prices, legs = itertools.count(11_900, 100), itertools.cycle(("oak", "ash"))

    def conflict(page: Page) -> None:
        page.get_by_role("button", name="Edit").click()
        page.locator("#edit-name").fill("Wicker armchair")
        page.locator("#edit-price").fill("109.50")
        name = f"Wicker chair, {next(legs)} legs"
        write(deployment, patch("SKU-1015", name=name, price=next(prices)))
        expect(page.locator("#edit [data-meanwhile]")).to_be_visible()
        page.locator("#edit .actions button").last.click()
        expect(page.locator("#edit fieldset")).to_have_count(2)

    return {"conflict": ("/ui/items/SKU-1015", conflict)}


def pages(imported: str) -> Pages:
    """Name the pages: their paths, and what to do before the picture."""

    def edit(page: Page) -> None:
        page.get_by_role("button", name="Edit").click()

    def revert(page: Page) -> None:
        drawn(page)
        page.locator("#v2").get_by_role("button", name="Revert").click()
        page.locator("#revert-reason").fill("wrong price list")

    def drawn(page: Page) -> None:
        expect(page.locator(".uplot").first).to_be_visible()

    def nothing(_: Page) -> None:
        return

    return {
        "catalogue": ("/ui/", nothing),
        "item": ("/ui/items/SKU-1000", drawn),
        "edit": ("/ui/items/SKU-1000", edit),
        "revert": ("/ui/items/SKU-1000", revert),
        "diff": ("/ui/items/SKU-1000/diff?from=1&to=7", nothing),
        "feed": ("/ui/feed", nothing),
        "imports": ("/ui/imports", nothing),
        "import": (f"/ui/imports/{imported}", nothing),
    }


def refused(page: Page) -> None:
    page.get_by_label("Token").fill("no-token")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()


def take(url: str, folder: Path, pages: Pages) -> None:
    with running_browser() as browser:
        for scheme in SCHEMES:
            for width, height in WIDTHS.items():
                how: dict[str, Any] = {
                    "viewport": {"width": width, "height": height},
                    "color_scheme": scheme,
                }
                with window(browser, url, **how) as opened:
                    for name, (path, before) in pages.items():
                        opened.go(path)
                        before(opened.page)
                        file = folder / f"{name}-{width}-{scheme}.webp"
                        with Image.open(io.BytesIO(opened.page.screenshot())) as picture:
                            picture.save(file, quality=_QUALITY)


def _moment(at: date) -> str:
    """Write a moment, or the beginning of a day."""
    text = at.isoformat()[:19]
    return f"{text}Z" if "T" in text else f"{text}T00:00:00Z"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    folder: Path = parser.parse_args().folder
    if path_of_browser() is None:
        sys.exit("no browser is here: install Chromium")
    with tempfile.TemporaryDirectory() as scratch:
        database = f"sqlite:///{Path(scratch) / 'data' / 'itemledger.db'}"
        deployment = Deployment(Path(scratch), database)
        folder.mkdir(parents=True, exist_ok=True)
        with deployment.up():
            take(deployment.query_url, folder, pages(fill(deployment)))
            take(deployment.query_url, folder, disputed(deployment))
            take(deployment.query_url, folder, operations(deployment))
        with guarded_pages(Path(scratch)) as url:
            take(url, folder, {"sign-in": ("/ui/sign-in", refused)})


if __name__ == "__main__":
    main()
