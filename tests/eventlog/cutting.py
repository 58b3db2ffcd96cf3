"""A proxy that loses answers after the server has run the command, and counts what it saw."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Cutting:
    """Lets every request through; an answer to `word` is cut, at a place that the dice choose, and
    the connection with it, in `share` of the cases and `cuts` times at most.
    """

    def __init__(
        self, socket: Path, target: Path, word: bytes, cuts: int, share: float, dice: random.Random
    ) -> None:
        self.socket = socket
        self._target = target
        self._word = word
        self._left = cuts
        self._share = share
        self._dice = dice
        self.seen = 0
        # By how much of the answer came through: nothing, a part, all of it.
        self.places: Counter[str] = Counter()
        self._serving: set[asyncio.Task[None] | None] = set()

    @property
    def cuts(self) -> int:
        return self.places.total()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        server = await asyncio.start_unix_server(self._serve, self.socket)
        async with server:
            yield f"unix://{self.socket}"
            for each in self._serving:
                each.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(self._target)
        # Requests of the word whose answers have not been let through or cut yet.
        open_requests = 0

        async def there() -> None:
            nonlocal open_requests
            while data := await reader.read(1 << 20):
                found = data.count(self._word)
                self.seen += found
                open_requests += found
                upstream_writer.write(data)

        async def back() -> None:
            nonlocal open_requests
            while data := await upstream_reader.read(1 << 20):
                if open_requests and self._left > 0:
                    open_requests = 0
                    if self._dice.random() < self._share:
                        self._left -= 1
                        writer.write(data[: self._place(len(data))])
                        await writer.drain()
                        return
                writer.write(data)

        tasks = [asyncio.create_task(there()), asyncio.create_task(back())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # The end of the test; nobody awaits this task but the server that started it.
            return
        finally:
            for each in tasks:
                each.cancel()
            for each in (writer, upstream_writer):
                each.close()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._serving.discard(task)

    def _place(self, length: int) -> int:
        """Choose where to cut: often at the ends, where an answer looks like none or like whole."""
        place = self._dice.choice((0, 1, length - 1, length, self._dice.randrange(length)))
        kind = "nothing" if place == 0 else "all" if place == length else "a part"
        self.places[kind] += 1
        return place
