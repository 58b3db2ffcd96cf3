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
class Verified:
    """What one partition came to: the last event that was reached, and the first difference of each
    check. `behind` names views that were not compared, since they are behind the ledger.
    """

    partition: int
    offset: int
    hash: str
    behind: tuple[str, ...]
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
