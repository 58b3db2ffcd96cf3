from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.worker.world import World
from worker import catchup, pace, shadow


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a build of a hundred events take many transactions."""
    for name in ("_FIRST", "_LEAST", "_MOST"):
        monkeypatch.setattr(pace, name, 20)
    monkeypatch.setattr(catchup, "_FEW", 10)
    monkeypatch.setattr(shadow, "_STILL_WANTED", 0.0)


@pytest.fixture(autouse=True)
def _unseen() -> Iterator[None]:
    """Spare the tests the traces of defects that they make."""
    with capture_logs():
        yield


@pytest.fixture(params=[1, 2])
def ledger(request: pytest.FixtureRequest, database_url: str, valkey_url: str) -> Iterator[World]:
    """A ledger of one partition, and one of two, where builds go by item first."""
    with World.of(database_url, valkey_url, partitions=request.param) as made:
        yield made
