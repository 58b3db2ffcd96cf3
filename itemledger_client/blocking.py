"""The client that blocks: it does the steps of an operation on an `httpx.Client`."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
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
) -> "Callable[Concatenate[Catalogue, P], T]":
    """Make the method that does an operation and returns what it comes to."""

    @wraps(operation)
    def call(self: "Catalogue", *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(operation(self.session, *args, **kwargs))

    return call


def _iterates(
    operation: Callable[Concatenate[Session, P], Steps[G, None]],
) -> "Callable[Concatenate[Catalogue, P], Generator[G]]":
    """Make the method that does an operation while somebody iterates over what it gives."""

    @wraps(operation)
    def call(self: "Catalogue", *args: P.args, **kwargs: P.kwargs) -> Generator[G]:
        return self.iterate(operation(self.session, *args, **kwargs))

    return call


class Catalogue:
    """A catalogue at its two URLs, read and written over HTTP.

    `token` is a bearer token, or what makes one when it is asked. A request may take `timeout`
    seconds, and one that fails in passing is repeated for `patience` seconds. Reads have this
    client's own writes: `strict`, or raise ProjectionBehind; `lenient`, or are older; `ignore`, as
    it comes. `tokens` are those of another client, whose writes this one is to see. An `http`
    client that is given is used as it is, and left open. What goes wrong is raised as a
    CatalogueError.
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
        http: httpx.Client | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self.session = session_of(
            command_url, query_url, token, timeout, patience, own_writes, Tokens(tokens)
        )
        self._is_own = http is None
        self._http = http or httpx.Client(mounts=dict.fromkeys(DIRECT))
        self._pause = pause

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections, unless they are those of an `http` client that was given."""
        if self._is_own:
            self._http.close()

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

    def export(self, *, include_deleted: bool = False) -> "Export[Item]":
        """Begin to read all items as of one moment. Iterating raises BrokenOff where it ends too
        soon.
        """
        steps = self.iterate(exports.export(self.session, include_deleted=include_deleted))
        return Export(next(steps), steps)

    def download(
        self, form: exports.Form = "ndjson", *, include_deleted: bool = False
    ) -> "Export[bytes]":
        """Begin to read the same as a file. Iterating raises BrokenOff where the connection breaks;
        `count` tells whether all is there where the service stopped short.
        """
        steps = exports.download(self.session, form, include_deleted=include_deleted)
        pieces = self.iterate(steps)
        return Export(next(pieces), pieces)

    def run(self, steps: Steps[Never, T]) -> T:
        """Do the steps of an operation, and return what it comes to."""
        reply: Any = None
        with closing(_Stream(self._http)) as stream:
            while True:
                try:
                    step = steps.send(reply)
                except StopIteration as end:
                    result: T = end.value
                    return result
                if isinstance(step, Give):
                    assert_never(step.value)
                reply = self._do(step, stream)

    def iterate(self, steps: Steps[G, None]) -> Generator[G]:
        """Do the steps of an operation, and yield what it gives."""
        reply: Any = None
        with closing(_Stream(self._http)) as stream, closing(steps):
            while True:
                try:
                    step = steps.send(reply)
                except StopIteration:
                    return
                if isinstance(step, Give):
                    yield step.value
                    reply = None
                else:
                    reply = self._do(step, stream)

    def _do(self, deed: Deed, stream: "_Stream") -> Any:
        match deed:
            case Send(request):
                return self._send(request)
            case Open(request):
                return stream.open(request)
            case NextLine():
                return stream.next_line()
            case NextPiece():
                return stream.next_piece()
            case Pause(seconds):
                return self._pause(seconds)
            case _:
                assert_never(deed)

    def _send(self, request: Request) -> Answer | Broken:
        count = Count()
        content = request.content
        if isinstance(content, Upload):
            content = _pieces(content, count)
        try:
            response = self._http.send(built(self._http, request, content))
        except OWN_MISTAKES:
            raise
        except httpx.RequestError as error:
            return broken(error, count)
        return answer_of(response, response.content)


class Export(Generic[T]):
    """An export that has begun: iterate over its items, or the bytes of its file. `count` is how
    many items there will be, and the feed goes on right after them at `cursor`, which is also in
    the URL `changes`.
    """

    def __init__(self, head: ExportHead | T, steps: Generator[ExportHead | T]) -> None:
        if not isinstance(head, ExportHead):
            raise TypeError("an export gives its head first")
        self.count, self.cursor, self.changes = head.count, head.cursor, head.changes
        self._steps = steps

    def __iter__(self) -> Iterator[T]:
        return (each for each in self._steps if not isinstance(each, ExportHead))

    def close(self) -> None:
        """End it early: the service keeps a moment of its database for as long as it lasts."""
        self._steps.close()


class _Stream:
    """The answer that is read line by line, one at a time."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._lines = Lines()

    def open(self, request: Request) -> Answer | Broken:
        self.close()
        try:
            sent = built(self._http, request, request.content)
            response = self._response = self._http.send(sent, stream=True)
            content = b"" if response.is_success else response.read()
        except OWN_MISTAKES:
            raise
        except httpx.RequestError as error:
            return broken(error, Count())
        self._pieces, self._lines = response.iter_bytes(), Lines()
        return answer_of(response, content)

    def next_piece(self) -> bytes | Broken | None:
        try:
            return next(self._pieces, None)
        except httpx.RequestError as error:
            return broken(error, Count())

    def next_line(self) -> bytes | Broken | None:
        while (line := self._lines.next()) is None:
            piece = self.next_piece()
            if not isinstance(piece, bytes):
                return piece
            self._lines.take(piece)
        return line

    def close(self) -> None:
        if self._response is not None:
            self._response.close()


def _pieces(upload: Upload, count: Count) -> Iterator[bytes]:
    upload.file.seek(upload.start)
    while piece := upload.file.read(PIECE):
        count.sent += len(piece)
        yield piece
