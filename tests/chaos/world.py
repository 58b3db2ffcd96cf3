"""The deployment under test: `itemledger up` between a Valkey, a database and a proxy of ours."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from redis import Redis

from tests.asking import is_ready
from tests.chaos.databases import Postgresql, Sqlite
from tests.chaos.options import Options
from tests.chaos.processes import Processes, end, end_now, matching
from tests.chaos.valkey import Valkey
from tests.chaos.waits import NotInTime, Patience, until
from tests.chaos.watch import Watch
from tests.ports import free_port

_READY = 60.0
# `up` asks its children to end one after another, each with a deadline of its own.
_STOP = 60.0


class Proxy:
    """How the service reaches Valkey, and what is in its way."""

    def __init__(self, processes: Processes, folder: Path, port: int, server_port: int) -> None:
        self.port = port
        self._log = folder / "proxy.log"
        self._process = processes.start(
            [
                sys.executable,
                str(Path(__file__).with_name("proxy.py")),
                str(port),
                str(server_port),
            ],
            self._log,
            stdin=subprocess.PIPE,
        )

    def behave(self, mode: str, **how: float) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"mode": mode, **how}).encode() + b"\n")
        self._process.stdin.flush()

    def cuts(self) -> int:
        """Say how many answers were cut off until the behaviour was last changed."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return max((json.loads(line)["cuts"] for line in lines if line.startswith("{")), default=0)

    def close(self) -> None:
        end(self._process)
        assert self._process.stdin is not None
        self._process.stdin.close()


class World:
    """Everything that runs. `up` is restarted by us where a fault has ended it."""

    def __init__(self, options: Options, processes: Processes, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.patience = Patience()
        self.points = folder / "points"
        self.points.mkdir()
        self.up_log = folder / "up.log"
        self.endings: list[str] = []
        # Set by the run: a database that is set back has forgotten what was seen in it.
        self.watch: Watch | None = None
        self._processes = processes
        command, query, server, proxy, database = (free_port() for _ in range(5))
        self.command_url = f"http://127.0.0.1:{command}"
        self.query_url = f"http://127.0.0.1:{query}"
        self._data = folder / "data"
        self.valkey: Valkey | None = None
        self.proxy: Proxy | None = None
        if options.mode == "own":
            self.valkey = Valkey(processes, folder / "valkey", server, options.valkey)
            self.proxy = Proxy(processes, folder, proxy, server)
        self.database: Sqlite | Postgresql = (
            Sqlite(folder / "ledger" / "itemledger.db")
            if options.database == "sqlite"
            else Postgresql(processes, folder / "postgresql", database)
        )
        self._up: subprocess.Popen[bytes] | None = None
        self._env = self._environment(command, query)
        self._lock = threading.RLock()

    def _environment(self, command: int, query: int) -> dict[str, str]:
        options = self.options
        kept = {name: value for name, value in os.environ.items() if "ITEMLEDGER" not in name}
        env = kept | {
            "PYTHONPATH": str(options.root),
            "ITEMLEDGER_ENV_FILE": "",
            "ITEMLEDGER_DATA": str(self._data),
            "ITEMLEDGER_COMMAND_PORT": str(command),
            "ITEMLEDGER_QUERY_PORT": str(query),
            "ITEMLEDGER_FAILPOINTS": str(self.points),
            "ITEMLEDGER_MIN_DURABILITY": "fsync",
            "ITEMLEDGER_DATABASE_URL": self.database.url,
            "ITEMLEDGER_PARTITIONS": str(options.partitions),
            "ITEMLEDGER_WORKERS": str(options.workers),
        }
        if self.proxy is not None:
            env["ITEMLEDGER_REDIS_URL"] = f"redis://127.0.0.1:{self.proxy.port}"
        return env | dict(options.environment)

    def start(self) -> None:
        if self.valkey is not None:
            self.valkey.start()
        self.database.start()
        if isinstance(self.database, Postgresql):
            self.database.create()
        self.start_up()

    def start_up(self) -> None:
        """Start `up` and wait until both services are ready."""
        with self._lock:
            process = self._up = self._processes.start(
                [sys.executable, "-m", "cli", "up"], self.up_log, self._env
            )
        until(lambda: self.ready() or process.poll() is not None, _READY, "both services ready")
        if process.poll() is not None:
            raise NotInTime(f"`up` has ended: {tail(self.up_log)}")

    def look_after_up(self) -> None:
        """Note where `up` has ended by itself: nothing that a run does may end it."""
        with self._lock:
            process = self._up
        if process is not None and process.poll() is not None:
            self.endings.append(f"`up` ended with {process.returncode}: {tail(self.up_log)}")
            self.start_up()

    def up_process(self) -> psutil.Process | None:
        with self._lock:
            return None if self._up is None else psutil.Process(self._up.pid)

    def stop_up(self, number: int = signal.SIGTERM) -> int:
        """End `up` and return its exit code."""
        with self._lock:
            assert self._up is not None
            process, self._up = self._up, None
            family = self._family(process)
            if number == signal.SIGKILL:
                end_now(process)
            else:
                process.send_signal(number)
                try:
                    process.wait(_STOP)
                except subprocess.TimeoutExpired:
                    self.endings.append("`up` did not end when it was asked to")
                    end_now(process)
            _, alive = psutil.wait_procs(family, 30)
            if alive:
                self.endings.append(f"outlived `up`: {alive}")
            return process.returncode

    def _family(self, process: subprocess.Popen[bytes]) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(process.pid).children(recursive=True)
        return []

    def children(self, name: str) -> list[psutil.Process]:
        """List the processes of one kind: `api`, `worker`, `query`, `cron`, `valkey`."""
        with self._lock:
            if self._up is None:
                return []
            if name == "valkey":
                return matching(self._up.pid, lambda argv: "valkey" in Path(argv[0]).name)
            return matching(self._up.pid, lambda argv: argv[-2:] == ["cli", name])

    def pid_of_valkey(self) -> int | None:
        if self.valkey is not None:
            return self.valkey.pid
        return next((each.pid for each in self.children("valkey")), None)

    def redis(self) -> "Redis":
        """Make a client that goes past the proxy."""
        if self.valkey is not None:
            return self.valkey.client()
        return Redis(unix_socket_path=str(self._data / "valkey" / "valkey.sock"), socket_timeout=5)

    def ready(self) -> bool:
        return is_ready(self.command_url, self.query_url)

    def complete(self) -> bool:
        """Say whether every process is there and both services are ready."""
        kinds = {"api": 1, "query": 1, "worker": self.options.workers}
        return all(len(self.children(kind)) == count for kind, count in kinds.items()) and (
            self.ready()
        )

    def close(self) -> None:
        self.patience.over.set()
        if self._up is not None:
            code = self.stop_up()
            if code != 0:
                self.endings.append(f"`up` ended with {code} when asked to: {tail(self.up_log)}")
        if self.proxy is not None:
            self.proxy.close()
        self.database.stop()
        if self.valkey is not None:
            self.valkey.kill()


def tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""


@contextmanager
def running(options: Options) -> Iterator[World]:
    """Run the whole deployment in a folder of its own, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    # PostgreSQL runs as another user where we are root.
    folder.chmod(0o755)
    try:
        with Processes() as processes:
            world = World(options, processes, folder)
            try:
                world.start()
                yield world
            finally:
                world.close()
                _keep_logs(folder, options.folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _keep_logs(folder: Path, report: Path) -> None:
    report.mkdir(parents=True, exist_ok=True)
    for log in folder.rglob("*.log"):
        shutil.copy(log, report / log.name)


def now() -> float:
    return time.monotonic()
