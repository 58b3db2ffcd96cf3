import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.alive import check_alive
from cli.main import app
from cli.refusals import FAILED, WRONG_USAGE, Refusal
from runtime.settings import Settings

NOW = 1_800_000_000.0


def beaten(file: Path, ago: float) -> Settings:
    file.touch()
    os.utime(file, (NOW - ago, NOW - ago))
    return Settings(heartbeat=file)


def test_a_process_that_gave_a_sign_lately_is_alive(tmp_path: Path) -> None:
    assert "3.0 s old" in check_alive(beaten(tmp_path / "beat", 3), 10, NOW)


def test_a_silent_process_is_not_alive(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"no sign of life for 11\.0 s") as refusal:
        check_alive(beaten(tmp_path / "beat", 11), 10, NOW)
    assert refusal.value.code == FAILED


def test_a_process_that_never_gave_a_sign_is_not_alive(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no sign of life") as refusal:
        check_alive(Settings(heartbeat=tmp_path / "none"), 10, NOW)
    assert refusal.value.code == FAILED


def test_the_file_has_to_be_named() -> None:
    with pytest.raises(Refusal, match="ITEMLEDGER_HEARTBEAT") as refusal:
        check_alive(Settings(heartbeat=None), 10, NOW)
    assert refusal.value.code == WRONG_USAGE


def test_the_command_looks_at_the_file_of_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "beat"
    file.touch()
    environment = {"ITEMLEDGER_HEARTBEAT": str(file)}
    assert CliRunner(env=environment).invoke(app, ["alive"]).exit_code == 0
    file.unlink()
    assert CliRunner(env=environment).invoke(app, ["alive"]).exit_code == FAILED
