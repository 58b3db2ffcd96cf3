"""The scheduled prices of an item in the order in which somebody wants to know of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from readmodel.views.schedules import Scheduled
from readmodel.web.timeline import scheduled as written

_COMING = frozenset({"active", "pending"})
# As many are shown without being asked for.
_NEXT = 10


def grouped(scheduled: Sequence[Scheduled]) -> list[Mapping[str, Any]]:
    """Put first what comes next; what follows much later, and what is over, is folded away."""
    told = [{**each.document(), "what": written(each.document())} for each in scheduled]
    ordered = sorted(told, key=lambda each: each["effective_from"])
    coming = [each for each in ordered if each["status"] in _COMING]
    over = [each for each in reversed(ordered) if each["status"] not in _COMING]
    groups = (("", coming[:_NEXT]), ("later", coming[_NEXT:]), ("over or cancelled", over))
    return [{"folded": folded, "prices": some} for folded, some in groups if some]
