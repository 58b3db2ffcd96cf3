"""Read everything at the end: SQL and Redis directly, the query API as a client would."""

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

import httpx
import orjson
from redis import Redis

from tests.chaos.final import (
    Entry,
    EventRow,
    Final,
    GapRow,
    HeadRow,
    LogHead,
    OutcomeRow,
    PartitionRow,
    Position,
    ViewRow,
)
from tests.chaos.world import World

_Row = TypeVar("_Row")
_PAGE = 1000
# Doorbells that nobody has answered yet, and those whose hash has no end of its own.
_FEW_JOBS = 50


def finals(world: World, ids: Any) -> set[str]:
    """Say which of these commands have an outcome in SQL."""
    wanted = list(ids)
    if world.database.engine == "sqlite":
        among = "IN (SELECT value FROM json_each(%s))"
        parameters: list[Any] = [json.dumps(wanted)]
    else:
        among, parameters = "= ANY(%s)", [wanted]
    statement = f"SELECT command_id FROM outcomes WHERE command_id {among}"
    return {each[0] for each in world.database.rows(statement, parameters)}


def read_log(redis: "Redis", partitions: int) -> list[Entry]:
    """Read all that the log holds."""
    entries: list[Entry] = []
    for partition in range(partitions):
        after = "-"
        while True:
            page: Any = redis.xrange(f"itemledger:{{{partition}}}:log", min=after, count=_PAGE)
            for name, fields in page:
                entries += _entries(partition, name.decode(), fields[b"c"])
            if len(page) < _PAGE:
                break
            after = f"({page[-1][0].decode()}"
    return entries


def _entries(partition: int, name: str, body: bytes) -> list[Entry]:
    epoch, n = map(int, name.split("-"))
    document = orjson.loads(body)
    if document["op"] != "pack":
        return [Entry(Position(partition, epoch, n), document["id"], document.get("reason"))]
    first = n - len(document["rows"]) + 1
    return [
        Entry(
            Position(partition, epoch, first + place),
            f"{document['id']}.{each['row']:09d}",
            each.get("reason"),
        )
        for place, each in enumerate(document["rows"])
    ]


def keep_log(redis: "Redis", partitions: int, file: Path) -> None:
    """Write down what the log holds now, before some of it goes away."""
    with file.open("wb") as out:
        for each in read_log(redis, partitions):
            out.write(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE))


def kept_logs(folder: Path) -> list[Entry]:
    return [
        Entry(Position(**each["position"]), each["id"], each["reason"])
        for file in sorted(folder.glob("log-*.jsonl"))
        for each in map(orjson.loads, file.read_bytes().splitlines())
    ]


def gaps(world: World) -> list[GapRow]:
    return _rows(world, "gaps", GapRow)


def _rows(world: World, table: str, kind: type[_Row]) -> list[_Row]:
    names = [f'"{each.name}"' for each in dataclasses.fields(kind)]
    found = world.database.rows(f'SELECT {", ".join(names)} FROM "{table}"')
    return [kind(*each) for each in found]


def collect(world: World, report: Path) -> Final:
    partitions = world.options.partitions
    with world.redis() as redis:
        log = read_log(redis, partitions)
        heads = [_head(redis, partition) for partition in range(partitions)]
        leftovers = _leftovers(redis)
    quarantined = world.database.rows(
        "SELECT command_id, state, error FROM quarantine ORDER BY state, since"
    )
    checkpoints = world.database.rows('SELECT projection, "partition", "offset" FROM checkpoints')
    return Final(
        events=_rows(world, "events", EventRow),
        outcomes=_rows(world, "outcomes", OutcomeRow),
        heads=_rows(world, "heads", HeadRow),
        view=_rows(world, "items", ViewRow),
        partitions=_rows(world, "partitions", PartitionRow),
        checkpoints=[(each[0], each[1], each[2]) for each in checkpoints],
        gaps=gaps(world),
        quarantined=[f"{each[0]}, {each[1]}: {each[2]}" for each in quarantined],
        log=log,
        log_heads=heads,
        pages=_pages(world),
        leftovers=leftovers + _open_transactions(world),
        earlier=kept_logs(report),
    )


def _head(redis: "Redis", partition: int) -> LogHead:
    epoch, n = redis.hmget(f"itemledger:{{{partition}}}:head", ["epoch", "n"])
    done: Any = redis.get(f"itemledger:{{{partition}}}:done")
    return LogHead(partition, int(epoch or 0), int(n or 0), None if done is None else done.decode())


def _leftovers(redis: "Redis") -> list[str]:
    """List what a quiet service must not leave lying about (I15)."""
    found: list[str] = []
    jobs = sum(1 for _ in redis.scan_iter("rq:job:*", count=1000))
    if jobs > _FEW_JOBS:
        found.append(f"{jobs} job hashes of RQ are left")
    return found


def _open_transactions(world: World) -> list[str]:
    if world.database.engine == "sqlite":
        return []
    idle = world.database.rows(
        "SELECT pid, query FROM pg_stat_activity WHERE datname = 'itemledger' "
        "AND state LIKE 'idle in transaction%%' AND state_change < now() - interval '5 s'",
        [],
    )
    return [f"an open transaction is left: {each}" for each in idle]


def _pages(world: World) -> dict[str, Any]:
    items: dict[str, Any] = {}
    with httpx.Client(base_url=world.query_url, trust_env=False, timeout=30) as client:
        cursor: dict[str, str] = {}
        while True:
            parameters = {"limit": "200", "include_deleted": "true"} | cursor
            page = client.get("/items", params=parameters).raise_for_status().json()
            items |= {each["id"]: each for each in page["items"]}
            if page["next"] is None:
                return items
            cursor = {"cursor": page["next"]}
