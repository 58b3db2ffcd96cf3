from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event

from ledger.engines import reading_engine, writing_engine
from tests.ledger.copies import Copy
from tests.ledger.ledgers import fill


@pytest.fixture(scope="session")
def filled_before() -> dict[str, Copy]:
    """What `fill` has made of a fresh ledger, by the engine's name."""
    return {}


@pytest.fixture
def writer(
    database_url: str, filled_before: dict[str, Copy], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A ledger with some hundred events of several items in two partitions."""
    engine = database_url.partition(":")[0]
    if engine in filled_before:
        filled_before[engine].put_into(database_url)
    made = writing_engine(database_url)
    if made.dialect.name == "sqlite":
        # Only the machine's own crash could tell the difference.
        @event.listens_for(made, "connect")
        def _fast(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA synchronous=OFF")

    if engine not in filled_before:
        fill(made)
        made.dispose()
        filled_before[engine] = Copy(database_url, tmp_path_factory.mktemp(engine))
    yield made
    made.dispose()


@pytest.fixture
def reader(database_url: str) -> Iterator[Engine]:
    made = reading_engine(database_url, connections=1)
    yield made
    made.dispose()
