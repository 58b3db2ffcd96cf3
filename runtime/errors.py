"""What an error says, for logs and for people."""

import re

# The number that the system gives to what follows in words.
_NUMBER = re.compile(r"^\[Errno -?[0-9]+\] ")

# Stands for the middle of a traceback that was too long to be kept.
CUT = "[…]"


def first_line(error: BaseException) -> str:
    """Cut what an error says down to its first line; one that says nothing is told by its kind."""
    lines = str(error).strip().splitlines()
    return _NUMBER.sub("", lines[0]).rstrip(" .;:") if lines else type(error).__name__


def headline(trace: str) -> str:
    """Find in a traceback the line that says what went wrong: the first one behind the last frame,
    as an error may go on for lines with what it was about. Of another text it is the last line,
    `unknown` where there is none.
    """
    lines = [each for each in trace.strip().splitlines() if each.strip() and each != CUT]
    begun = [n for n, each in enumerate(lines) if each.startswith("Traceback (most recent call")]
    if not begun:
        return lines[-1].strip() if lines else "unknown"
    behind = (each for each in lines[begun[-1] + 1 :] if not each[0].isspace())
    return next(behind, lines[-1]).strip()
