"""A proxy that loses answers after the server has run the command, or the command on its way, and
counts what it saw.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Cutting:
    """Listens at a unix socket for a server at another one, or at a host and port. Lets every
    request through; an answer to `word` is cut, and the connection with it, `cuts`
    times at most: before its first byte, or in `share` of the cases at a place that the dice
    choose. With `swallow` it is the request that is lost.
    """

    def __init__(
        self,
        socket: Path,
        target: Path | tuple[str, int],
        word: bytes,
        cuts: int,
        share: float = 1.0,
        dice: random.Random | None = None,
        *,
        swallow: bool = False,
    ) -> None:
        self.socket = socket
        self._target = target
        self._word = word
        self._left = cuts
        self._share = share
        self._dice = dice
        self._swallow = swallow
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
        upstream_reader, upstream_writer = await self._connect()
        # Requests of the word whose answers have not been let through or cut yet.
        open_requests = 0

        async def there() -> None:
            nonlocal open_requests
            while (data := await reader.read(1 << 20)) and not self._swallows(data):
                found = data.count(self._word)
                self.seen += found
                open_requests += found
                upstream_writer.write(data)

        async def back() -> None:
            nonlocal open_requests
            while data := await upstream_reader.read(1 << 20):
                if open_requests and self._left > 0:
                    open_requests = 0
                    if self._dice is None or self._dice.random() < self._share:
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

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    def _swallows(self, data: bytes) -> bool:
        if not self._swallow or self._left <= 0 or self._word not in data:
            return False
        self._left -= 1
        self.places["nothing"] += 1
        return True

    def _place(self, length: int) -> int:
        """Choose where to cut: often at the ends, where an answer looks like none or like whole."""
        dice = self._dice
        within = (0, 1, length - 1, length)
        place = 0 if dice is None else dice.choice((*within, dice.randrange(length)))
        kind = "nothing" if place == 0 else "all" if place == length else "a part"
        self._left -= 1
        self.places[kind] += 1
        return place
