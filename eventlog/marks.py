"""Marks of what a worker has begun: who dies at it can not tell, so it is told before."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError

from eventlog import keys
from runtime.positions import Position

_ALL = (keys.begun, keys.alone, keys.row)


class Marks:
    """`process` names this process among all that ever were."""

    def __init__(self, redis: "Redis", process: str) -> None:
        self._redis = redis
        self._process = process
        script = Path(__file__).with_name("begun.lua").read_text("utf-8")
        self._script = redis.register_script(script)

    def begin(self, checkpoints: Sequence[Position]) -> dict[int, int]:
        """Mark that what follows each of these positions is begun; say, by partition, how many
        processes have begun it. One of whose commands was begun alone by another process, and has
        not come to its end, counts as begun once too often by itself: it is told as -1.
        """
        try:
            return self._begin(checkpoints)
        except NoScriptError:
            self._redis.script_load(self._script.script)
            return self._begin(checkpoints)

    def _begin(self, checkpoints: Sequence[Position]) -> dict[int, int]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for each in checkpoints:
                pipeline.evalsha(
                    self._script.sha, 1, keys.begun(each.partition), each.stream_id, self._process
                )
                pipeline.hget(keys.alone(each.partition), "what")
            answers: list[Any] = pipeline.execute()
        begun: dict[int, int] = {}
        for place, checkpoint in enumerate(checkpoints):
            times, alone = answers[2 * place : 2 * place + 2]
            last = Position.from_stream_id(checkpoint.partition, (alone or b"0-0").decode())
            begun[checkpoint.partition] = -1 if last > checkpoint else int(times)
        return begun

    def begin_alone(self, position: Position) -> int:
        """Mark that a command is begun by itself; say how many processes have begun it so."""
        times: Any = self._script(
            [keys.alone(position.partition)], [position.stream_id, self._process]
        )
        return int(times)

    def begin_row(self, partition: int, row: str) -> int:
        """Mark that a row of an entry is begun by itself; say likewise."""
        times: Any = self._script([keys.row(partition)], [row, self._process])
        return int(times)

    def row(self, partition: int) -> str | None:
        """Tell which row was begun by itself last."""
        found: Any = self._redis.hget(keys.row(partition), "what")
        return None if found is None else found.decode()

    def ended_alive(self, partitions: Sequence[int]) -> None:
        """Take back the marks of what failed without taking its process with it."""
        names = [name(each) for each in partitions for name in _ALL]
        self._redis.delete(*names)
