"""The prior price of an item: the lowest that was in force in a window before a moment, and the
intervals that prove it (the rule of Directive 98/6/EC, article 6a, for 30 days).

Nothing that happens after the moment changes what is said about it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import Any

from sqlalchemy import Connection

from domain.schedules import Price
from readmodel.views import prices, versions
from readmodel.views.prices import Interval
from readmodel.views.versions import Stamp
from runtime.times import rfc3339

# Intervals that are shown as proof.
PROOF_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Window:
    """From `begins` until just before `ends`, in milliseconds since 1970."""

    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class PriorPrice:
    """The interval of the lowest price in a window, the first of several. `is_complete` where the
    item was there when the window began. `proof` are the intervals of that currency in the window,
    oldest first, where `has_whole_proof`; else the lowest of them. `is_settled` where nothing that
    can still happen changes any of this.
    """

    window: Window
    lowest: Interval
    is_complete: bool
    proof: Sequence[Interval]
    has_whole_proof: bool
    is_settled: bool

    def document(self) -> dict[str, Any]:
        return {
            "price": self.lowest.price.amount,
            "currency": self.lowest.price.currency,
            "from": rfc3339(self.lowest.begins),
            "version": self.lowest.version,
            "window_start": rfc3339(self.window.begins),
            "window_end": rfc3339(self.window.ends),
            "window_complete": self.is_complete,
            "proof": [each.document() for each in self.proof],
            "proof_complete": self.has_whole_proof,
        }


@dataclass(frozen=True, slots=True)
class NothingInForce:
    """There is no prior price: at the window's end no price is in force, or before it none was in
    the currency that is then.
    """

    currency: str | None


def prior_price(
    connection: Connection, item_id: str, window: Window
) -> PriorPrice | NothingInForce | None:
    """Find the prior price at the window's end; `None` for an item never seen."""
    last = versions.last(connection, item_id)
    if last is None:
        return None
    now_in_force = prices.in_force(connection, item_id, last, window.ends)
    if now_in_force is None:
        return NothingInForce(None)
    counted = _within(connection, item_id, last, window, now_in_force)
    # Of equal ones the first comes first. One more than is shown tells that there are more.
    lowest_first = nsmallest(PROOF_LIMIT + 1, counted, key=lambda each: each.price.amount)
    if not lowest_first:
        return NothingInForce(now_in_force.currency)
    created_at = versions.effective(connection, item_id, [1])[1]
    return PriorPrice(
        window,
        lowest_first[0],
        created_at <= window.begins,
        sorted(lowest_first[:PROOF_LIMIT], key=lambda each: each.begins),
        len(lowest_first) <= PROOF_LIMIT,
        window.ends < last.effective_at,
    )


def _within(
    connection: Connection, item_id: str, last: Stamp, window: Window, now_in_force: Price
) -> Iterator[Interval]:
    """Read the intervals of a currency that overlap the window, none going on after it."""
    for each in prices.since(connection, item_id, last, window.begins):
        if each.begins >= window.ends:
            return
        if each.price.currency == now_in_force.currency:
            going_on = each.ends is None or each.ends > window.ends
            yield replace(each, ends=window.ends) if going_on else each
