"""How fast rows of an import become final, and what everybody else notices of it.

    python bench/imports.py [ROWS] [COMMANDS_PER_SECOND]

`itemledger up` with its embedded engines, from nothing, in a folder of its own. First the history
file of the real input, if it is at hand, as backfill; then so many generated rows, while a client
sends one command after the other with `Prefer: wait`. It counts from the first byte to the last
final row.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.measure import percentile
from tests.journey import RETAIL, Deployment

_LOOK_EVERY = 0.05
_PIECE = 64 * 1024
# Items that the generated rows are about, as many as a large shop has.
_ITEMS = 200_000
_FINAL = {"done", "stopped", "cancelled", "failed"}


@dataclass(slots=True)
class Service:
    """A running `itemledger up`."""

    process: subprocess.Popen[bytes]
    command_url: str
    query_url: str
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=3600))

    def api(self) -> psutil.Process:
        for each in psutil.Process(self.process.pid).children():
            if "cli api" in " ".join(each.cmdline()):
                return each
        raise SystemExit("there is no api process")

    def send(self, pieces: Iterable[bytes], **headers: str) -> tuple[dict[str, Any], float]:
        """Import; tell what came of it, and how many seconds it took until every row was final."""
        began = time.monotonic()
        answer = self.http.post(
            f"{self.command_url}/imports",
            content=pieces,
            headers={"Content-Type": "application/x-ndjson"} | headers,
        )
        if answer.status_code != httpx.codes.ACCEPTED:
            raise SystemExit(answer.text)
        place = f"{self.query_url}/imports/{answer.json()['import_id']}"
        while (told := self.http.get(place).json())["status"] not in _FINAL:
            time.sleep(_LOOK_EVERY)  # between two looks
        return told, time.monotonic() - began


class Interactive(threading.Thread):
    """Sends commands one after the other and waits for each; looks at the memory of the API."""

    def __init__(self, service: Service, rate: float) -> None:
        super().__init__(name="interactive")
        self._service = service
        self._every = 1 / rate
        self._api = service.api()
        self._ending = threading.Event()
        self.times: list[float] = []
        self.most_memory = 0

    def run(self) -> None:
        with httpx.Client(base_url=self._service.command_url, trust_env=False) as http:
            while not self._ending.wait(self._every):
                body = {"name": "Interactive", "price": len(self.times) + 1}
                began = time.monotonic()
                answer = http.put(
                    f"/items/interactive-{len(self.times) % 50}",
                    json=body,
                    headers={"Prefer": "wait=30"},
                    timeout=60,
                )
                self.times.append(time.monotonic() - began)
                if answer.status_code not in {200, 201}:
                    raise SystemExit(answer.text)
                self.most_memory = max(self.most_memory, self._api.memory_info().rss)

    def end(self) -> None:
        self._ending.set()
        self.join()


@contextmanager
def up(folder: Path) -> Generator[Service]:
    deployment = Deployment(folder, "")
    deployment.env["ITEMLEDGER_LOG_LEVEL"] = "warning"
    with deployment.up() as process:
        service = Service(process, deployment.command_url, deployment.query_url)
        try:
            yield service
        finally:
            service.http.close()


def generate(path: Path, rows: int) -> None:
    """Write rows of which every one changes its item."""
    with path.open("w") as file:
        for n in range(rows):
            item = n * 7919 % _ITEMS
            row = {"id": f"item-{item:06d}", "name": f"Article number {item}", "price": n + 1}
            file.write(json.dumps(row) + "\n")


def pieces_of(path: Path) -> Generator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def backfill(service: Service) -> None:
    with gzip.open(RETAIL) as unpacked:
        rows = unpacked.read()
    told, seconds = service.send([rows[at : at + _PIECE] for at in range(0, len(rows), _PIECE)])
    print(
        f"backfill of the history file: {told['rows']:,} rows in {seconds:.1f} s, "
        f"{told['rows'] / seconds:,.0f} rows/s; {told['rejected']} rejected"
    )


def beside_others(service: Service, rows: int, rate: float, folder: Path) -> None:
    file = folder / "rows.ndjson"
    generate(file, rows)
    interactive = Interactive(service, rate)
    interactive.start()
    told, seconds = service.send(pieces_of(file))
    interactive.end()
    times = interactive.times
    print(
        f"{told['rows']:,} rows in {seconds:.1f} s, {told['rows'] / seconds:,.0f} rows/s; "
        f"meanwhile {len(times):,} commands with Prefer: wait: "
        f"p50 {1000 * percentile(times, 0.5):.0f} ms, "
        f"p99 {1000 * percentile(times, 0.99):.0f} ms, max {1000 * max(times):.0f} ms; "
        f"memory of the api process at most {interactive.most_memory / 2**20:.0f} MiB; "
        f"load {os.getloadavg()[0]:.1f}"
    )


def main(folder: Path, rows: int, rate: float) -> None:
    with up(folder) as service:
        if RETAIL.exists():
            backfill(service)
        beside_others(service, rows, rate, folder)


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as made:
        main(Path(made), *given, *(1_000_000, 20)[len(given) :])
