"""Shell completion, as the scripts that Typer installs ask for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BASH = """
source {script}
complete -p itemledger
COMP_WORDS=({words})
COMP_CWORD={last}
_itemledger_completion itemledger
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A search path on which the console is found by its name."""
    console = tmp_path / "bin" / "itemledger"
    console.parent.mkdir()
    root = Path(__file__).parents[2]
    console.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {sys.executable} -P -m cli "$@"\n')
    console.chmod(0o755)
    return f"{console.parent}:{os.environ['PATH']}"


def run(path: str, *argv: str, **env: str) -> str:
    done = subprocess.run(
        argv, env=os.environ | {"PATH": path} | env, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("itemledger doc", "doctor"),
        ("itemledger rebuild it", "items"),
        ("itemledger up --que", "--query-port"),
    ],
)
def test_bash_completes_commands_options_and_views(
    path: str, tmp_path: Path, words: str, completed: str
) -> None:
    script = tmp_path / "completion.sh"
    script.write_text(run(path, "itemledger", _ITEMLEDGER_COMPLETE="source_bash"))
    asked = BASH.format(script=script, words=words, last=len(words.split()) - 1)
    declared, *replies = run(path, "bash", "--norc", "-c", asked).splitlines()
    assert declared == "complete -o default -F _itemledger_completion itemledger"
    assert replies == [completed]


def test_zsh_is_told_what_it_asks_for(path: str) -> None:
    script = run(path, "itemledger", _ITEMLEDGER_COMPLETE="source_zsh")
    assert "#compdef itemledger" in script
    assert "_ITEMLEDGER_COMPLETE=complete_zsh" in script
    env = {"_ITEMLEDGER_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "itemledger doc"}
    assert '"doctor"' in run(path, "itemledger", **env)


@pytest.mark.parametrize("words", ["itemledger doc", "itemledger rebuild it"])
def test_who_presses_tab_does_not_wait_for_what_only_a_command_needs(words: str) -> None:
    env = {
        "_ITEMLEDGER_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": words,
        "PYTHONPROFILEIMPORTTIME": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "cli"],
        env=os.environ | env,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer._completion_classes" in loaded
    assert not loaded & {"rich", "pydantic_settings", "runtime.settings", "sqlalchemy", "redis"}
