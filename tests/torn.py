"""A log whose end is torn off: what was acknowledged when, and a server on any shorter copy."""

import random
import shutil
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from domain.commands import CreateItem
from eventlog.append import Appended, Submission, evalsha, load_script, read_reply
from eventlog.codec import encode
from eventlog.envelope import Envelope
from runtime.lock import lock_folder
from runtime.positions import Position
from runtime.settings import Settings
from runtime.valkey import answer, running_valkey, valkey_child, valkey_log
from tests.waiting import until

PARTITIONS = 3


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An entry that was acknowledged when the append-only file was `size` bytes long."""

    id: str
    position: Position
    size: int


def append_file(data: Path) -> Path:
    """Find the file of the data folder that the server appends to."""
    (found,) = (data / "valkey" / "appendonlydir").glob("*.incr.aof")
    return found


def append(
    redis: "Redis", partition: int, ids: Sequence[str], widths: Sequence[int] = ()
) -> list[Position]:
    """Append entries, of one command each unless it is said how many they have."""
    script = load_script()
    redis.script_load(script.text)
    submissions = [
        Submission(
            each,
            encode(Envelope(each, CreateItem(each, 1, f"Item {each}", None, 100, "EUR"), "me", "")),
            "",
            width=width,
        )
        for each, width in zip(ids, widths or [1] * len(ids), strict=True)
    ]
    _, verdicts = read_reply(
        partition, redis.execute_command(*evalsha(script, partition, submissions))
    )
    return [each.position for each in verdicts if isinstance(each, Appended)]


def write_log(data: Path, calls: int, dice: random.Random) -> list[Acknowledged]:
    """Append to a new log, one call after the other, and end the server by SIGKILL. The first half
    is rewritten to the file that is not appended to, which no cut can reach.
    """
    settings = Settings(data=data)
    told: list[Acknowledged] = []
    with running_valkey(settings) as server:
        with Redis.from_url(settings.log_url) as redis:
            for call in range(calls):
                if call == calls // 2:
                    _rewrite(redis, data)
                partition = dice.randrange(PARTITIONS)
                ids = [f"{call}-{n}" for n in range(dice.choice((1, 1, 1, 2, 5)))]
                widths = [dice.choice((1, 1, 1, 2, 100)) for _ in ids]
                positions = append(redis, partition, ids, widths)
                size = 0 if call < calls // 2 else append_file(data).stat().st_size
                told += [
                    Acknowledged(each, at, size) for each, at in zip(ids, positions, strict=True)
                ]
        server.kill()
        server.wait()
    return told


def _rewrite(redis: "Redis", data: Path) -> None:
    folder = data / "valkey" / "appendonlydir"
    redis.bgrewriteaof()
    until(
        lambda: list(folder.glob("*.2.base.rdb")) and len(list(folder.glob("*.incr.aof"))) == 1,
        20,
        "the log rewritten and the old files gone",
    )


@contextmanager
def server_on_copy(data: Path, folder: Path, cut: int) -> Generator["Redis"]:
    """Cut a copy of a log off after so many bytes, and run the server on it."""
    shutil.copytree(data / "valkey", folder / "valkey", ignore=shutil.ignore_patterns("*.sock"))
    with append_file(folder).open("r+b") as file:
        file.truncate(cut)
    settings = Settings(data=folder)
    lock = lock_folder(folder)
    child = valkey_child(settings, lock)
    # Not tethered, because that alone takes longer than the start of the server.
    server = subprocess.Popen(child.argv, env=child.env, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while answer(settings.valkey_socket) != "ready":
            told = valkey_log(settings).read_text() if valkey_log(settings).exists() else ""
            assert server.poll() is None, f"cut at {cut}: {told[-2000:]}"
            assert time.monotonic() < deadline, f"cut at {cut}: {told[-2000:]}"
            time.sleep(0.001)  # between two looks at a server that starts
        with Redis.from_url(settings.log_url) as redis:
            yield redis
    finally:
        server.kill()
        server.wait()
        lock.release()
        shutil.rmtree(folder)
