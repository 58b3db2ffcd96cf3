"""A process killed, frozen or failed at a named point of the product."""

import functools
import re
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import psutil

from tests.chaos.faults.kind import Missed, Registry
from tests.chaos.processes import send
from tests.chaos.world import World

registry = Registry()

# Where the product reaches a point, its source has the name in quotes.
_NAMED = re.compile(r'"((?:api|worker|tx|tidy|trim|sweeper|fence|replay)\.[a-z_]+)"')
_SELDOM = ("trim.", "sweeper.", "fence.", "replay.")
_IN_TRANSACTION = ("tx.", "tidy.")
_COMES_BY = 3.0


def lay(world: World, point: str, mode: str, patience: float) -> int:
    """Lay a failure at a point; the id of the process that took it."""
    laid = world.points / point
    waiting = world.points / f".{point}.tmp"
    waiting.write_text(mode)
    waiting.rename(laid)
    step = 0.02
    for _ in range(int(patience / step)):
        if not laid.exists():
            break
        world.patience.hold(step)
    try:
        laid.unlink()
    except FileNotFoundError:
        taken = sorted(world.points.glob(f"{point}.reached-*"), key=_age)
        if not taken:
            raise Missed(f"{point} was taken by nobody") from None
        return int(taken[-1].name.rpartition("-")[2])
    raise Missed(f"nobody came by {point}")


def _age(file: Path) -> float:
    return file.stat().st_mtime


@functools.cache
def _points(root: Path) -> list[str]:
    """Find the points that the product under test has."""
    files = [file for room in ("api", "worker", "ledger") for file in root.glob(f"{room}/**/*.py")]
    return sorted({name for file in files for name in _NAMED.findall(file.read_text())})


def _choose(world: World, dice: Random, wanted: Callable[[str], bool]) -> str:
    there = [point for point in _points(world.options.root) if wanted(point)]
    if not there:
        raise Missed("the product has no such point")
    return dice.choice(there)


def _register(name: str, mode: str, weight: int, *, seldom: bool = False) -> None:
    @registry.kind(name, "points", weight=weight, classes=("default", "points"))
    def fail(world: World, dice: Random) -> str:
        point = _choose(world, dice, lambda each: each.startswith(_SELDOM) == seldom)
        pid = lay(world, point, mode, _COMES_BY)
        world.patience.hold(dice.uniform(0.2, 1.0))
        return f"{point}, pid {pid}"


_register("point-kill", "kill", 3)
_register("point-raise", "raise", 2)
_register("point-kill-seldom", "kill", 1, seldom=True)


@registry.kind("point-freeze", "points", weight=2, classes=("default", "points"))
def freeze(world: World, dice: Random) -> str:
    """Freeze a worker inside its transaction; it may have been killed when it is to be woken."""
    point = _choose(world, dice, lambda each: each.startswith(_IN_TRANSACTION))
    pid = lay(world, point, "freeze", _COMES_BY)
    seconds = dice.uniform(0.5, 6.0)
    world.patience.hold(seconds)
    try:
        woken = send(psutil.Process(pid), signal.SIGCONT)
    except psutil.NoSuchProcess:
        woken = False
    return f"{point}, pid {pid}, {seconds:.1f} s, {'woken' if woken else 'killed meanwhile'}"
