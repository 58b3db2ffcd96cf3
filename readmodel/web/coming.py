"""The scheduled prices of an item in the order in which somebody wants to know of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from readmodel.views.schedules import Scheduled
from readmodel.web.timeline import scheduled as written

_COMING = frozenset({"active", "pending"})
# As many are shown without being asked for.
_NEXT = 10


def by_then(
    scheduled: Sequence[Scheduled], now: int, then: int | None
) -> Sequence[Mapping[str, Any]] | None:
    """Tell which scheduled prices come or are in force by a moment that lies ahead; `None` of any
    other moment.
    """
    if then is None or then <= now:
        return None
    coming = [each for each in scheduled if each.status in _COMING and each.effective_from <= then]
    ordered = sorted(coming, key=lambda each: each.effective_from)
    return [{**each.document(), "what": written(each.document())} for each in ordered]


def grouped(scheduled: Sequence[Scheduled]) -> list[Mapping[str, Any]]:
    """Put first what comes next; what follows much later, and what is over, is folded away."""
    told = [{**each.document(), "what": written(each.document())} for each in scheduled]
    ordered = sorted(told, key=lambda each: each["effective_from"])
    coming = [each for each in ordered if each["status"] in _COMING]
    over = [each for each in reversed(ordered) if each["status"] not in _COMING]
    groups = (("", coming[:_NEXT]), ("later", coming[_NEXT:]), ("over or cancelled", over))
    return [{"folded": folded, "prices": some} for folded, some in groups if some]
