"""The shop's own raw file, with its own columns and its dirt, by the console's import."""

import csv
import gzip
import itertools
import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.journey import RETAIL, Deployment, reasons

SHOP = RETAIL.with_name("online-retail-2010-12.csv.gz")
# `make journey` takes all of them; the first bad id is among these, and so are 42 bad names.
LINES = int(os.environ.get("SHOP_LINES", "10000"))
MAP = "id:StockCode,name:Description,price:UnitPrice*100,effective_at:InvoiceDate"


def beginning(folder: Path) -> Path:
    """Write the first lines of the shop's file to one of the same name."""
    file = folder / SHOP.name
    with gzip.open(SHOP) as lines:
        file.write_bytes(gzip.compress(b"".join(itertools.islice(lines, LINES)), 1))
    return file


def plain_account(file: Path) -> tuple[dict[int, str], dict[str, int]]:
    """Read a file with a plain loop: the bad lines with the member that is wrong, and the last
    price of every item.
    """
    bad: dict[int, str] = {}
    prices: dict[str, int] = {}
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        for row in reader:
            price = Decimal(row["UnitPrice"]) * 100
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}", row["StockCode"]):
                bad[reader.line_num] = "id"
            elif not row["Description"].strip():
                bad[reader.line_num] = "name"
            elif price < 0 or price != int(price):
                bad[reader.line_num] = "price"
            else:
                prices[row["StockCode"]] = int(price)
    return bad, prices


@pytest.mark.timeout(280)
def test_the_raw_shop_file_names_its_bad_lines_dry_and_for_real(
    tmp_path: Path, sqlite_url: str
) -> None:
    if not SHOP.exists():
        pytest.skip("the real input is not here: shared/data beside the repository")
    shop = beginning(tmp_path)
    bad, prices = plain_account(shop)
    assert {"id", "name"} <= set(bad.values())
    deployment = Deployment(tmp_path, sqlite_url)

    def told() -> dict[int, str]:
        found = reasons(tmp_path, SHOP)
        return {int(each["row"]): each["reason"].partition(":")[0] for each in found}

    with deployment.up():
        assert deployment.import_file(shop, "--map", MAP, "--dry-run").wait(130) == 1
        dry = told()
        assert deployment.head() > 0
        assert list(deployment.items()) == []
        assert deployment.import_file(shop, "--map", MAP).wait(130) == 1
        assert dry == told() == bad
        found = {each["id"]: each["price"] for each in deployment.items()}
        assert found == prices
