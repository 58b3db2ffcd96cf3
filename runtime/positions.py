"""Where a command stands in the log, and the token that tells a client so."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"([0-9]{1,4})\.([0-9]{1,15})\.([0-9]{1,15})")


class MalformedToken(ValueError):
    """The text is no token of ours."""


class PartitionMismatch(Exception):
    """The data was laid out for another number of partitions; `str()` says how to mend it."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The `n`-th command of an epoch in a partition; gapless within the epoch, `n` from 1."""

    partition: int
    epoch: int
    n: int

    @property
    def stream_id(self) -> str:
        """The id of the log entry, as Redis writes it."""
        return f"{self.epoch}-{self.n}"

    @property
    def token(self) -> str:
        """The `Consistency-Token` of a command at this position; clients treat it as opaque."""
        return f"{self.partition}.{self.epoch}.{self.n}"

    @classmethod
    def from_stream_id(cls, partition: int, stream_id: str) -> "Position":
        epoch, n = stream_id.split("-")
        return cls(partition, int(epoch), int(n))

    @classmethod
    def from_token(cls, token: str) -> "Position":
        """Raises MalformedToken."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise MalformedToken("not a Consistency-Token of this service")
        partition, epoch, n = match.groups()
        return cls(int(partition), int(epoch), int(n))


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """How far the ledger has taken a partition: the log up to epoch and n, events up to an offset,
    and the hash of the last of them. Two that are equal are of the same history, also where a
    database was set back in between.
    """

    epoch: int
    n: int
    offset: int
    hash: str
