"""A catalogue worth reading, written as clients write: items with a past, deleted ones, scheduled
prices, commands of every outcome, imports that went well and that did not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.journey import Deployment
from tests.tokens import bearer
from tests.waiting import until

# More than a page has where nobody says how long it shall be.
COUNT = 60
# The item that the examples of the description name.
EXAMPLE = "85123A"
WORDS = ("white", "Lampe", "straße", "日本語", "Ωmega", "İstanbul", "🦆", "o'neill", "50%", "NULL")
CURRENCIES = ("EUR", "JPY", "GBP")
# When what the items went through took effect.
MOMENTS = tuple(f"2025-{month:02}-01T08:00:00.{month:03}Z" for month in range(1, 12))
_PRICES = (0, 1, 99, 1299, 12_900, 2**53 - 1)
_WAIT = {"Prefer": "wait=30"}
_DONE = 60.0


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is there to be asked for. `schedules` are an item and one of its scheduled prices."""

    items: Sequence[str]
    schedules: Sequence[tuple[str, str]]
    commands: Sequence[str]
    imports: Sequence[str]
    tokens: Sequence[str]


class _Writer:
    """Sends commands one after another, and remembers what they were called."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.commands: list[str] = []
        self.imports: list[str] = []
        self.tokens: list[str] = []

    def batch(self, rows: Sequence[Mapping[str, Any]], **members: Any) -> None:
        answer = self._client.post(
            "/items/batch", json={"commands": rows, **members}, headers=_WAIT
        )
        assert answer.status_code == 200, answer.text
        for result in answer.json()["results"]:
            if "command_id" in result:
                self.commands.append(result["command_id"])
                self.tokens.append(result["token"])

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self._client.post(path, json=body, headers=_WAIT)
        assert answer.is_success, answer.text
        self.tokens.append(answer.headers["Consistency-Token"])
        return answer.json()

    def delete(self, path: str) -> None:
        answer = self._client.delete(path, headers=_WAIT)
        assert answer.status_code == 204, answer.text

    def import_(self, rows: bytes, media_type: str, **query: str) -> str:
        headers = {**_WAIT, "Content-Type": media_type}
        answer = self._client.post("/imports", content=rows, params=query, headers=headers)
        assert answer.is_success, answer.text
        self.imports.append(answer.json()["import_id"])
        return self.imports[-1]

    def take_back(self, import_id: str) -> None:
        answer = self._client.post(f"/imports/{import_id}/revert", headers=_WAIT)
        assert answer.is_success, answer.text
        self.imports.append(answer.json()["import_id"])


def write(deployment: Deployment) -> Catalogue:
    """Write it, and wait until the query API has all of it."""
    headers = bearer("items:read", "items:write", "ops")
    items = [EXAMPLE, "a", "Z9._~-", "x" * 64, *(f"item-{n}" for n in range(COUNT))]
    with httpx.Client(
        base_url=deployment.command_url, headers=headers, trust_env=False, timeout=60
    ) as client:
        writer = _Writer(client)
        writer.batch(list(_put(items)))
        for round_ in range(1, 6):
            writer.batch(list(_changes(items, round_)))
        writer.batch([{"op": "patch", "id": each, "price": 5} for each in items[:3]], atomic=True)
        schedules = _schedule(writer, items)
        writer.post(f"/items/{EXAMPLE}/revert", {"to_version": 1})
        _import(writer)
    with httpx.Client(
        base_url=deployment.query_url, headers=headers, trust_env=False, timeout=60
    ) as client:
        until(lambda: _all_done(client, writer.imports), _DONE, "all imports are done")
    return Catalogue(items, schedules, writer.commands, writer.imports, writer.tokens)


def _put(items: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    for number, item_id in enumerate(items):
        yield {
            "op": "put",
            "id": item_id,
            "name": f"{WORDS[number % len(WORDS)]} {WORDS[number // 3 % len(WORDS)]} {number}",
            "description": None if number % 3 else f"of {WORDS[number % 7]}\nand more",
            "price": _PRICES[number % len(_PRICES)],
            "currency": CURRENCIES[number % len(CURRENCIES)],
            "effective_at": MOMENTS[0],
        }


def _changes(items: Sequence[str], round_: int) -> Iterator[Mapping[str, Any]]:
    """Change every item a little less often than the one before it; refuse one, and change nothing
    at another.
    """
    for number, item_id in enumerate(items):
        change: dict[str, Any] = {"op": "patch", "id": item_id, "effective_at": MOMENTS[2 * round_]}
        match (number + round_) % 5:
            case 0:
                yield {**change, "price": 100 * round_ + number, "reason": "sale"}
            case 1:
                yield {**change, "name": f"{WORDS[round_]} {number}"}
            case 2:
                yield {**change, "price": number, "currency": CURRENCIES[round_ % 3]}
            case 3 if number > 3:
                yield {"op": "delete", "id": item_id, "effective_at": MOMENTS[2 * round_]}
            case _:
                yield {**change, "description": WORDS[round_]}
    yield {"op": "delete", "id": "nobody"}
    yield {"op": "patch", "id": EXAMPLE, "if_version": 99, "price": 7}


def _schedule(writer: _Writer, items: Sequence[str]) -> Sequence[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for item_id in items[:4]:
        for year in (2090, 2091, 2092):
            until_ = {} if year == 2092 else {"effective_until": f"{year}-12-01T00:00:00Z"}
            body = {"price": 4, "effective_from": f"{year}-11-27T00:00:00Z", **until_}
            told = writer.post(f"/items/{item_id}/scheduled-prices", body)
            found.append((item_id, told["id"]))
        writer.delete(f"/items/{item_id}/scheduled-prices/{found[-1][1]}")
    return found


def _import(writer: _Writer) -> None:
    rows = b"".join(b'{"id": "bulk-%d", "name": "Bulk", "price": %d}\n' % (n, n) for n in range(20))
    bad = b'{"id": "no id", "name": "Bad", "price": 1}\n{"op": "delete", "id": "nobody"}\nno json\n'
    table = b"id,name,price,currency\r\ntable-1,Table,100,EUR\r\ntable-2,Table,,EUR\r\n"
    first = writer.import_(rows + bad, "application/x-ndjson")
    writer.import_(rows + bad, "application/x-ndjson", dry_run="true")
    writer.import_(bad + rows, "application/x-ndjson", on_error="stop")
    writer.import_(table, "text/csv", reason="spring")
    writer.take_back(first)


def _all_done(client: httpx.Client, imports: Sequence[str]) -> bool:
    told = (client.get(f"/imports/{each}").json()["status"] for each in imports)
    return all(status in {"done", "stopped"} for status in told)
