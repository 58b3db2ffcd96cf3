"""All clients in one event loop, in a thread of their own."""

import asyncio
import random
import threading
from collections import deque

from tests.chaos.clients import Client
from tests.chaos.history import History, Line
from tests.chaos.options import Options
from tests.chaos.wire import Wire
from tests.chaos.workloads import CREW, volume

_FOLLOWED_SHARE = 0.02
_FINAL = {"applied", "unchanged", "rejected", "expired", "dead", "lost"}
_OK, _ABSENT = 200, 404
# How often a command is looked at before it is given up.
_LOOKS = 60


class Crew:
    """Runs from `start` to `stop`. Clients end after the request in hand."""

    def __init__(
        self, options: Options, history: History, command_url: str, query_url: str
    ) -> None:
        self._options = options
        self._history = history
        self._urls = command_url, query_url
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="clients", daemon=True)
        self._to_follow: deque[tuple[str, str | None]] = deque(maxlen=500)
        self._dice = random.Random(f"{options.seed}-follow")  # noqa: S311  no secret
        self.error: BaseException | None = None
        history.listeners.append(self._listen)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        if not self._loop.is_closed():
            self._loop.close()
        if self.error is not None:
            raise self.error

    def _listen(self, line: Line) -> None:
        if line["type"] == "ok" and line.get("f") == "write":
            for row in line["rows"]:
                if row["st"] == "accepted" and self._dice.random() < _FOLLOWED_SHARE:
                    self._to_follow.append((row["cmd"], row.get("token")))

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._work())
        except BaseException as error:  # noqa: BLE001
            self.error = error

    async def _work(self) -> None:
        wire = Wire(*self._urls)
        crew = (("volume", volume, self._options.volume), *CREW)
        try:
            async with asyncio.TaskGroup() as group:
                for name, work, count in crew:
                    for number in range(count):
                        group.create_task(work(self._client(wire, name, number)))
                group.create_task(self._follow(self._client(wire, "follow", 0)))
        finally:
            await wire.close()

    def _client(self, wire: Wire, name: str, number: int) -> Client:
        dice = random.Random(f"{self._options.seed}-{name}-{number}")  # noqa: S311  no secret
        return Client(wire, self._history, dice, self._stop, self._options.pace, name)

    async def _follow(self, client: Client) -> None:
        """Look at acknowledged commands until they are final, and once more later."""
        final: deque[str] = deque(maxlen=200)
        while not self._stop.is_set():
            if self._to_follow:
                await self._follow_one(client, *self._to_follow.popleft(), final)
            elif final:
                await self._look(client, client.dice.choice(final), None)
            await client.rest(0.05)

    async def _follow_one(
        self, client: Client, command_id: str, token: str | None, final: deque[str]
    ) -> None:
        for _ in range(_LOOKS):
            said = await self._look(client, command_id, token)
            if said in _FINAL:
                final.append(command_id)
                return
            if self._stop.is_set():
                return
            await client.rest(0.1)

    async def _look(self, client: Client, command_id: str, token: str | None) -> str | None:
        number = self._history.invoke(client.proc, "follow", cmd=command_id)
        query = "" if token is None else f"?token={token}"
        answer = await client.wire.get(f"/commands/{command_id}{query}")
        if isinstance(answer, str) or answer[0] not in {_OK, _ABSENT}:
            self._history.end(number, client.proc, "fail", "follow", cmd=command_id)
            return None
        status, document = answer
        outcome = document.get("outcome") or {}
        said = document.get("status") if status == _OK else None
        self._history.end(
            number,
            client.proc,
            "ok",
            "follow",
            cmd=command_id,
            status=status,
            said=said,
            http=outcome.get("status"),
            ver=(outcome.get("headers") or {}).get("ETag"),
        )
        return said
