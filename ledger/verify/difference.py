"""What verification tells: where the database is not what its events make it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """`what` names what was looked at, such as `heads.price`; the rest is the place, as far as it
    has one.
    """

    partition: int | None
    what: str
    expected: object
    found: object
    offset: int | None = None
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """The hash that an event had when somebody wrote it down elsewhere."""

    partition: int
    offset: int
    hash: str


@dataclass(frozen=True, slots=True)
class Behind:
    """A view that was not compared, since it is behind the ledger; `why` says what is known."""

    view: str
    why: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What one partition came to: the last event that was reached, the first difference of each
    check, and the views that could not be compared.
    """

    partition: int
    offset: int
    hash: str
    behind: tuple[Behind, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Every partition, and what is different beside them."""

    partitions: tuple[Verified, ...]
    elsewhere: tuple[Difference, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        return (
            *self.elsewhere,
            *(each for partition in self.partitions for each in partition.differences),
        )

    @property
    def not_compared(self) -> tuple[str, ...]:
        """The views that are behind somewhere, by name."""
        return tuple(
            sorted({each.view for partition in self.partitions for each in partition.behind})
        )
