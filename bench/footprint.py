"""G11: how soon everything is up, and how much memory it takes."""

import http.client
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager

from bench.commands import creations
from bench.load import Traffic, closed, render
from bench.measure import Found
from bench.sides import Service, Stage
from bench.sizes import Size
from tests.journey import ITEMLEDGER, Deployment

_LOOK_EVERY = 0.005
_GIVE_UP_AFTER = 60.0
_ITEMS = 1_000


def footprint(stage: Stage, size: Size) -> Found:
    found = Found(
        values={
            "memory of all processes": [],
            "ready, first start": [],
            "ready, second start": [],
        }
    )
    for _ in range(size.fewer):
        deployment = Deployment(stage.sub("up"), "")
        with _up(deployment) as (service, seconds):
            found.values["ready, first start"].append(seconds)
            _use(stage, service, size)
            memory = service.memory()
            found.values["memory of all processes"].append(sum(memory.values()))
        with _up(deployment) as (_, seconds):
            found.values["ready, second start"].append(seconds)
    told = ", ".join(f"{name} {value:.0f} MB" for name, value in memory.items())
    found.notes.append(f"Memory by process: {told}.")
    return found


def _use(stage: Stage, service: Service, size: Size) -> None:
    """Ask both services for what they are there for, so that all of them is loaded."""
    service.fill(0, min(_ITEMS, size.few))
    service.await_applied()
    reads = [render("GET", f"/items/item-{number}") for number in range(min(_ITEMS, size.few))]
    reads += [render("GET", "/items?limit=50"), render("GET", "/items/item-1/history")]
    closed(service.queries, Traffic.of(stage.sub("requests") / "reads", reads), size.seconds)
    closed(service.commands, creations(stage), size.seconds)
    service.await_applied()


@contextmanager
def _up(deployment: Deployment) -> Generator[tuple[Service, float]]:
    """Start it, and tell how many seconds it took until both services were ready."""
    with deployment.log.open("ab") as log:
        begun = time.monotonic()
        process = subprocess.Popen(
            [*ITEMLEDGER, "up"],
            cwd=deployment.folder,
            env=deployment.env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"sqlite:///{deployment.folder / 'data' / 'itemledger.db'}"
        service = Service(deployment, url, process.pid, None)
        for port in service.ports:
            while not _is_ready(port):
                if process.poll() is not None or time.monotonic() - begun > _GIVE_UP_AFTER:
                    raise SystemExit(f"it does not start: {deployment.log.read_text()[-2000:]}")
                time.sleep(_LOOK_EVERY)  # between two looks
        yield service, time.monotonic() - begun
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
