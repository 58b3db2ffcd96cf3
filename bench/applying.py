"""G7, G8: what waits in the log comes into the database; beside stock RQ, and beside COPY."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil
import psycopg

from bench.anchors import copy_rows
from bench.measure import Counter, Found, Sample, interleave, ratios
from bench.sides import ROOT, Service, Side, Stage, clean, item
from bench.sizes import Size

Rows = Sequence[Mapping[str, object]]
_LOOK_EVERY = 0.002
_GIVE_UP_AFTER = 300.0


def drained(service: Service, rows: Rows) -> Sample:
    """Freeze the worker, have rows accepted of which each changes something, and time how long it
    needs for them once it goes on. The supervisor, who would end a frozen worker, is frozen too.
    """
    service.await_applied()
    worker, up = service.process("worker"), psutil.Process(service.up)
    with service.counting() as count:
        before = count()
        up.suspend()
        worker.suspend()
        try:
            service.put(rows)
            used, begun = service.cpu(), time.monotonic()
            worker.resume()
            while (missing := before + len(rows) - count()) > 0:
                if time.monotonic() - begun > _GIVE_UP_AFTER:
                    raise SystemExit(f"{missing} events never came")
                time.sleep(_LOOK_EVERY)  # between two looks
            seconds, used = time.monotonic() - begun, service.cpu() - used
        finally:
            with suppress(psutil.NoSuchProcess):
                worker.resume()
            up.resume()
    return Sample(rate=len(rows) / seconds, cpu=1e6 * used / len(rows))


def happenings(new: Counter, count: int) -> Rows:
    """Make rows of which half create an item and half change its price."""
    numbers = [new() for _ in range((count + 1) // 2)]
    changed = [item(each, 2) for each in numbers[: count // 2]]
    return [item(each, 1) for each in numbers] + changed


def jobs(stage: Stage, kind: str, count: int, database: str = "sqlite") -> Sample:
    """Have stock RQ do one job per event; the rate is that of the worker, CPU is all there is."""
    redis_url, valkey = stage.valkey()
    sides = [valkey]
    if database == "sqlite":
        url = f"sqlite:///{stage.sub('rq') / 'events.db'}"
    else:
        url = stage.database()
        sides.append(Side("postgresql", [], [stage.server]))
    before = sum(side.cpu() for side in sides)
    env = clean() | {"DATABASE_URL": url, "REDIS_URL": redis_url}
    told = _told("bench.anchors.rq_jobs", kind, str(count), env=env)
    used = sum(side.cpu() for side in sides) - before
    used += told["enqueue"]["cpu"] + told["work"]["cpu"]
    return Sample(rate=count / told["work"]["seconds"], cpu=1e6 * used / count)


def saved(stage: Stage, count: int) -> Sample:
    """Have the `eventsourcing` library save events one by one."""
    env = {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "SQLITE_DBNAME": str(stage.sub("eventsourcing") / "events.db"),
    }
    told = _told("bench.anchors.event_sourcing", str(count), env=clean() | env)
    return Sample(rate=count / told["seconds"], cpu=1e6 * told["cpu"] / count)


def _told(module: str, *args: str, env: Mapping[str, str]) -> dict[str, dict[str, float]]:
    argv = [sys.executable, "-m", module, *args]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{module} ended: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def apply(stage: Stage, size: Size) -> Found:
    """G7."""
    service, new = stage.service(), stage.new
    drained(service, happenings(new, size.commands // 4))
    samples = interleave(
        size.fewer,
        {
            "apply, SQLite": lambda: drained(service, happenings(new, size.commands)),
            "RQ, SimpleWorker": lambda: jobs(stage, "simple", size.jobs),
            "RQ, forking Worker": lambda: jobs(stage, "fork", size.forked),
        },
    )
    samples["eventsourcing library, SQLite"] = [saved(stage, size.saved)]
    mine = samples["apply, SQLite"]
    return Found(
        samples,
        {
            "of stock RQ, SimpleWorker": ratios(mine, samples["RQ, SimpleWorker"]),
            "of stock RQ, forking Worker": ratios(mine, samples["RQ, forking Worker"]),
        },
        ["RQ's CPU is of `enqueue`, the worker and the Valkey together."],
    )


def against_copy(stage: Stage, size: Size) -> Found:
    """G8."""
    service, new = stage.service("postgresql"), stage.new
    drained(service, happenings(new, size.commands // 4))
    first = drained(service, happenings(new, size.commands))
    with psycopg.connect(service.url.replace("+psycopg", "")) as connection:
        rows = copy_rows.rows_of(connection, size.commands)

        def copied() -> Sample:
            return Sample(rate=len(rows) / copy_rows.copy(connection, rows))

        samples = interleave(
            size.fewer,
            {
                "apply, PostgreSQL": lambda: drained(service, happenings(new, size.commands)),
                "COPY of the event rows": copied,
            },
        )
    samples["apply, PostgreSQL, to the fresh ledger"] = [first]
    return Found(
        samples,
        {
            "of COPY of the event rows": ratios(
                samples["apply, PostgreSQL"], samples["COPY of the event rows"]
            )
        },
    )
