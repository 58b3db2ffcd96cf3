"""What the page of the catalogue looks up beside its list: items by the beginning of their ids, and
the currencies in use.
"""

import orjson
import pytest
from sqlalchemy import Engine

from domain.events import ItemDeleted
from readmodel.views import by_id, in_use
from tests.readmodel.conftest import Ledger
from tests.readmodel.web.stock import AT, created


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("sku-1", ["sku-1", "sku-10", "sku-1~", "SKU-12"]),
        ("SKU-1", ["SKU-12", "sku-1", "sku-10", "sku-1~"]),
        ("Sku", ["SKU-12", "sku-1", "sku-10", "sku-1~", "sku-2"]),
        ("sku-2", ["sku-2"]),
        ("ku", []),
        ("s%", []),
    ],
)
def test_items_are_found_by_the_beginning_of_their_ids_however_it_is_typed(
    engine: Engine, ledger: Ledger, typed: str, found: list[str]
) -> None:
    ids = ("sku-1", "sku-10", "sku-1~", "SKU-12", "sku-2", "sku-3", "skv")
    ledger.add(*map(created, ids), ItemDeleted("sku-10", AT, AT))
    with engine.connect() as connection:
        bodies = by_id.beginning(connection, 1, typed, 5)
    assert [orjson.loads(each)["id"] for each in bodies] == found


def test_the_currencies_in_use_are_told_each_once_in_order(engine: Engine, ledger: Ledger) -> None:
    with engine.connect() as connection:
        assert in_use.currencies(connection, 1) == []
    for n, currency in enumerate(("USD", "EUR", "USD", "JPY")):
        ledger.add(created(f"item-{n}", currency=currency))
    with engine.connect() as connection:
        assert in_use.currencies(connection, 1) == ["EUR", "JPY", "USD"]
