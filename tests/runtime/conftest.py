import os
from pathlib import Path

import pytest

from runtime.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in list(os.environ):
        if name.startswith("ITEMLEDGER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ITEMLEDGER_ENV_FILE", "")
    return Settings(data=tmp_path / "data")
