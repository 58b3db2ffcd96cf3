"""An item as it stands after the events it has seen; before the first one it is `None`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """State folded from events. Times are milliseconds since 1970, `price` is in minor units."""

    id: str
    name: str
    description: str | None
    price: int
    currency: str
    version: int
    created_at: int
    updated_at: int
    deleted_at: int | None
    effective_at: int

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None
