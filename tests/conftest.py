"""What the tests of every room share: a fresh ledger on each database."""

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from redis import Redis
from werkzeug.routing import Rule

from ledger.migrate import migrate
from readmodel.views.listing import install
from runtime.settings import Settings
from runtime.valkey import running_valkey
from tests import postgresql
from tests.postgresql import Databases
from tests.scratch import make_run_folder, scratch_root

# Named by the process that runs the tests and inherited by its xdist workers, so that they share
# one PostgreSQL.
_RUN_FOLDER = "ITEMLEDGER_TEST_RUN_FOLDER"
_TEMPLATE = "itemledger_template"
_STARTED_BY = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    # What is made while tests are collected stays for good; to look through it again and again for
    # what does not took a fifth of the time.
    gc.disable()
    # What the worker says of every batch is of no use here, and takes its time; so do tracebacks in
    # colours, of the defects that tests make.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        processors=[
            *structlog.get_config()["processors"][:-1],
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ],
    )
    # Shells let what they start in the background ignore Ctrl-C, and so would all that is started
    # here and is to be interrupted.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        root = scratch_root()
        os.environ[_RUN_FOLDER] = config.stash[_STARTED_BY] = str(make_run_folder(root))
        # What tests are given as `tmp_path` is made below it.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(root))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    folder = config.stash.get(_STARTED_BY, None)
    if folder is None:
        return
    if (Path(folder) / "postgresql" / "postmaster.pid").exists():
        postgresql.server_of(Path(folder)).stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def _routes_are_compiled_once() -> None:
    """Thousands of applications are made here, all of the same routes: for each of them werkzeug
    compiles the builders of URLs anew, which takes half of what an application takes.
    """
    compiled: dict[tuple[object, ...], Any] = {}
    compile_builder = Rule._compile_builder

    def once(rule: Rule, append_unknown: bool = True) -> Any:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        key = (append_unknown, *rule._trace)
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    Rule._compile_builder = once  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def run_folder() -> Path:
    """A folder that all xdist workers share and that is gone after the run; short enough for
    sockets.
    """
    return Path(os.environ[_RUN_FOLDER])


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty migrated SQLite file: to be copied, never to be written."""
    file = tmp_path_factory.mktemp("template") / "itemledger.db"
    migrate(f"sqlite:///{file}", install)
    return file


@pytest.fixture(scope="session")
def postgresql_server(run_folder: Path) -> Any:
    """The PostgreSQL of this run, with an empty migrated template database in it."""
    return postgresql.started(run_folder)


@pytest.fixture(scope="session")
def postgresql_databases(postgresql_server: Any) -> Iterator[Databases]:
    """Databases of that server for the tests of this process."""
    databases = Databases(postgresql_server)
    yield databases
    databases.drop()


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_sqlite_file: Path) -> str:
    """A fresh, empty, migrated SQLite file."""
    file = tmp_path / "itemledger.db"
    shutil.copy(migrated_sqlite_file, file)
    return f"sqlite:///{file}"


@pytest.fixture
def postgresql_url(postgresql_databases: Databases) -> Iterator[str]:
    """A fresh, empty, migrated PostgreSQL database."""
    with postgresql_databases.lent() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, empty, migrated database: the test runs once on each engine."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(scope="session")
def unset() -> Settings:
    """Settings of which nobody has said anything. To read them takes longer than many tests do."""
    with pytest.MonkeyPatch.context() as environment:
        _say_nothing(environment)
        return Settings()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unset: Settings) -> Settings:
    """Settings of a fresh data folder, whatever the environment of the tests says."""
    _say_nothing(monkeypatch)
    return unset.model_copy(update={"data": tmp_path / "data"})


def _say_nothing(environment: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ITEMLEDGER_") and name != _RUN_FOLDER:
            environment.delenv(name)
    environment.setenv("ITEMLEDGER_ENV_FILE", "")


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A real Valkey for this xdist worker."""
    settings = Settings(data=tmp_path_factory.mktemp("valkey"))
    with running_valkey(settings):
        yield settings


@pytest.fixture
def valkey_url(valkey_server: Settings) -> str:
    """A real, empty Valkey."""
    with Redis.from_url(valkey_server.log_url) as redis:
        redis.flushall()
    return valkey_server.log_url
