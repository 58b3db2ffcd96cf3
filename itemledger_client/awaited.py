"""The client that is awaited: it does the steps of an operation on an `httpx.AsyncClient`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing, closing
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Generic, Never, ParamSpec, Self, TypeVar, assert_never

import httpx

from itemledger_client import batches, commands, exports, feed, imports, reads, writes
from itemledger_client.exports import ExportHead
from itemledger_client.session import OwnWrites, Session
from itemledger_client.steps import (
    Answer,
    Broken,
    Deed,
    Give,
    NextLine,
    NextPiece,
    Open,
    Pause,
    Request,
    Send,
    Steps,
    Upload,
)
from itemledger_client.tokens import Tokens
from itemledger_client.transport import (
    COMMAND_URL,
    DIRECT,
    OWN_MISTAKES,
    PIECE,
    QUERY_URL,
    Count,
    Lines,
    Token,
    answer_of,
    broken,
    built,
    session_of,
)
from itemledger_client.values import Item

P = ParamSpec("P")
G = TypeVar("G")
T = TypeVar("T")


def _returns(
    operation: Callable[Concatenate[Session, P], Steps[Never, T]],
) -> "Callable[Concatenate[AsyncCatalogue, P], Coroutine[Any, Any, T]]":
    """Make the method that does an operation and returns what it comes to."""

    @wraps(operation)
    async def call(self: "AsyncCatalogue", *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(operation(self.session, *args, **kwargs))

    return call


def _iterates(
    operation: Callable[Concatenate[Session, P], Steps[G, None]],
) -> "Callable[Concatenate[AsyncCatalogue, P], AsyncGenerator[G]]":
    """Make the method that does an operation while somebody iterates over what it gives."""

    @wraps(operation)
    def call(self: "AsyncCatalogue", *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[G]:
        return self.iterate(operation(self.session, *args, **kwargs))

    return call


class AsyncCatalogue:
    """As Catalogue, to be awaited: what returns there is a coroutine here, and what iterates is an
    asynchronous iterator.
    """

    def __init__(
        self,
        command_url: str = COMMAND_URL,
        query_url: str = QUERY_URL,
        *,
        token: Token = None,
        timeout: float = 10.0,
        patience: float = 30.0,
        own_writes: OwnWrites = "strict",
        tokens: Iterable[str] = (),
        http: httpx.AsyncClient | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.session = session_of(
            command_url, query_url, token, timeout, patience, own_writes, Tokens(tokens)
        )
        self._is_own = http is None
        self._http = http or httpx.AsyncClient(mounts=dict.fromkeys(DIRECT))
        self._pause = pause

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections, unless they are those of an `http` client that was given."""
        if self._is_own:
            await self._http.aclose()

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens of this client's writes, for another client that is to see them."""
        return self.session.tokens.all()

    create = _returns(writes.create)
    put = _returns(writes.put)
    patch = _returns(writes.patch)
    delete = _returns(writes.delete)
    restore = _returns(writes.restore)
    revert = _returns(writes.revert)
    schedule_price = _returns(writes.schedule_price)
    cancel_scheduled_price = _returns(writes.cancel_scheduled_price)
    batch = _returns(batches.batch)
    command = _returns(commands.command)
    outcome = _returns(commands.outcome)

    item = _returns(reads.item)
    page = _returns(reads.page)
    items = _iterates(reads.items)
    history = _iterates(reads.history)
    diff = _returns(reads.diff)
    prices = _iterates(reads.prices)
    prior_price = _returns(reads.prior_price)
    scheduled_price = _returns(reads.scheduled_price)
    scheduled_prices = _iterates(reads.scheduled_prices)
    stats = _returns(reads.stats)
    view = _returns(reads.view)
    status = _returns(reads.status)

    changes = _iterates(feed.changes)
    poll = _iterates(feed.poll)
    follow = _iterates(feed.follow)

    send_import = _returns(imports.send_import)
    all_imports = _iterates(imports.all_imports)
    import_state = _returns(imports.import_state)
    import_rows = _iterates(imports.import_rows)
    import_ended = _returns(imports.import_ended)
    pause_import = _returns(imports.pause_import)
    resume_import = _returns(imports.resume_import)
    cancel_import = _returns(imports.cancel_import)
    revert_import = _returns(imports.revert_import)

    async def export(self, *, include_deleted: bool = False) -> "AsyncExport[Item]":
        """Begin to read all items as of one moment. Iterating raises BrokenOff where it ends too
        soon.
        """
        steps = self.iterate(exports.export(self.session, include_deleted=include_deleted))
        return AsyncExport(await anext(steps), steps)

    async def download(
        self, form: exports.Form = "ndjson", *, include_deleted: bool = False
    ) -> "AsyncExport[bytes]":
        """Begin to read the same as a file. Iterating raises BrokenOff where the connection breaks;
        `count` tells whether all is there where the service stopped short.
        """
        steps = exports.download(self.session, form, include_deleted=include_deleted)
        pieces = self.iterate(steps)
        return AsyncExport(await anext(pieces), pieces)

    async def run(self, steps: Steps[Never, T]) -> T:
        """Do the steps of an operation, and return what it comes to."""
        reply: Any = None
        async with aclosing(_Stream(self._http)) as stream:
            while True:
                try:
                    step = steps.send(reply)
                except StopIteration as end:
                    result: T = end.value
                    return result
                if isinstance(step, Give):
                    assert_never(step.value)
                reply = await self._do(step, stream)

    async def iterate(self, steps: Steps[G, None]) -> AsyncGenerator[G]:
        """Do the steps of an operation, and yield what it gives."""
        reply: Any = None
        async with aclosing(_Stream(self._http)) as stream:
            with closing(steps):
                while True:
                    try:
                        step = steps.send(reply)
                    except StopIteration:
                        return
                    if isinstance(step, Give):
                        yield step.value
                        reply = None
                    else:
                        reply = await self._do(step, stream)

    async def _do(self, deed: Deed, stream: "_Stream") -> Any:
        match deed:
            case Send(request):
                return await self._send(request)
            case Open(request):
                return await stream.open(request)
            case NextLine():
                return await stream.next_line()
            case NextPiece():
                return await stream.next_piece()
            case Pause(seconds):
                return await self._pause(seconds)
            case _:
                assert_never(deed)

    async def _send(self, request: Request) -> Answer | Broken:
        count = Count()
        content = request.content
        if isinstance(content, Upload):
            content = _pieces(content, count)
        try:
            response = await self._http.send(built(self._http, request, content))
        except OWN_MISTAKES:
            raise
        except httpx.RequestError as error:
            return broken(error, count)
        return answer_of(response, response.content)


