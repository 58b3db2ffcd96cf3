"""Changes of the code, as a page shows them, made to a copy of it.

A hunk has no line numbers: the lines that it keeps and takes away name its place, which has to be
one place alone.
"""

import re
import shutil
import tomllib
from collections.abc import Iterable
from pathlib import Path

from tests.docs.blocks import EDIT, ROOT, Block


def copy_of_the_code(folder: Path) -> Path:
    """Copy the rooms, with what is compiled of them, to be changed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for name in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        shutil.copytree(ROOT / name, folder / name)
    return folder


def edit(copy: Path, blocks: Iterable[Block]) -> None:
    """Make the changes that blocks show, and write the files that they are."""
    for block in blocks:
        if block.mark == "file":
            (copy / block.says).parent.mkdir(parents=True, exist_ok=True)
            (copy / block.says).write_text(block.text, "utf-8")
        elif block.language == EDIT and block.is_run:
            _take(copy, block)


def _take(copy: Path, block: Block) -> None:
    for name, hunks in re.findall(
        r"^--- (\S+)\n((?:(?!--- ).*\n)+)", block.text, flags=re.MULTILINE
    ):
        file = copy / name
        text = file.read_text("utf-8")
        for hunk in filter(str.strip, re.split(r"^@@.*\n", hunks, flags=re.MULTILINE)):
            lines = hunk.splitlines(keepends=True)
            before = "".join(each[1:] or "\n" for each in lines if not each.startswith("+"))
            after = "".join(each[1:] or "\n" for each in lines if not each.startswith("-"))
            places = text.count(before)
            assert places == 1, f"{block.where}: {places} places in {name} have\n{before}"
            text = text.replace(before, after)
        file.write_text(text, "utf-8")
