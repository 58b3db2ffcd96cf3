"""How much a command weighs on the log, and an event in the database: what `make capacity` counts
memory and disk by.

    python -m bench.weights [--commands 20000]

It writes docs/benchmarks/weights.json. Weights do not depend on how busy the machine is.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from bench.applying import happenings
from bench.sides import ROOT, Service, Stage, watching

WEIGHTS = ROOT / "docs" / "benchmarks" / "weights.json"
ON_THE_LOG = "bytes of a command on the log"
IN_POSTGRESQL = "bytes of an event in PostgreSQL"
IN_SQLITE = "bytes of an event in SQLite"
_BESIDE = 5_000


def used_memory(service: Service) -> int:
    answer = httpx.get(f"{service.deployment.query_url}/status", trust_env=False, timeout=30)
    return int(answer.raise_for_status().json()["durability"]["used_memory"])


def stored(service: Service) -> int:
    """Bytes that the database takes, its WAL left out."""
    question = "SELECT pg_database_size(current_database())"
    if service.url.startswith("sqlite"):
        question = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    with watching(service.url) as ask:
        return int(ask(question)[0][0])


def weigh(service: Service, stage: Stage, count: int) -> tuple[float, float]:
    """Have commands wait on the log behind a frozen worker, and then have them applied; tell bytes
    of one there, and of one event in the database. Half of them make an item.
    """
    service.put(happenings(stage.new, _BESIDE))
    service.await_applied()
    rows = happenings(stage.new, count)
    worker, up = service.process("worker"), psutil.Process(service.up)
    with service.counting() as events:
        before, memory, disk = events(), used_memory(service), stored(service)
        up.suspend()
        worker.suspend()
        try:
            service.put(rows)
            memory = used_memory(service) - memory
        finally:
            with suppress(psutil.NoSuchProcess):
                worker.resume()
            up.resume()
        service.await_applied()
        while events() < before + len(rows):
            time.sleep(0.02)  # between two looks at the database
        return memory / len(rows), (stored(service) - disk) / (events() - before)


def main() -> None:
    """Weigh on both databases, and write what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.weights", description=__doc__)
    parser.add_argument("--commands", type=int, default=20_000)
    given = parser.parse_args()
    (ROOT / ".bench").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=ROOT / ".bench", prefix="w"))
    try:
        with Stage(folder) as stage:
            log, postgresql = weigh(stage.service("postgresql"), stage, given.commands)
            _, sqlite = weigh(stage.service(), stage, given.commands)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found: Mapping[str, float] = {ON_THE_LOG: log, IN_POSTGRESQL: postgresql, IN_SQLITE: sqlite}
    WEIGHTS.write_text(
        json.dumps({name: round(each) for name, each in found.items()}, indent=1) + "\n"
    )
    sys.stdout.write(WEIGHTS.read_text())


if __name__ == "__main__":
    main()
