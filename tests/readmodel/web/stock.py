"""Items to show on pages."""

from domain.events import ItemCreated

AT = 1_763_798_400_000


def created(
    item_id: str,
    name: str | None = None,
    price: int = 1299,
    currency: str = "EUR",
    description: str | None = None,
    at: int = AT,
) -> ItemCreated:
    return ItemCreated(item_id, at, at, name or item_id, description, price, currency)
