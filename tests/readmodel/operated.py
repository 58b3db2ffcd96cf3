"""The query API beside a real Valkey, with workers that report."""

from dataclasses import dataclass

from flask.testing import FlaskClient
from redis import Redis

from eventlog.workers import Report, State, tell

AT = 1_763_798_400_000


@dataclass(frozen=True, slots=True)
class Operated:
    """The query API beside a real Valkey, at a time that stands still."""

    client: FlaskClient
    redis: "Redis"

    def worker(self, name: str, state: State, why: str | None = None, seen: int = AT) -> None:
        tell(self.redis, Report(name, state, why, AT - 60_000, seen))