class AsyncExport(Generic[T]):
    """An export that has begun: iterate over its items, or the bytes of its file. `count` is how
    many items there will be, and the feed goes on right after them at `cursor`, which is also in
    the URL `changes`.
    """

    def __init__(self, head: ExportHead | T, steps: AsyncGenerator[ExportHead | T]) -> None:
        if not isinstance(head, ExportHead):
            raise TypeError("an export gives its head first")
        self.count, self.cursor, self.changes = head.count, head.cursor, head.changes
        self._steps = steps

    def __aiter__(self) -> AsyncIterator[T]:
        return (each async for each in self._steps if not isinstance(each, ExportHead))

    async def close(self) -> None:
        """End it early: the service keeps a moment of its database for as long as it lasts."""
        await self._steps.aclose()


class _Stream:
    """The answer that is read line by line, one at a time."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None
        self._lines = Lines()

    async def open(self, request: Request) -> Answer | Broken:
        await self.aclose()
        try:
            sent = built(self._http, request, request.content)
            response = self._response = await self._http.send(sent, stream=True)
            content = b"" if response.is_success else await response.aread()
        except OWN_MISTAKES:
            raise
        except httpx.RequestError as error:
            return broken(error, Count())
        self._pieces, self._lines = response.aiter_bytes(), Lines()
        return answer_of(response, content)

    async def next_piece(self) -> bytes | Broken | None:
        try:
            return None if self._pieces is None else await anext(self._pieces, None)
        except httpx.RequestError as error:
            return broken(error, Count())

    async def next_line(self) -> bytes | Broken | None:
        while (line := self._lines.next()) is None:
            piece = await self.next_piece()
            if not isinstance(piece, bytes):
                return piece
            self._lines.take(piece)
        return line

    async def aclose(self) -> None:
        if self._response is not None:
            await self._response.aclose()


async def _pieces(upload: Upload, count: Count) -> AsyncIterator[bytes]:
    # A disk is not awaited: others have their turn meanwhile.
    await asyncio.to_thread(upload.file.seek, upload.start)
    while piece := await asyncio.to_thread(upload.file.read, PIECE):
        count.sent += len(piece)
        yield piece
