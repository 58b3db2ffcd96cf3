"""What verification has to know of the views: their tables, and the row that an item makes."""

from collections.abc import Mapping
from typing import Any

from domain.item import Item
from ledger.verify.rows import View
from readmodel.views import items


def _row_of_items(item: Item, partition: int) -> Mapping[str, Any]:
    return items.row(item, partition, items.render(item))


VIEWS: Mapping[str, View] = {items.NAME: View(items.items, _row_of_items)}
