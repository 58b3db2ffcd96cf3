"""A file that is whole or not there at all, and standard output, which others read."""

import os
import secrets
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cli.refusals import FAILED, WRONG_USAGE, Refusal
from runtime.errors import first_line


def check_target(path: Path) -> None:
    """Raise Refusal where a file of this name can not be made."""
    if path.is_dir():
        why = "it is a folder"
    elif not path.parent.is_dir():
        why = "there is no such folder"
    elif not os.access(path.parent, os.W_OK):
        why = "this user may not write there"
    else:
        return
    raise Refusal(f"cannot write {path}: {why}; name another file with --output", WRONG_USAGE)


@contextmanager
def written_whole(path: Path) -> Generator[BinaryIO]:
    """Write a file under another name, and give it its own when all is written; where the block
    fails, nothing is left of it, and a file that was there before is still there.

    Raises Refusal where it can not be written.
    """
    if path.exists() and not path.is_file():
        # A pipe or a device is written to, not replaced.
        with _refused(path), path.open("wb") as file:
            yield file
        return
    target = path.resolve()
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with _refused(path):
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _refused(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise Refusal(f"cannot write {path}: {error.strerror or first_line(error)}") from None


@contextmanager
def standard_output() -> Generator[BinaryIO]:
    """Write to standard output. Raises Refusal where nobody reads it any more."""
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # What is still buffered would be written, and fail again, when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise Refusal("standard output was closed: not all of it was read", FAILED) from None
