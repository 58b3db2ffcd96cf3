"""`itemledger rebuild`, where a worker runs and where none does."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from structlog.testing import capture_logs
from typer.testing import CliRunner

from cli import rebuild
from cli.main import app
from cli.rebuild import run_rebuild, wish_of
from cli.refusals import FAILED, INTERRUPTED, UNREACHABLE, WRONG_USAGE, Refusal
from ledger import projections
from ledger.changes import Changes
from ledger.engines import reading_engine, writing_engine
from ledger.projections import Projection, Slot
from ledger.writer import SecondWriter, sole_writer
from readmodel.views import items
from readmodel.views.listing import all_views
from runtime.settings import Settings
from runtime.times import now_ms
from tests.ledger.ledgers import fill
from tests.runtime.waiting import clean_environment
from tests.waiting import until
from worker.builder import Builder
from worker.stores import Stores


@pytest.fixture(autouse=True)
def _unseen() -> Iterator[None]:
    """Leave what a builder logs to a test of the whole command."""
    with capture_logs():
        yield


@pytest.fixture
def url(database_url: str) -> str:
    filled(database_url)
    return database_url


@pytest.fixture
def given(url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=url, data=tmp_path)


def filled(url: str, commands: int = 60) -> None:
    engine = writing_engine(url)
    fill(engine, commands=commands)
    engine.dispose()


def edit(url: str, statement: str) -> None:
    engine = writing_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def book(url: str) -> Projection:
    engine = reading_engine(url)
    with engine.connect() as connection:
        found = projections.read(connection, "items")
    engine.dispose()
    assert found is not None
    return found


def run(
    settings: Settings, *, throttle: int | None = None, watch: bool = True, **wanted: bool
) -> int:
    asked = {"restart": False, "cancel": False, "rollback": False, "accept": False, **wanted}
    return run_rebuild(settings, "items", wish_of(**asked), throttle, watch=watch)


def test_without_a_worker_the_command_builds_the_view_itself(
    given: Settings, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(given) == 0
    out = capsys.readouterr().out.splitlines()

    assert out[0].startswith("items: live after ")
    assert "(equal: " in out[0]
    assert out[1] == "`itemledger rebuild items --rollback` goes back to what was."
    assert (book(url).live, book(url).state) == (2, "idle")
    assert run(given, rollback=True) == 0
    assert book(url).live == 1


def test_where_a_worker_is_being_started_again_its_place_is_left_to_it(
    given: Settings, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was heard of a moment ago; if it found the place taken, nothing would be applied."""
    if not given.is_sqlite:
        pytest.skip("PostgreSQL takes several")
    looked = threading.Event()

    def heard_of(_: Settings) -> bool:
        looked.set()
        return True

    monkeypatch.setattr(rebuild, "_is_heard_of", heard_of)
    told: list[int] = []
    watching = threading.Thread(target=lambda: told.append(run(given)))
    watching.start()
    assert looked.wait(30)
    with ExitStack() as worker:

        def has_it() -> bool:
            try:
                worker.enter_context(sole_writer(url))
            except SecondWriter:
                return False
            return True

        until(has_it, 30, "the worker has its place")
        assert book(url).state == "wanted"
        engine, reads = writing_engine(url), reading_engine(url)
        builder = Builder(Stores(engine, reads, 2), all_views(), now_ms, threading.Event())
        until(lambda: builder.look() or bool(told), 30, "the worker has built it")
        watching.join(30)
        engine.dispose()
        reads.dispose()
    assert told == [0]
    assert "no worker is there" not in capsys.readouterr().err


