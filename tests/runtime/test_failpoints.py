import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.failpoints import FailedOnPurpose, failpoints


def test_without_the_setting_nothing_ever_fails(tmp_path: Path) -> None:
    (tmp_path / "somewhere").write_text("raise")

    failpoints(None)("somewhere")

    assert (tmp_path / "somewhere").exists()


def test_a_point_fails_once_for_each_file(tmp_path: Path) -> None:
    reach = failpoints(tmp_path)
    reach("somewhere")
    (tmp_path / "somewhere").write_text("raise\n")

    reach("elsewhere")
    with pytest.raises(FailedOnPurpose, match="somewhere"):
        reach("somewhere")

    reach("somewhere")


def test_a_process_can_be_killed_at_a_point(tmp_path: Path) -> None:
    (tmp_path / "somewhere").write_text("kill")
    program = (
        "import sys, pathlib; from runtime.failpoints import failpoints;"
        "failpoints(pathlib.Path(sys.argv[1]))('somewhere'); print('alive')"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, check=False
    )

    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == b""


def test_a_way_to_fail_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "somewhere").write_text("explode")

    with pytest.raises(ValueError, match="kill, freeze or raise"):
        failpoints(tmp_path)("somewhere")
