"""Lines for whoever sits at a terminal: broken between words, never within one. Where a program
reads, a line stays a line.
"""

import os
import re
import sys
from typing import TextIO

import typer

# What stands between backticks is there to be copied, and stays in one piece.
_PIECE = re.compile(r"(\s*)(`[^`]*`\S*|\S+)")


def tell(text: str, *, err: bool = False, hang: int = 0) -> None:
    """Print lines on standard output or error; where one is broken, what follows begins `hang`
    columns to the right.
    """
    width = columns(sys.stderr if err else sys.stdout)
    typer.echo(broken(text, width, hang), err=err)


def columns(stream: TextIO) -> int | None:
    """Tell how wide a terminal is; `None` where it is none."""
    if not stream.isatty():
        return None
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except OSError:
        return None


def broken(text: str, width: int | None, hang: int = 0) -> str:
    """Break lines that are longer than `width`, if there is one, between words. A word that is
    longer than that stays whole: the terminal breaks it, and it can still be copied.
    """
    if width is None:
        return text
    return "\n".join(_broken(line, width, hang) for line in text.split("\n"))


def _broken(line: str, width: int, hang: int) -> str:
    if len(line) <= width:
        return line
    lines, last = list[str](), ""
    for space, word in _PIECE.findall(line):
        if last.strip() and len(last) + len(space) + len(word) > width:
            lines.append(last)
            last = " " * hang + word
        else:
            last += space + word
    return "\n".join([*lines, last])
