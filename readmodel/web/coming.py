"""The scheduled prices of an item in the order in which somebody wants to know of them."""

from collections.abc import Mapping, Sequence
from typing import Any

_COMING = frozenset({"active", "pending"})
# As many are shown without being asked for.
_NEXT = 10


def grouped(scheduled: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Put first what comes next; what follows much later, and what is over, is folded away."""
    ordered = sorted(scheduled, key=lambda each: each["effective_from"])
    coming = [each for each in ordered if each["status"] in _COMING]
    over = [each for each in reversed(ordered) if each["status"] not in _COMING]
    groups = (("", coming[:_NEXT]), ("later", coming[_NEXT:]), ("over or cancelled", over))
    return [{"folded": folded, "prices": some} for folded, some in groups if some]
