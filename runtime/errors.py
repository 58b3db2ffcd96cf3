"""What an error says, for logs and for people."""

import re

# The number that the system gives to what follows in words.
_NUMBER = re.compile(r"^\[Errno -?[0-9]+\] ")


def first_line(error: BaseException) -> str:
    """Cut what an error says down to its first line; one that says nothing is told by its kind."""
    lines = str(error).strip().splitlines()
    return _NUMBER.sub("", lines[0]).rstrip(" .;:") if lines else type(error).__name__
