import os
from pathlib import Path

import pytest

from cli.import_file import plan_import
from cli.reach import Service
from cli.refusals import WRONG_USAGE, Refusal

URL = "http://127.0.0.1:1"


def refusal(rejects: Path) -> str:
    with pytest.raises(Refusal) as refused:
        plan_import(Path("rows"), Service("command", URL), None, rejects, 1)
    assert refused.value.code == WRONG_USAGE
    return str(refused.value)


def test_rejects_in_a_folder_that_is_not_there_are_refused(tmp_path: Path) -> None:
    line = refusal(tmp_path / "none" / "rejects")
    assert "there is no such folder" in line
    assert "--rejects" in line


def test_rejects_that_are_a_folder_are_refused(tmp_path: Path) -> None:
    assert "it is a folder" in refusal(tmp_path)


def test_rejects_that_cannot_be_written_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever runs the tests may be root, who may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    assert "may not write" in refusal(tmp_path / "rejects")
