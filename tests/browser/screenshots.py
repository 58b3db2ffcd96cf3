"""Pictures of every page for the documentation: `python -m tests.browser.screenshots`."""

import argparse
import io
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.browser import path_of_browser, running_browser, window
from tests.browser.stock import patch, put, write
from tests.journey import Deployment

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
WIDTHS = {1280: 900, 390: 844}
SCHEMES = ("light", "dark")
_SEED = 4
_QUALITY = 80
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
        kind = {"Content-Type": "text/csv", "Prefer": "wait=20"}
        imported = client.post("/imports", content=_CSV, headers=kind)
        return imported.raise_for_status().json()["import_id"]


def pages(imported: str) -> dict[str, tuple[str, Callable[[Page], None]]]:
    """Name the pages: their paths, and what to do before the picture."""

    def edit(page: Page) -> None:
        page.get_by_role("button", name="Edit").click()

    def drawn(page: Page) -> None:
        expect(page.locator(".uplot").first).to_be_visible()

    def nothing(_: Page) -> None:
        return

    return {
        "catalogue": ("/ui/", nothing),
        "item": ("/ui/items/SKU-1000", drawn),
        "edit": ("/ui/items/SKU-1000", edit),
        "diff": ("/ui/items/SKU-1000/diff", nothing),
        "feed": ("/ui/feed", nothing),
        "imports": ("/ui/imports", nothing),
        "import": (f"/ui/imports/{imported}", nothing),
        "operations": ("/ui/operations", drawn),
    }


def take(deployment: Deployment, folder: Path) -> None:
    imported = fill(deployment)
    folder.mkdir(parents=True, exist_ok=True)
    with running_browser() as browser:
        for scheme in SCHEMES:
            for width, height in WIDTHS.items():
                how: dict[str, Any] = {
                    "viewport": {"width": width, "height": height},
                    "color_scheme": scheme,
                }
                with window(browser, deployment.query_url, **how) as opened:
                    for name, (path, before) in pages(imported).items():
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
        with deployment.up():
            take(deployment, folder)


if __name__ == "__main__":
    main()
