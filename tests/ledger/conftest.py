from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event

from ledger.engines import reading_engine, writing_engine
from tests.ledger.ledgers import fill


@pytest.fixture
def writer(database_url: str) -> Iterator[Engine]:
    """A ledger with some hundred events of several items in two partitions."""
    made = writing_engine(database_url)
    if made.dialect.name == "sqlite":
        # Only the machine's own crash could tell the difference.
        @event.listens_for(made, "connect")
        def _fast(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA synchronous=OFF")

    fill(made)
    yield made
    made.dispose()


@pytest.fixture
def reader(database_url: str) -> Iterator[Engine]:
    made = reading_engine(database_url, connections=1)
    yield made
    made.dispose()
