"""What `make` brings, by which commands."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# In the place of uv: notes what it is asked for, and leaves an environment that does nothing.
UV = """#!/bin/sh
echo "$*" >> asked
mkdir -p .venv/bin
printf '#!/bin/sh\\n' > .venv/bin/python
cp .venv/bin/python .venv/bin/itemledger
chmod +x .venv/bin/*
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(UV)
    uv.chmod(0o755)
    return tmp_path


def made(clone: Path, target: str) -> list[str]:
    """Make a target, and return what uv was asked for."""
    asked = clone / "asked"
    asked.write_text("")
    run_make(clone, target).check_returncode()
    return asked.read_text().splitlines()


def run_make(clone: Path, target: str) -> subprocess.CompletedProcess[str]:
    path = f"{clone / 'bin'}:{os.environ['PATH']}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "--silent", target],
        cwd=clone,
        env=clean | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_to_run_it_brings_no_tools_of_development_and_takes_none_away(clone: Path) -> None:
    (asked,) = made(clone, "up")
    assert asked.startswith("sync --locked --all-extras --compile-bytecode ")
    assert asked.endswith(" --no-dev --inexact")
    assert made(clone, "up") == []


@pytest.mark.parametrize("target", ["setup", "test"])
def test_what_is_for_development_brings_everything(clone: Path, target: str) -> None:
    made(clone, "up")
    (asked,) = made(clone, target)
    assert "--no-dev" not in asked
    assert made(clone, target) == []
    assert made(clone, "up") == []


def test_an_environment_whose_python_has_gone_is_made_anew(clone: Path) -> None:
    made(clone, "setup")
    python = clone / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(clone / "gone")
    anew = UV.replace("mkdir", "rm -rf .venv; mkdir")
    (clone / "bin" / "uv").write_text(anew)
    assert len(made(clone, "up")) == 1
    assert made(clone, "up") == []


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"uv": "echo 'error: no index' >&2; exit 2"}, "make: .venv could not be filled"),
        (
            dict.fromkeys(("python3", "python3.13", "python3.12", "python3.11"), "exit 1"),
            "make: Python 3.11 or newer is needed",
        ),
    ],
)
def test_what_is_missing_is_told_with_its_mend(
    clone: Path, broken: dict[str, str], told: str
) -> None:
    for name, does in broken.items():
        (clone / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
        (clone / "bin" / name).chmod(0o755)
    answer = run_make(clone, "up")
    assert answer.returncode == 2
    (line,) = [
        each
        for each in answer.stderr.splitlines()
        if each.startswith("make: ") and "***" not in each
    ]
    assert line.startswith(told)


def test_another_lock_file_is_followed_by_both(clone: Path) -> None:
    made(clone, "setup")
    newer = (clone / ".venv" / ".set-up").stat().st_mtime + 1
    os.utime(clone / "uv.lock", (newer, newer))
    assert [len(made(clone, each)) for each in ("up", "setup")] == [1, 1]
