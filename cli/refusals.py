"""An operator's mistake is answered with one line that says how to mend it."""

import re
from collections.abc import Generator
from contextlib import contextmanager

import typer

from cli.lines import tell
from runtime.errors import first_line

# Every command begins by loading this file: nothing stands here that takes long to load.

FAILED = 1
WRONG_USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130  # what a shell answers for a command that Ctrl-C has ended

# As docs/cli.md has it.
EXIT_CODES = {
    0: "It was done, and all is well; warnings do not change that.",
    FAILED: "It was done or tried, and not all is well: rows were rejected, problems were found, "
    "a file could not be written to its end.",
    WRONG_USAGE: "It was refused: the command line, a setting, the token, or the file that was "
    "named as a whole.",
    UNREACHABLE: "The service, or a store, could not be reached, or broke off.",
    INTERRUPTED: "Ctrl-C.",
}

_PASSWORD = re.compile(r"://([^:@/]*):(.*)@", re.DOTALL)
_PASSWORD_OPTION = re.compile(r"([?&](?:ssl)?password=)[^&#]*")


class Refusal(Exception):
    """The command cannot do what was asked; `str()` is the line, `code` the exit code."""

    def __init__(self, line: str, code: int = FAILED) -> None:
        super().__init__(line)
        self.code = code


@contextmanager
def refusing() -> Generator[None]:
    """Print a Refusal of the block on standard error and exit with its code."""
    try:
        yield
    except Refusal as refusal:
        tell(f"itemledger: {refusal}", err=True, hang=2)
        raise typer.Exit(refusal.code) from None


def warn(line: str) -> None:
    """Print what an operator should know, and what stops nothing."""
    tell(f"itemledger: warning: {line}", err=True, hang=2)


def without_password(url: str) -> str:
    """Write a URL so that it can be shown: whatever may be of a password is masked."""
    return _PASSWORD_OPTION.sub(r"\1***", _PASSWORD.sub(r"://\1:***@", url))


def reason(url: str, error: BaseException) -> str:
    """Say what a driver says of a URL, unless that may hold a part of its password."""
    before, at, _ = url.partition("://")[2].rpartition("@")
    if at and re.search("[@/?#]", before):
        return "`@`, `/` and `:` in a password must be percent-encoded (%40, %2F, %3A)"
    return first_line(error)
