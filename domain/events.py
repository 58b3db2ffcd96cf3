"""What has happened to an item, in the past tense; each event moves its version by one.

`recorded_at` is the ledger's clock, `effective_at` the moment the change took effect in the
world; both are milliseconds since 1970.
"""

from typing import Literal

from domain.value import value


@value
class ItemCreated:
    item_id: str
    recorded_at: int
    effective_at: int
    name: str
    description: str | None
    price: int
    currency: str


@value
class ItemRenamed:
    item_id: str
    recorded_at: int
    effective_at: int
    name: str


@value
class ItemDescribed:
    item_id: str
    recorded_at: int
    effective_at: int
    description: str | None


@value
class ItemRepriced:
    """`schedule_id` names the scheduled price that began or ended with it, if one did."""

    item_id: str
    recorded_at: int
    effective_at: int
    price: int
    currency: str
    schedule_id: str | None = None


@value
class ItemDeleted:
    item_id: str
    recorded_at: int
    effective_at: int


@value
class ItemRestored:
    item_id: str
    recorded_at: int
    effective_at: int


@value
class ItemPriceScheduled:
    """A price will take effect at `effective_from`, and end at `effective_until` if that is not
    null. `actor` and `reason` are of the command that asked for it.
    """

    item_id: str
    recorded_at: int
    effective_at: int
    schedule_id: str
    price: int
    currency: str
    effective_from: int
    effective_until: int | None
    actor: str
    reason: str | None


@value
class ItemPriceUnscheduled:
    """A scheduled price is over without changing the price: it was `cancelled`, or it `ended` when
    somebody had given the item another price meanwhile.
    """

    item_id: str
    recorded_at: int
    effective_at: int
    schedule_id: str
    how: Literal["cancelled", "ended"]


Event = (
    ItemCreated
    | ItemRenamed
    | ItemDescribed
    | ItemRepriced
    | ItemDeleted
    | ItemRestored
    | ItemPriceScheduled
    | ItemPriceUnscheduled
)
