"""What a process is called by those who list processes: its command line, written over. Linux only.

Packages that do this zero what is left of the line, which those who read it by words take for empty
words; and RQ, where it finds one, calls its workers by names of its own.
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path

# In /proc/self/stat, counted from behind the name: where the command line begins and ends.
_BEGIN, _END = 45, 46


def set_title(argv: Sequence[str]) -> None:
    """Be called that, as far as the line that the process was started with is long enough."""
    fields = Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()
    begin, end = int(fields[_BEGIN]), int(fields[_END])
    line = " ".join(argv).encode()[: end - begin - 2]
    ctypes.memset(begin, 0, end - begin)
    ctypes.memmove(begin, line, len(line))
    # By a last byte that is not zero Linux knows that the line is one text.
    ctypes.memset(end - 1, 1, 1)
