"""The shop's own raw file, with its own columns and its dirt, by the console's import."""

import csv
import gzip
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.journey import RETAIL, Deployment

SHOP = RETAIL.with_name("online-retail-2010-12.csv.gz")
MAP = "id:StockCode,name:Description,price:UnitPrice*100,effective_at:InvoiceDate"


def plain_account() -> tuple[dict[int, str], dict[str, int]]:
    """Read the file with a plain loop: the bad lines with the member that is wrong, and the last
    price of every item.
    """
    bad: dict[int, str] = {}
    prices: dict[str, int] = {}
    with gzip.open(SHOP, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
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
    bad, prices = plain_account()
    assert len(bad) > 100
    deployment = Deployment(tmp_path, sqlite_url)

    def told() -> dict[int, str]:
        rejects = (tmp_path / f"{SHOP.name}.rejects.ndjson").read_text().splitlines()
        found = [json.loads(line) for line in rejects]
        return {each["row"]: each["reason"].partition(":")[0] for each in found}

    with deployment.up():
        assert deployment.import_file(SHOP, "--map", MAP, "--dry-run").wait(130) == 1
        dry = told()
        assert deployment.head() > 0
        assert list(deployment.items()) == []
        assert deployment.import_file(SHOP, "--map", MAP).wait(130) == 1
        assert dry == told() == bad
        found = {each["id"]: each["price"] for each in deployment.items()}
        assert found == prices
