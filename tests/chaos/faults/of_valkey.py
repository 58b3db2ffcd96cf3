"""Valkey killed, frozen, ended, filled up, and what lies between it and the service."""

import os
import signal
from contextlib import suppress
from random import Random

from redis.exceptions import RedisError

from tests.chaos.faults.kind import Missed, Registry
from tests.chaos.world import World

registry = Registry()

_OWN = frozenset({"own"})


@registry.kind("valkey-kill", "valkey", weight=2, modes=_OWN)
def kill(world: World, dice: Random) -> str:
    assert world.valkey is not None
    world.valkey.kill()
    seconds = dice.choice([0.0, dice.uniform(0.0, 1.0), dice.uniform(1.0, 5.0)])
    world.patience.hold(seconds)
    world.valkey.start()
    return f"away for {seconds:.1f} s"


@registry.kind("valkey-kill-embedded", "valkey", weight=2, modes=frozenset({"embedded"}))
def kill_embedded(world: World, dice: Random) -> str:
    pid = world.pid_of_valkey()
    if pid is None:
        raise Missed("no Valkey runs")
    os.kill(pid, signal.SIGKILL)
    world.patience.hold(dice.uniform(0.5, 2.0))
    return f"pid {pid}"


@registry.kind("valkey-freeze", "valkey")
def freeze(world: World, dice: Random) -> str:
    pid = world.pid_of_valkey()
    if pid is None:
        raise Missed("no Valkey runs")
    seconds = dice.uniform(1.0, 5.0)
    os.kill(pid, signal.SIGSTOP)
    world.patience.hold(seconds)
    os.kill(pid, signal.SIGCONT)
    return f"{seconds:.1f} s"


@registry.kind("valkey-shutdown", "valkey", modes=_OWN)
def shut_down(world: World, dice: Random) -> str:
    assert world.valkey is not None
    world.valkey.shut_down()
    world.patience.hold(dice.uniform(0.0, 3.0))
    world.valkey.start()
    return "SHUTDOWN NOSAVE"


@registry.kind("valkey-full", "valkey")
def full(world: World, dice: Random) -> str:
    seconds = dice.uniform(1.0, 5.0)
    with world.redis() as redis:
        before = redis.config_get("maxmemory")["maxmemory"]
        used = int(redis.info("memory")["used_memory"])
        redis.config_set("maxmemory", used + dice.randrange(200_000))
    world.patience.hold(seconds)
    with world.redis() as redis:
        redis.config_set("maxmemory", before)
    return f"{seconds:.1f} s at {used} bytes"


@registry.kind("valkey-rewrite", "valkey")
def rewrite(world: World, dice: Random) -> str:
    """Not a fault, but a moment at which one might come."""
    with world.redis() as redis, suppress(RedisError):
        redis.execute_command("BGREWRITEAOF")
    world.patience.hold(dice.uniform(0.0, 0.5))
    if dice.random() < 0.5 and world.valkey is not None:
        world.valkey.kill()
        world.valkey.start()
        return "rewritten and killed"
    return "rewritten"


def _between(name: str, mode: str, weight: int = 1) -> None:
    @registry.kind(f"proxy-{name}", "proxy", weight=weight, modes=_OWN)
    def disturb(world: World, dice: Random) -> str:
        assert world.proxy is not None
        how: dict[str, float] = {}
        if mode == "slow":
            how["ms"] = round(dice.uniform(50, 1000))
        elif mode == "cut":
            how["share"] = round(dice.uniform(0.1, 0.9), 2)
        seconds = dice.uniform(1.0, 4.0)
        if name == "cut-long":
            # Every answer, for longer than the command API repeats an append.
            how, seconds = {"share": 1.0}, dice.uniform(5.5, 8.0)
        world.proxy.behave(mode, **how)
        world.patience.hold(seconds)
        world.proxy.behave("normal")
        return f"{seconds:.1f} s {how or ''}"


_between("cut", "cut", weight=3)
_between("cut-long", "cut")
_between("slow", "slow")
_between("deaf", "deaf")
_between("drip", "drip")
_between("closed", "closed")
