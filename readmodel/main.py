"""The process `query`: the Flask application under granian, one worker process of it."""

import logging
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server
from granian.server.common import AbstractServer
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from eventlog.inspect import inspect_log
from ledger import partitions
from ledger.engines import reading_engine
from ledger.register import source_of
from ledger.schema import SchemaOutOfDate, check_schema, unusable
from readmodel.app import WAITING, create_app
from readmodel.exports.routes import AT_ONCE as EXPORTS
from readmodel.hot.cache import ItemCache
from readmodel.notices import Notices
from readmodel.pulse import Pulse
from readmodel.stopping import when_told_to_stop
from readmodel.turns import Turns
from runtime.auth.guard import Unguarded, guard_of
from runtime.auth.revoked import Revoked
from runtime.settings import PREFIX, Settings
from runtime.telemetry import configure_logging
from runtime.tether import die_with

_PROCESS = "query"
# Requests that work at once: more only fight over the interpreter; on PostgreSQL they also overlap
# round trips. Those that wait, and exports, have threads of their own.
_WORKING_ON_SQLITE = 2
_WORKING_ON_POSTGRESQL = 4
_BACKLOG = 1024
# Requests taken in at once; others wait in the kernel's queue.
_BACKPRESSURE = 256
_SECONDS_TO_STOP = 5
_UNREACHABLE = 3


class _NotOfThreads(logging.Filter):
    """Leaves out a warning that there are many threads: of ours, few work at once."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Python threads" not in record.getMessage()


# Its loggers hand everything to ours.
_GRANIAN_LOGGING: dict[str, Any] = {
    "formatters": {},
    "handlers": {},
    "filters": {"threads": {"()": _NotOfThreads}},
    "loggers": {
        "_granian": {"level": "WARNING", "filters": ["threads"]},
        "granian.access": {"level": "WARNING"},
    },
}


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
        address = _free_address(settings)
    except CannotServeError as error:
        sys.stderr.write(f"itemledger query: {error}\n")
        return error.code
    server = make_server("readmodel", settings, address)
    server.on_startup(partial(log.info, "serving", url=settings.public_query_url))
    try:
        server.serve(target_loader=partial(load_worker, settings, os.getpid()), wrap_loader=False)
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else 1
    return 0


def make_server(name: str, settings: Settings, address: str) -> AbstractServer[Any]:
    """Make the server of a WSGI application at an address and the settings' port."""
    return Server(
        name,
        address=address,
        port=settings.query_port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=1,
        blocking_threads=_working(settings) + WAITING + EXPORTS + settings.followers_limit,
        backlog=_BACKLOG,
        backpressure=_BACKPRESSURE + settings.followers_limit,
        workers_kill_timeout=_SECONDS_TO_STOP,
        log_level=LogLevels.warning,
        log_dictconfig=_GRANIAN_LOGGING,
    )


def load_worker(settings: Settings, parent: int) -> Flask:
    """Build everything that the process of granian which answers requests needs, inside it."""
    die_with(parent)
    # Ctrl-C reaches this process too; its parent is the one that ends it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    configure_logging(settings, _PROCESS)
    working = _working(settings)
    engine = reading_engine(settings.sql_url, connections=working + EXPORTS)
    inspector = inspect_log(settings.log_url, partition_count(settings, engine))
    revoked = Revoked()
    guard = guard_of(settings, revoked)
    if guard.wants_tokens:
        _hear(revoked, reading_engine(settings.sql_url, connections=1))
    pulse = Pulse(engine)
    # Those who wait are answered then, so that the server has not to wait for them.
    when_told_to_stop(pulse.close)
    turns = Turns(working, WAITING)
    cache = ItemCache(settings.item_cache)
    if settings.item_cache:
        _listen(settings, cache)
    return create_app(
        settings, engine, inspector, guard=guard, turns=turns, pulse=pulse, cache=cache
    )


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


def _free_address(settings: Settings) -> str:
    """Find the address to listen on and see that it is free.

    Granian shares its port with whoever else shares theirs, so it would not notice itself.
    """
    host, port = settings.host, settings.query_port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # Connections that have just been closed are no reason to refuse.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        why = error.strerror or str(error)
        raise CannotServeError(
            f"cannot listen on {host} port {port}: {why}; choose another with "
            "ITEMLEDGER_QUERY_PORT or ITEMLEDGER_HOST"
        ) from error
    return str(address[0])


def _working(settings: Settings) -> int:
    return _WORKING_ON_SQLITE if settings.is_sqlite else _WORKING_ON_POSTGRESQL
