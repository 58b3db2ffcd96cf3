"""A primary and its replica: two real servers on loopback."""

import signal
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from runtime.valkey import _server
from tests.ports import free_port
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class Server:
    process: subprocess.Popen[bytes]
    url: str
    redis: "Redis"

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def answers(self) -> bool:
        try:
            return bool(self.redis.ping())
        except RedisConnectionError:
            return False

    def replicas(self) -> int:
        told = self.redis.info("replication")
        return sum(1 for each in told.values() if isinstance(each, dict) and is_online(each))


def is_online(replica: dict[str, object]) -> bool:
    return replica.get("state") == "online"


@contextmanager
def server(folder: Path, *arguments: str, **client: str) -> Generator[Server]:
    """Run one; `client` says as whom it is asked."""
    port = free_port()
    folder.mkdir()
    process = subprocess.Popen(
        [
            *(str(_server()), "--bind", "127.0.0.1", "--port", str(port)),
            *("--dir", str(folder), "--logfile", str(folder / "log"), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "always"),
            *("--repl-diskless-sync-delay", "0", *arguments),
        ],
        env={"LC_ALL": "C"},
    )
    url = f"redis://127.0.0.1:{port}"
    try:
        with Redis.from_url(url, **client) as redis:
            made = Server(process, url, redis)
            until(made.answers, 30, "the server answers")
            yield made
    finally:
        # A paused one does not hear anything else.
        process.kill()
        process.wait()


@contextmanager
def replicated(folder: Path) -> Generator[tuple[Server, Server]]:
    """Run a primary and one replica that has caught up with it."""
    with ExitStack() as stack:
        primary = stack.enter_context(server(folder / "primary"))
        port = primary.url.rpartition(":")[2]
        replica = stack.enter_context(
            server(folder / "replica", "--replicaof", f"127.0.0.1 {port}")
        )
        until(lambda: primary.replicas() == 1, 30, "the replica is online")
        yield primary, replica
