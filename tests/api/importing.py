"""Short ways to look at imports on the log, and a stand-in for the worker."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx
from redis import Redis

from eventlog import import_state, keys
from eventlog.codec import decode
from eventlog.envelope import BadRow, Entry, Envelope, ImportMark, Rows
from tests.waiting import until

NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv"}
KEY = {"Idempotency-Key": "spring"}
LINE = b'{"id": "lamp-%d", "name": "Lamp", "price": %d}\n'


def lines(count: int) -> bytes:
    return b"".join(LINE % (n, n + 1) for n in range(count))


def taken(answer: httpx.Response, status: int = 202) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["code"]) == (status, code), told
    return told


def on_the_log(redis: "Redis") -> list[Entry]:
    found: Any = redis.xrange(keys.log(0))
    return [decode(fields[b"c"]) for _, fields in found]


def rows_of(entries: list[Entry]) -> list[Envelope | BadRow]:
    return [row for each in entries if isinstance(each, Rows) for row in each.rows]


def marks_of(entries: list[Entry]) -> list[str]:
    return [each.mark for each in entries if isinstance(each, ImportMark)]


@contextmanager
def applying(redis: "Redis") -> Generator[None]:
    """Say of everything on the log that it is applied, as a worker does."""
    ended = threading.Event()

    def apply() -> None:
        while not ended.wait(0.002):
            newest: Any = redis.xrevrange(keys.log(0), count=1)
            if newest:
                redis.set(keys.done(0), newest[0][0])

    worker = threading.Thread(target=apply)
    worker.start()
    try:
        yield
    finally:
        ended.set()
        worker.join()


def state_of(redis: "Redis", import_id: str) -> Any:
    found = import_state.read(redis.hgetall(keys.import_state(import_id)))
    return None if found is None else found.state


def the_import(redis: "Redis") -> str:
    """Find the id of the one import that was begun."""
    found: list[str] = []

    def begun() -> bool:
        found[:] = [each.import_id for each in on_the_log(redis) if isinstance(each, ImportMark)]
        return bool(found)

    until(begun, 30, "an import that has begun")
    return found[0]
