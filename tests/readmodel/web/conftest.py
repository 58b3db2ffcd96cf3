"""Pages are read on one engine: what they show, the views' own tests read on both."""

import pytest


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url
