import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.lock import FolderInUse, lock_folder


def test_a_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path / "deep" / "data")
    lock.release()
    assert (tmp_path / "deep" / "data").stat().st_mode & 0o777 == 0o700


def test_a_second_one_is_refused_with_the_folder_and_the_process(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path)
    with pytest.raises(FolderInUse) as refusal:
        lock_folder(tmp_path, patience=0)
    lock.release()
    assert str(tmp_path) in str(refusal.value)
    assert f"process {os.getpid()}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_released_folder_is_free_again(tmp_path: Path) -> None:
    lock_folder(tmp_path).release()
    lock_folder(tmp_path, patience=0).release()


def test_a_child_that_inherits_the_lock_keeps_the_folder_taken(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        pass_fds=(lock.descriptor,),
    ) as child:
        lock.release()
        with pytest.raises(FolderInUse):
            lock_folder(tmp_path, patience=0)
        child.kill()
    lock_folder(tmp_path, patience=0).release()
