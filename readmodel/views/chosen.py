"""What a list is asked for: which items, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from readmodel.views import items, search

SortField = Literal["id", "name", "price", "updated_at"]

# Where in a list an item stands: the value that the list is sorted by, and the id.
Key = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of a list.

    Equal values follow the id in the same direction: one index, read forwards or backwards, has it.
    """

    field: SortField = "id"
    descending: bool = False

    @property
    def kinds(self) -> tuple[type[int] | type[str], ...]:
        """The kinds of values that a key has."""
        match self.field:
            case "id":
                return (str,)
            case "name":
                return (str, str)
            case "price" | "updated_at":
                return (int, str)
            case _:
                assert_never(self.field)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items a list has; `None` does not filter. Bounds are inclusive; of `words` an item has
    all, each at the beginning of one of its own.
    """

    price_min: int | None = None
    price_max: int | None = None
    currency: str | None = None
    updated_since: int | None = None
    ids: tuple[str, ...] | None = None
    include_deleted: bool = False
    words: tuple[str, ...] | None = None

    @property
    def views(self) -> tuple[str, ...]:
        """The views that it takes to answer."""
        return (items.NAME,) if self.words is None else (items.NAME, search.NAME)

    @property
    def leaves_all(self) -> bool:
        """Whether nothing is left out but what is deleted."""
        return self == Filter(include_deleted=self.include_deleted)
