"""Stock RQ, one job per event: each takes a session of the ORM, writes its event and its item, and
commits.

    DATABASE_URL=… REDIS_URL=… python -m bench.anchors.rq_jobs {fork|simple} EVENTS

Prints as JSON how many seconds and how much CPU of this process and its children it took to put all
jobs into the queue, and to do them.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker, Worker
from sqlalchemy.orm import Session

from bench.anchors.job import Event, apply_event, engine
from bench.anchors.models import Base


def events(count: int) -> list[dict[str, Any]]:
    """Half of them create an item, half change a price."""
    half = (count + 1) // 2
    created = [
        {
            "item_id": each,
            "type": "created",
            "data": {"name": f"Item {each}", "description": "A thing", "price": each},
        }
        for each in range(half)
    ]
    changed = [
        {"item_id": each, "type": "repriced", "data": {"price": each + 1}}
        for each in range(count - half)
    ]
    return created + changed


def timed(work: Callable[[], object]) -> dict[str, float]:
    begun, before = time.perf_counter(), cpu_seconds()
    work()
    return {"seconds": time.perf_counter() - begun, "cpu": cpu_seconds() - before}


def cpu_seconds() -> float:
    used = [resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main(kind: str, count: int) -> None:
    Base.metadata.create_all(engine)
    engine.dispose()
    redis = Redis.from_url(os.environ["REDIS_URL"])
    queue = Queue(connection=redis)
    waiting = events(count)
    told = {"enqueue": timed(lambda: [queue.enqueue(apply_event, e) for e in waiting])}
    worker = {"fork": Worker, "simple": SimpleWorker}[kind]([queue], connection=redis)
    told["work"] = timed(lambda: worker.work(burst=True, logging_level="ERROR"))
    with Session(engine) as session:
        done = session.query(Event).count()
    if done != count:
        raise SystemExit(f"{done} of {count} events were written")
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
