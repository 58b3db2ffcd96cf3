"""Run a program that cannot outlive the process that started it.

`python tether.py <pid of the starter> <program> [argument…]` asks the kernel for SIGKILL at the
starter's death and then becomes the program. It is a program of its own, and not a function called
between fork and exec, because that is unsafe in a process with threads. Linux only; elsewhere the
program just runs. The kernel watches the *thread* that started it: start it from the main thread.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_STARTER_IS_GONE = 1


def tethered(argv: Sequence[str]) -> list[str]:
    """Say how to run `argv` so that it dies with this process."""
    # Isolated and without site packages: a few milliseconds instead of a few hundred.
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def die_with(starter: int) -> None:
    """Have this process killed when its starter, the process with this id, is gone; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # It may have gone before the kernel was asked.
        if os.getppid() != starter:
            os._exit(_STARTER_IS_GONE)


def main() -> None:
    """Become the program of the command line."""
    starter, *argv = sys.argv[1:]
    die_with(int(starter))
    # Python ignores these at its start, and what is ignored stays ignored in the program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606  no shell is wanted
    except OSError as error:
        sys.exit(f"cannot run {argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