def test_what_differs_is_told_with_what_can_be_done_and_is_no_success(
    given: Settings, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(url, "UPDATE items SET price = 42 WHERE item_id = 'p1-3'")
    assert run(given) == FAILED
    out = capsys.readouterr().out

    assert "not equal to what is live" in out
    assert '"p1-3"' in out
    assert "--accept" in out
    assert book(url).live == 1
    assert run(given, accept=True) == 0
    assert book(url).live == 2


def test_a_build_that_fails_is_told_with_its_reason(
    given: Settings, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_connection: Connection, _slot: Slot, _changes: Changes) -> None:
        raise ZeroDivisionError("a defect of the view")

    monkeypatch.setattr(rebuild, "all_views", lambda: [replace(items.VIEW, project=broken)])
    assert run(given) == FAILED
    assert "ZeroDivisionError: a defect of the view" in capsys.readouterr().out
    assert (book(url).live, book(url).state) == (1, "failed")


def test_where_a_worker_has_the_file_it_is_only_watched(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(sqlite_url)

    def nobody(*_: Any) -> None:
        raise AssertionError("two processes would build in one file")

    monkeypatch.setattr(rebuild, "Builder", nobody)
    stopping = threading.Event()
    engine, reads = writing_engine(sqlite_url), reading_engine(sqlite_url)
    builder = Builder(Stores(engine, reads, 2), all_views(), now_ms, stopping)
    with sole_writer(sqlite_url), ExitStack() as stack:
        stack.callback(engine.dispose)
        stack.callback(reads.dispose)
        worker = threading.Thread(target=builder.run)
        worker.start()
        stack.callback(worker.join)
        stack.callback(stopping.set)
        assert run(Settings(database_url=sqlite_url, data=tmp_path)) == 0

    assert book(sqlite_url).live == 2


def test_who_does_not_watch_leaves_it_to_the_workers(
    given: Settings, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(given, watch=False, throttle=7) == 0
    assert "the workers do it" in capsys.readouterr().out
    assert (book(url).state, book(url).throttle) == ("wanted", 7)


def test_cancelling_tells_the_place_or_that_all_is_as_it_was(
    given: Settings, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(url, "UPDATE projections SET state = 'building', begun_at = 1, begun_from = 0")
    assert run(given, cancel=True) == 0
    out = capsys.readouterr().out
    assert "items: cancelled at 0 of " in out
    assert "goes on from there" in out

    edit(url, "UPDATE projections SET state = 'wanted'")
    assert run(given, cancel=True) == 0
    assert capsys.readouterr().out == "items: cancelled; all is as it was.\n"
    with pytest.raises(Refusal, match="it is not being built") as refused:
        run(given, cancel=True)
    assert refused.value.code == FAILED


def test_one_thing_can_be_wanted_at_a_time() -> None:
    with pytest.raises(Refusal, match="give one of") as refused:
        wish_of(restart=True, cancel=True, rollback=False, accept=False)
    assert refused.value.code == WRONG_USAGE
    assert wish_of(restart=False, cancel=False, rollback=False, accept=False) == "rebuild"


def test_a_view_that_there_is_not_is_wrong_usage_and_the_others_are_named(given: Settings) -> None:
    with pytest.raises(Refusal, match=r"there is no view 'itens'; there are .*items") as refused:
        run_rebuild(given, "itens", "rebuild", None, watch=True)
    assert refused.value.code == WRONG_USAGE


@pytest.mark.parametrize("throttle", ["0", "-5", "many"])
def test_a_throttle_is_a_number_of_events(throttle: str) -> None:
    told = CliRunner().invoke(app, ["rebuild", "items", "--throttle", throttle])
    assert told.exit_code == WRONG_USAGE


def test_a_database_that_is_not_there_is_told_in_one_line_and_not_made(tmp_path: Path) -> None:
    file = tmp_path / "no-such.db"
    given = Settings(database_url=f"sqlite:///{file}", data=tmp_path)
    with pytest.raises(Refusal) as refused:
        run(given)
    assert refused.value.code == UNREACHABLE
    assert "\n" not in str(refused.value)
    assert not file.exists()


def test_a_schema_of_another_release_is_not_touched(sqlite_url: str, tmp_path: Path) -> None:
    edit(sqlite_url, "UPDATE alembic_version SET version_num = '0006'")
    with pytest.raises(Refusal, match="itemledger migrate") as refused:
        run(Settings(database_url=sqlite_url, data=tmp_path))
    assert refused.value.code == UNREACHABLE
    assert book(sqlite_url).state == "idle"


def test_a_ledger_that_no_worker_has_seen_says_so(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="start a worker once"):
        run(Settings(database_url=database_url, data=tmp_path))


def test_after_ctrl_c_a_build_can_be_gone_on_with(url: str, tmp_path: Path) -> None:
    filled_more(url)
    environment = clean_environment(ITEMLEDGER_DATABASE_URL=url, ITEMLEDGER_DATA=str(tmp_path))
    command = [sys.executable, "-m", "cli", "rebuild", "items", "--throttle", "1"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: book(url).state == "building", 60, "the build to begin")
        os.kill(process.pid, signal.SIGINT)
        out, said = process.communicate(timeout=60)

    assert process.returncode == INTERRUPTED
    assert "items: stops here; a worker goes on with it, or" in said
    assert "Traceback" not in said
    assert out == ""
    assert book(url).state == "building"
    assert run(Settings(database_url=url, data=tmp_path), throttle=1_000_000) == 0
    assert book(url).live == 2


def filled_more(url: str) -> None:
    """Add more than is taken in one go at the end of a build."""
    engine = writing_engine(url)
    fill(engine, commands=1_500, seed=8)
    engine.dispose()
