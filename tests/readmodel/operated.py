"""The query API beside a real Valkey, with workers that report."""

from dataclasses import dataclass, field

from flask.testing import FlaskClient
from redis import Redis

from eventlog import keys
from eventlog.workers import Report, State, tell

AT = 1_763_798_400_000
EPOCH = 1_700_000_000_000


@dataclass(slots=True)
class Monotonic:
    """Seconds that pass when it is said so."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Operated:
    """The query API beside a real Valkey, at a time that stands still."""

    client: FlaskClient
    redis: "Redis"
    monotonic: Monotonic = field(default_factory=Monotonic)

    def worker(self, name: str, state: State, why: str | None = None, seen: int = AT) -> None:
        tell(self.redis, Report(name, state, why, AT - 60_000, seen))

    def put(
        self, *entries: int, head: int | None = None, epoch: int = EPOCH, at: int = AT - 1000
    ) -> None:
        """Put entries on partition 0 of the log, and let its head say so, or otherwise."""
        for n in entries:
            self.redis.xadd(keys.log(0), {"c": f'{{"op":"x","at":{at}}}'}, id=f"{epoch}-{n}")
        n = max(entries, default=0) if head is None else head
        self.redis.hset(keys.head(0), mapping={"run_id": "x", "epoch": epoch, "n": n})
