"""An item as it stands after the events it has seen; before the first one it is `None`."""

from domain.schedules import Price, Schedule
from domain.value import value


@value
class Item:
    """State folded from events. Times are milliseconds since 1970, `price` is in minor units.

    `schedules` are the scheduled prices that are not over, in the order they were asked for.
    """

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
    schedules: tuple[Schedule, ...] = ()

    @property
    def priced(self) -> Price:
        return Price(self.price, self.currency)

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None
