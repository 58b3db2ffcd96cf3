"""The process `query`: one loop that serves, and Flask in a few threads."""

import asyncio
import socket
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from eventlog.inspect import inspect_log
from ledger import partitions
from ledger.engines import reading_engine
from ledger.moments import ShortReads
from ledger.register import source_of
from ledger.schema import SchemaOutOfDate, check_schema, unusable
from readmodel.app import POLLING, WAITING, create_app, streams_of
from readmodel.cursors import Cursors
from readmodel.exports.routes import AT_ONCE as EXPORTS
from readmodel.feed.awaited import Round
from readmodel.front.asked import Application as Served
from readmodel.front.bridge import Bridge
from readmodel.front.hands import Hands
from readmodel.front.list_memory import ListMemory
from readmodel.front.remembered import Remembered
from readmodel.guard import Doorkeeper
from readmodel.hot.cache import ItemCache
from readmodel.hot.connection import Desk, HotConnection
from readmodel.hot.desk import ItemDesk
from readmodel.hot.heads import Heads
from readmodel.hot.lists import MOST_STEPS, ListDesk
from readmodel.hot.row import ItemMoments, ItemRows
from readmodel.list_tags import ListTags
from readmodel.meter import Application
from readmodel.notices import Notices
from readmodel.paging import Paging
from readmodel.problem_codes import BAD_REQUEST
from readmodel.pulse import Pulse
from readmodel.request_log import RequestLog
from readmodel.turns import Turns
from runtime import collector
from runtime.auth.guard import Unguarded, guard_of
from runtime.auth.revoked import Revoked
from runtime.measures import Requests
from runtime.serving import Connection, Server, Words, loop_factory, make_server
from runtime.settings import PREFIX, Settings
from runtime.telemetry import configure_logging
from runtime.tracing import tracing_of

_PROCESS = "query"
# Requests that work at once: more only fight over the interpreter; on PostgreSQL they also overlap
# round trips. Those that wait have threads of their own, and so has what sends exports.
_WORKING_ON_SQLITE = 2
_WORKING_ON_POSTGRESQL = 4
_UNREACHABLE = 3
# Lists are kept in so large a part of what items have, beside them.
_LISTS_SHARE = 4


