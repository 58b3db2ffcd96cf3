import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.settings import Settings
from tests import ports


@pytest.fixture(autouse=True)
def _no_settings_of_a_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ITEMLEDGER_") and not name.startswith("ITEMLEDGER_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ITEMLEDGER_ENV_FILE", "")


@pytest.fixture
def free_ports() -> tuple[int, int]:
    return ports.free_ports()


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody on this machine can enter, as those of other tests are not."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder
