"""Both clients over a service that is played, with a clock of their own: no test waits."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import replace
from inspect import isasyncgen, isawaitable, isgenerator
from itertools import islice
from typing import Any, Literal

import httpx

from itemledger_client import AsyncCatalogue, Catalogue

COMMAND, QUERY = "http://command.test", "http://query.test"
Kind = Literal["blocking", "awaited"]
KINDS: tuple[Kind, ...] = ("blocking", "awaited")
Reply = httpx.Response | Exception

ITEM: dict[str, Any] = {
    "id": "lamp-1",
    "name": "Lamp",
    "description": None,
    "price": 4995,
    "currency": "EUR",
    "version": 1,
    "created_at": "2026-11-22T08:00:00.000Z",
    "updated_at": "2026-11-22T08:00:00.000Z",
    "deleted_at": None,
}


class Played:
    """Answers requests by a function, or with these replies in order; keeps what was asked."""

    def __init__(self, play: Callable[[httpx.Request], Reply] | Iterable[Reply]) -> None:
        self.asked: list[httpx.Request] = []
        self.bodies: list[bytes] = []
        script = iter(()) if callable(play) else iter(play)
        self._play = play if callable(play) else lambda _: next(script)

    def blocking(self, request: httpx.Request) -> httpx.Response:
        return self._reply(request, request.read())

    async def awaited(self, request: httpx.Request) -> httpx.Response:
        return self._reply(request, await request.aread())

    def _reply(self, request: httpx.Request, body: bytes) -> httpx.Response:
        self.asked.append(request)
        self.bodies.append(body)
        reply = self._play(request)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply.stream, Pieces):
            return reply
        # httpx makes a response that was sent once the answer to that request.
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    def sent(self, header: str) -> list[str | None]:
        return [each.headers.get(header) for each in self.asked]


class Driven:
    """One of the two clients, called by the name of a method; its clock moves by its pauses."""

    def __init__(
        self,
        kind: Kind,
        play: Callable[[httpx.Request], Reply] | Iterable[Reply],
        *,
        dice: Callable[[], float] = lambda: 0.5,
        **options: Any,
    ) -> None:
        self.kind = kind
        self.played = Played(play)
        self.pauses: list[float] = []
        self.now = 0.0
        if kind == "blocking":
            http: Any = httpx.Client(transport=httpx.MockTransport(self.played.blocking))
            made: Any = Catalogue(COMMAND, QUERY, http=http, pause=self._pause, **options)
        else:
            http = httpx.AsyncClient(transport=httpx.MockTransport(self.played.awaited))
            made = AsyncCatalogue(COMMAND, QUERY, http=http, pause=self._pause_soon, **options)
        made.session = replace(made.session, clock=lambda: self.now, dice=dice)
        self.catalogue = made

    def __call__(self, name: str, /, *args: Any, first: int | None = None, **kwargs: Any) -> Any:
        """Call a method; of one that iterates return all values, or the first ones."""
        made = getattr(self.catalogue, name)(*args, **kwargs)
        if isgenerator(made):
            found = list(islice(made, first))
            made.close()
            return found
        if isasyncgen(made):
            return asyncio.run(_some(made, first))
        return asyncio.run(_result(made)) if isawaitable(made) else made

    def exported(self) -> tuple[int, str, list[Any]]:
        if self.kind == "blocking":
            export = self.catalogue.export()
            return export.count, export.cursor, list(export)

        async def go() -> tuple[int, str, list[Any]]:
            export = await self.catalogue.export()
            return export.count, export.cursor, [each async for each in export]

        return asyncio.run(go())

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def _pause_soon(self, seconds: float) -> None:
        self._pause(seconds)


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in pieces; after them it may break."""

    def __init__(self, pieces: Iterable[bytes], breaks: Exception | None = None) -> None:
        self._pieces = pieces
        self._breaks = breaks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._breaks is not None:
            raise self._breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def item(**members: Any) -> dict[str, Any]:
    return ITEM | members


def created(token: str = "0.7.1", **members: Any) -> httpx.Response:  # noqa: S107  no secret
    return httpx.Response(201, json=item(**members), headers={"Consistency-Token": token})


def problem(status: int, code: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    document = {"type": f"{COMMAND}/problems/{code}", "title": code, "status": status}
    document |= {"detail": f"because of {code}", "code": code, **more}
    sent = {"Content-Type": "application/problem+json", **(headers or {})}
    return httpx.Response(status, content=json.dumps(document), headers=sent)


async def _result(made: Any) -> Any:
    return await made


async def _some(made: Any, first: int | None) -> list[Any]:
    found: list[Any] = []
    while first is None or len(found) < first:
        try:
            found.append(await anext(made))
        except StopAsyncIteration:
            break
    await made.aclose()
    return found
