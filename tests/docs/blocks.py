"""The code blocks of a page, and what a comment in front of one says of it.

    <!-- not run: why -->      nothing can run it here
    <!-- run by tests/x.py --> another test does
    <!-- file: name -->        it is this file, for blocks after it

A reader sees none of these.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
# Where code blocks are: what is said to people of using, operating and changing the service.
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]

# What is run; what is compared with the answer of the block before; what changes a scratch copy.
RUN = frozenset({"sh", "python"})
ANSWER = "json"
EDIT = "diff"

Mark = Literal["not run", "run by", "file"]

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<text>.*?)^ *(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"<!-- (not run|run by|file):? ((?:(?!-->).)+) -->\n\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    page: str
    line: int
    language: str
    text: str
    mark: Mark | None
    says: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether the runner takes it: runs it, compares it, or keeps it as a file."""
        return self.mark in {None, "file"} and self.language in {*RUN, ANSWER, EDIT}


def blocks_of(page: Path) -> Iterator[Block]:
    """Read a page from top to bottom."""
    text = page.read_text("utf-8")
    for found in _FENCE.finditer(text):
        mark = _MARK.search(text[: found.start()])
        yield Block(
            page.relative_to(ROOT).as_posix(),
            text.count("\n", 0, found.start()) + 1,
            found["info"].strip(),
            re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            mark[1] if mark else None,  # type: ignore[arg-type]  one of the three, as the pattern says
            " ".join(mark[2].split()) if mark else "",
        )
