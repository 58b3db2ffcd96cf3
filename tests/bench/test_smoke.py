"""Every bench runs, at so small a size that its figures mean nothing.

One `itemledger up` is all the services that they ask for, so that they are cheap to run: its own
start is not timed, and it stands for the one on PostgreSQL.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from bench import __main__ as bench
from bench import effort, footprint
from bench.anchors import copy_rows
from bench.goals import GOALS
from bench.measure import Sample
from bench.sides import Service, Side, Stage
from bench.sizes import TINY
from tests.journey import Deployment


class OneService(Stage):
    """Has one service, whatever is asked for."""

    def service(self, database: str = "sqlite", **settings: object) -> Service:
        return super().service()

    def uncached(self, service: Service) -> Side:
        return service.queries

    def database(self) -> str:
        return f"sqlite:///{self.sub('instead-of-postgresql') / 'items.db'}"

    @property
    def server(self) -> int:
        return self.service().up


@pytest.fixture
def stage(run_folder: Path) -> Iterator[Stage]:
    # Short enough for sockets.
    folder = run_folder / "bench"
    with OneService(folder) as stage:
        yield stage


def test_every_bench_measures_all_that_its_goal_is_about(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def running(_: Deployment) -> Iterator[tuple[Service, float]]:
        yield stage.service(), 1.0

    monkeypatch.setattr(footprint, "_up", running)
    # G7 has shown that jobs can be done.
    monkeypatch.setattr(effort, "jobs", lambda *_: Sample(rate=1.0, cpu=1.0))
    # In their order: the first ones only read.
    for goal in [each for each in GOALS if each != "G8"]:
        found = bench.RUNS[goal](stage, TINY)
        assert set(found.values) == set(GOALS[goal].bounds), goal
        assert all(them for them in found.values.values()), goal
        assert all(each.rate > 0 for them in found.sides.values() for each in them), goal


def test_rows_of_the_ledger_are_copied_as_they_are(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url.replace("+psycopg", "")) as connection:
        row = (0, 1, "a", 1, "ItemCreated", "{}", "c", "me", None, 5, 6, "h")
        connection.execute(f"INSERT INTO events VALUES ({', '.join(['%s'] * len(row))})", row)
        rows = copy_rows.rows_of(connection, 10)
        assert copy_rows.copy(connection, rows) > 0
        assert connection.execute("SELECT * FROM copied").fetchall() == [row]