class CannotServeError(Exception):
    """The process cannot start; `str()` is one line that says why and how to mend it, `code` the
    exit code.
    """

    def __init__(self, line: str, code: int = 1) -> None:
        super().__init__(line)
        self.code = code


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code."""
    configure_logging(settings, _PROCESS)
    log = structlog.get_logger("readmodel")
    try:
        _check_guard(settings)
        _check_database(settings)
        listening = _listening(settings)
    except CannotServeError as error:
        sys.stderr.write(f"itemledger query: {error}\n")
        return error.code
    server = _server(settings)
    collector.tame()
    log.info("serving", url=settings.public_query_url)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(server.serve(sockets=[listening]))
    return 0


def _server(settings: Settings) -> Server:
    """Build everything that answers requests."""
    working = _working(settings)
    engine = reading_engine(settings.sql_url, connections=working + EXPORTS)
    pulse, turns = Pulse(engine), Turns(working, WAITING, POLLING)
    hands = Hands(working + WAITING + POLLING + EXPORTS)
    streams = streams_of(settings, engine, pulse)
    revoked, requests = Revoked(), Requests()
    guard = guard_of(settings, revoked)
    if guard.wants_tokens:
        _hear(revoked, reading_engine(settings.sql_url, connections=1))
    cache = ItemCache(settings.item_memory)
    lists = ListMemory(settings.item_memory // _LISTS_SHARE)
    if cache.is_on:
        _listen(settings, cache)
    app = create_app(
        settings,
        engine,
        inspect_log(settings.log_url, partition_count(settings, engine)),
        guard=guard,
        turns=turns,
        pulse=pulse,
        cache=cache,
        lists=lists,
        streams=streams,
        requests=requests,
        # What it has is as late as what workers tell; only the desk knows better.
        remembers=False,
    )
    application, is_watched = _watched(settings, app.wsgi_app)
    # Who may ask only so often is counted by Flask, and it writes down what is watched.
    connection = Connection
    served: Served = Bridge(application, hands, turns, Round(streams.portions, pulse, hands).feed)
    if settings.rate_limit is None and not is_watched:
        store = ItemMoments(engine) if settings.is_sqlite else ItemRows(engine)
        door = Doorkeeper(guard)
        heads = Heads(door)
        desks: list[Desk] = [ItemDesk(heads, requests, cache, store, hands)]
        if isinstance(store, ItemMoments):
            reads = ShortReads(engine, MOST_STEPS)
            paging = Paging(Cursors(settings.cursor_secret), settings.public_query_url)
            tags = ListTags(settings.cursor_secret)
            desks.append(ListDesk(heads, requests, lists, reads, paging, tags))
            served = Remembered(served, store.version, door, requests, lists)
        connection = partial(HotConnection, desks)
    return make_server(
        served,
        settings.host,
        settings.query_port,
        Words(settings.public_query_url, BAD_REQUEST),
        lifespan=False,
        connection=connection,
        # Those who wait are answered then, so that the server has not to wait for them.
        told_to_stop=lambda: threading.Thread(target=pulse.close, name="stopping").start(),
    )


def _watched(settings: Settings, application: Application) -> tuple[Application, bool]:
    """Have a line or a span written of every request, where that is wanted; say whether it is."""
    spans = tracing_of(_PROCESS)
    if settings.log_requests:
        application = RequestLog(application)
    if spans is not None:
        from readmodel.traced import Traced  # noqa: PLC0415  heavy, and rarely wanted

        application = Traced(application, spans)
    return application, settings.log_requests or spans is not None


def _listen(settings: Settings, cache: ItemCache) -> None:
    """Keep the cache right until the process ends."""
    follow = Notices(settings.log_url, cache).follow
    threading.Thread(target=follow, args=(threading.Event(),), name="notices", daemon=True).start()


def _hear(revoked: Revoked, engine: Engine) -> None:
    """Hear of revocations until the process ends, over a connection that no read waits for."""
    source = source_of(engine)
    with suppress(SQLAlchemyError):
        revoked.look(source)
    threading.Thread(target=revoked.follow, args=(source, threading.Event()), daemon=True).start()


def partition_count(settings: Settings, engine: Engine) -> int:
    """Find the number of partitions: as set, else as stored, else that of a first start."""
    if settings.partitions is not None:
        return settings.partitions
    stored = partitions.stored_count(engine)
    return settings.default_partitions if stored is None else stored


def _check_guard(settings: Settings) -> None:
    try:
        guard_of(settings)
    except Unguarded as error:
        raise CannotServeError(str(error)) from error


def _check_database(settings: Settings) -> None:
    file = make_url(settings.sql_url).database
    if settings.is_sqlite and file and not Path(file).exists():
        raise CannotServeError(
            f"there is no database {file} yet: run `itemledger migrate`, set "
            f"{PREFIX}DATABASE_URL, or run `itemledger up`, which brings it"
        )
    try:
        engine = reading_engine(settings.sql_url, connections=1)
    except ModuleNotFoundError as error:
        raise CannotServeError(
            f"the driver of the database is not installed ({error.name}): "
            "pip install 'itemledger[postgres]' brings PostgreSQL's"
        ) from error
    try:
        check_schema(engine)
    except SchemaOutOfDate as error:
        raise CannotServeError(str(error)) from error
    except SQLAlchemyError as error:
        raise CannotServeError(
            f"the database does not answer ({unusable(error)}): start it, set "
            f"{PREFIX}DATABASE_URL, or run `itemledger up`, which brings it",
            _UNREACHABLE,
        ) from error
    finally:
        engine.dispose()


def _listening(settings: Settings) -> socket.socket:
    """Listen, so that nobody else can where we are to serve."""
    host, port = settings.host, settings.query_port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
        # Connections that have just been closed are no reason to refuse.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen()
    except OSError as error:
        why = error.strerror or str(error)
        raise CannotServeError(
            f"cannot listen on {host} port {port}: {why}; choose another with "
            "ITEMLEDGER_QUERY_PORT or ITEMLEDGER_HOST"
        ) from error
    return made


def _working(settings: Settings) -> int:
    return _WORKING_ON_SQLITE if settings.is_sqlite else _WORKING_ON_POSTGRESQL
