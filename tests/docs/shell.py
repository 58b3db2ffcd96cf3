"""A bash that runs the blocks of a page one after the other, as a reader would type them.

It ends with the first command that fails. What `curl` is answered with and how `itemledger` ends is
noted, and stops nothing: pages show refusals, too, and say so in a comment (`# 412`, `# exit 1`).
"""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_END = "--- the block is over ---"
# 28: a stream was followed for as long as the page says (-m).
_PRELUDE = """
set -euo pipefail
curl() {
  command curl -sS -w '\\n%{stderr}answered %{http_code}\\n' "$@" 2>>"$NOTES" || [ $? = 28 ]
}
"""
_CONSOLE = """#!/bin/sh
"{python}" -P -m cli "$@"
code=$?
[ $code = 0 ] || echo "exit $code" >>"$NOTES"
"""


class Shell:
    """One page's, in a folder of its own, with the commands that a reader has."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._notes = folder / ".notes"
        binaries = folder / ".venv" / "bin"
        binaries.mkdir(parents=True)
        for name, text in {
            "itemledger": _CONSOLE.format(python=sys.executable),
            "python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
        }.items():
            (binaries / name).write_text(text)
            (binaries / name).chmod(0o755)
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env={
                **env,
                "NOTES": str(self._notes),
                "PATH": f"{binaries}:{os.environ['PATH']}",
                # A page's own test wants none of them, and they take seconds to load.
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._type(_PRELUDE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def run(self, text: str, seconds: float) -> str:
        """Run a block and return what it says; fail where it fails, or was answered otherwise than
        it says in its comments.
        """
        self._notes.write_text("")
        block = self._notes.with_name(".block.sh")
        block.write_text(text)
        self._type(f"source {block} </dev/null\nprintf '\\n%s\\n' '{_END}'\n")
        said = self._until_it_is_over(seconds)
        notes = self._notes.read_text()
        found = Counter(re.findall(r"^(?:answered ([45]\d\d)|exit (\d+))$", notes, re.MULTILINE))
        told = Counter(re.findall(r"# (?:([45]\d\d)|exit (\d+))\b", text))
        assert found == told, f"answered {dict(found)}, and told {dict(told)}:\n{notes}\n{said}"
        return said

    def _type(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def _until_it_is_over(self, seconds: float) -> str:
        assert self._process.stdout is not None
        deadline, said = time.monotonic() + seconds, b""
        end = f"\n{_END}\n".encode()
        while not said.endswith(end):
            left = deadline - time.monotonic()
            ready = select.select([self._process.stdout], [], [], max(left, 0))[0]
            piece = os.read(self._process.stdout.fileno(), 65536) if ready else b""
            why = "it failed" if ready else f"it takes longer than {seconds:g} s"
            assert piece, f"{why}:\n{said.decode()}\n{self._notes.read_text()}"
            said += piece
        return said.removesuffix(end).decode()
