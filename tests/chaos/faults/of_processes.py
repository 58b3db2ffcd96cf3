"""Processes of the service killed, asked to end, or frozen and woken."""

import signal
from random import Random

from tests.chaos.faults.kind import Missed, Registry
from tests.chaos.processes import send
from tests.chaos.world import World

registry = Registry()


def _hit(world: World, dice: Random, name: str, number: int) -> str:
    there = world.children(name)
    if not there:
        raise Missed(f"no {name} runs")
    victim = dice.choice(there)
    if not send(victim, number):
        raise Missed(f"the {name} was gone")
    return f"pid {victim.pid}"


def _register(name: str, number: int, how: str) -> None:
    @registry.kind(f"{name}-{how}", name)
    def hit(world: World, dice: Random) -> str:
        said = _hit(world, dice, name, number)
        # Until it is about to be back: `up` needs a moment to start it.
        world.patience.hold(dice.uniform(0.5, 2.0))
        return said


for _name in ("worker", "api", "query"):
    _register(_name, signal.SIGKILL, "kill")
    _register(_name, signal.SIGTERM, "term")


@registry.kind("worker-term-twice", "worker")
def term_twice(world: World, dice: Random) -> str:
    victim = dice.choice(world.children("worker") or [None])
    if not send(victim, signal.SIGTERM):
        raise Missed("no worker runs")
    world.patience.hold(dice.uniform(0.0, 0.3))
    send(victim, signal.SIGTERM)
    world.patience.hold(1.0)
    return f"pid {victim.pid}"


@registry.kind("worker-freeze", "worker", weight=2)
def freeze(world: World, dice: Random) -> str:
    """Freeze it for longer or shorter than the supervisor puts up with, then let it go on."""
    victim = dice.choice(world.children("worker") or [None])
    if not send(victim, signal.SIGSTOP):
        raise Missed("no worker runs")
    seconds = dice.uniform(0.5, 6.0)
    world.patience.hold(seconds)
    woken = send(victim, signal.SIGCONT)
    return f"pid {victim.pid}, {seconds:.1f} s, {'woken' if woken else 'killed meanwhile'}"


@registry.kind("api-freeze", "api")
def freeze_api(world: World, dice: Random) -> str:
    victim = dice.choice(world.children("api") or [None])
    if not send(victim, signal.SIGSTOP):
        raise Missed("no api runs")
    seconds = dice.uniform(0.5, 4.0)
    world.patience.hold(seconds)
    send(victim, signal.SIGCONT)
    return f"pid {victim.pid}, {seconds:.1f} s"


# It shares all targets: what starts needs its engines.
@registry.kind(
    "up-kill", "up", "worker", "api", "query", "valkey", "database", "proxy", "points", "disk"
)
def kill_up(world: World, dice: Random) -> str:
    world.stop_up(signal.SIGKILL)
    world.patience.hold(dice.uniform(0.0, 2.0))
    world.start_up()
    return "killed and started again"
