"""Wait for what has to come true, not for a time."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests import waiting

DEADLINE = 20.0


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE:g} s: {what}"
        await asyncio.sleep(0.01)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    waiting.until(condition, DEADLINE, what)


def runs(pid: int) -> bool:
    """A zombie that nobody has collected yet does not run any more."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def pids(file: Path) -> list[int]:
    return [int(line) for line in lines(file)]


def clean_environment(**given: str) -> dict[str, str]:
    """The environment of a child without what a developer has set for itself."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ITEMLEDGER_")}
    return kept | {"ITEMLEDGER_ENV_FILE": ""} | given
