"""One run: set up, chaos with heals in between, heal, quiet, final reads, check, report."""

import platform
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from tests.chaos.checker import Violation, check
from tests.chaos.collect import collect, finals
from tests.chaos.crew import Crew
from tests.chaos.evidence import understand
from tests.chaos.excuses import Excuses
from tests.chaos.faults.all import KINDS
from tests.chaos.faults.kind import chosen
from tests.chaos.final import Final
from tests.chaos.history import History, read
from tests.chaos.nemesis import Nemesis
from tests.chaos.options import Options
from tests.chaos.waits import NotInTime, until
from tests.chaos.watch import Watch
from tests.chaos.world import World, running

_TELL_EVERY = 5.0
_COMPLETE = 30.0
# Seconds beyond its own in which a run has what it has to have.
_BEYOND = 120.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Heal:
    """The end of all faults at `at`; seconds from there until all processes were there, and until
    all that was acknowledged before was visible, `None` where that was not within the limit.
    """

    at: float
    complete: float | None
    visible: float | None


@dataclass(slots=True)
class Result:
    options: Options
    violations: list[Violation] = field(default_factory=list)
    heals: list[Heal] = field(default_factory=list)
    # Longest time from acknowledged to visible around the kill of one worker and nothing else.
    lone_kills: list[float] = field(default_factory=list)
    happened: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    facts: dict[str, str] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)


def run(options: Options, say: Say = lambda _: None) -> Result:
    """Run and check; what was found is in the result and in the report's folder."""
    result = Result(options)
    options.folder.mkdir(parents=True, exist_ok=True)
    say(f"seed {options.seed}, options {asdict(options)}")
    file = options.folder / "history.jsonl"
    file.unlink(missing_ok=True)
    for old in options.folder.glob("log-*.jsonl"):
        old.unlink()
    history = History(file)
    try:
        with running(options) as world:
            chaos = _Chaos(world, history, result, say)
            final = chaos.go()
            endings = world.endings
    finally:
        history.close()
    say("checking")
    evidence = understand(read(file))
    result.violations += [Violation("process", each) for each in endings]
    result.violations += check(evidence, final, result.figures)
    return result


class _Chaos:
    """The phases up to the final reads."""

    def __init__(self, world: World, history: History, result: Result, say: Say) -> None:
        options = world.options
        self._world = world
        self._history = history
        self._result = result
        self._say = say
        excuses = Excuses(world, options.folder)
        self._watch = Watch(history, lambda ids: finals(world, ids), excuses.lost)
        world.watch = self._watch
        self._crew = Crew(options, history, world.command_url, world.query_url)
        dice = random.Random(f"{options.seed}-nemesis")  # noqa: S311  no secret
        kinds = chosen(KINDS, options.faults, options.database, options.mode)
        self._nemesis = Nemesis(world, history, kinds, dice)
        self._dice = dice
        self._began = time.monotonic()
        self._ended = threading.Event()

    def go(self) -> Final:
        options, result = self._world.options, self._result
        result.facts = _facts(self._world)
        self._history.note("run", "begin", options=str(options), facts=result.facts)
        teller = threading.Thread(target=self._tell, daemon=True)
        self._watch.start()
        self._crew.start()
        self._began = time.monotonic()
        teller.start()
        try:
            self._storms()
            self._world.patience.over.set()
            self._history.note("run", "heal")
            if not self._enough:
                self._heal()
            self._crew.stop()
            self._history.note("run", "quiet")
            if not self._enough:
                self._quiet()
        finally:
            self._ended.set()
            teller.join()
            with suppress(BaseExceptionGroup):
                self._crew.stop()
            self._watch.close()
        result.acknowledged = self._watch.acknowledged
        result.happened = dict(self._nemesis.happened)
        result.missed = dict(self._nemesis.missed)
        result.violations += [Violation("harness", each) for each in self._nemesis.errors]
        self._say("final reads")
        self._history.flush()
        return collect(self._world, options.folder)

    def _storms(self) -> None:
        options = self._world.options
        over = self._began + options.seconds
        last = over + _BEYOND
        number = 0
        while (left := over - time.monotonic()) > 0:
            calm = min(left, options.calm * self._dice.uniform(0.6, 1.4))
            if number % 3 == 1 and "worker-kill" in {each.name for each in self._nemesis.kinds}:
                self._lone_kill(calm)
            else:
                self._world.patience.hold(calm)
            left = over - time.monotonic()
            if left > 0 and self._nemesis.kinds:
                self._nemesis.storm(min(left, options.storm * self._dice.uniform(0.7, 1.3)))
            self._heal()
            number += 1
            if self._enough:
                return
            if self._lacking and time.monotonic() < last:
                over = max(over, time.monotonic() + options.calm + options.storm)

    @property
    def _lacking(self) -> bool:
        """Whether there was less than is wanted; once something is wrong, nothing is."""
        if self._result.violations or self._nemesis.errors or self._crew.error:
            return False
        least, happened = self._world.options.least, self._nemesis.happened
        return (
            sum(happened.values()) < least.faults
            or len(happened) < least.kinds
            or len(self._watch.accepted) < least.commands
            or len(self._result.lone_kills) < least.lone
        )

    @property
    def _enough(self) -> bool:
        return self._world.options.stop_at_first and bool(self._result.violations)

    def _lone_kill(self, seconds: float) -> None:
        self._world.patience.hold(seconds / 3)
        at = time.monotonic()
        self._nemesis.alone(KINDS["worker-kill"])
        self._world.patience.hold(max(4.0, seconds * 2 / 3))
        self._result.lone_kills.append(self._watch.worst_lag(at - 1, at + 3))

    def _heal(self) -> None:
        """All faults are over: how long until all that was acknowledged is visible?"""
        at = time.monotonic()
        self._world.look_after_up()
        limit = self._world.options.limit
        visible = self._watch.until_visible(at, limit)
        complete: float | None = None
        with suppress(NotInTime):
            until(self._world.complete, _COMPLETE, "every process there")
            complete = time.monotonic() - at
        heal = Heal(at, complete, visible)
        self._result.heals.append(heal)
        self._history.note("run", "healed", complete=complete, visible=visible, at=at)
        if visible is None:
            waiting = self._watch.waiting(at)
            self._violate(
                "liveness",
                f"{limit:g} s after a heal {len(waiting)} acknowledged commands have no outcome, "
                f"such as {waiting[:3]}",
            )
            self._watch.give_up(waiting)
        if complete is None:
            self._violate("liveness", f"{_COMPLETE:g} s after a heal not every process is there")

    def _quiet(self) -> None:
        at = time.monotonic()
        visible = self._watch.until_visible(at, self._world.options.quiet_limit)
        if visible is None:
            waiting = self._watch.waiting(at)
            self._violate(
                "liveness",
                f"{len(waiting)} acknowledged commands never became final, such as {waiting[:3]}",
            )
        # What nobody has heard of being accepted may still be in the log.
        with suppress(NotInTime):
            until(self._drained, 10, "the log being empty", 0.1)

    def _drained(self) -> bool:
        with self._world.redis() as redis:
            for partition in range(self._world.options.partitions):
                epoch, n = redis.hmget(f"itemledger:{{{partition}}}:head", ["epoch", "n"])
                done = redis.get(f"itemledger:{{{partition}}}:done")
                if epoch is not None and n != b"0" and done != b"%b-%b" % (epoch, n):
                    return False
        return True

    def _violate(self, invariant: str, what: str) -> None:
        self._result.violations.append(Violation(invariant, what))
        self._say(f"VIOLATION {invariant}: {what}")

    def _tell(self) -> None:
        while not self._ended.wait(_TELL_EVERY):
            elapsed = time.monotonic() - self._began
            faults = sum(self._nemesis.happened.values())
            self._say(
                f"{elapsed:5.0f} s  {self._watch.acknowledged:7d} acknowledged  {faults:4d} faults"
                f"  {len(self._watch.waiting(time.monotonic())):5d} waiting"
                f"  {len(self._result.violations) + len(self._nemesis.errors)} violations"
            )


def _facts(world: World) -> dict[str, str]:
    with world.redis() as redis:
        server = redis.info("server")
    version = (
        "SELECT sqlite_version()" if world.database.engine == "sqlite" else "SHOW server_version"
    )
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "valkey": str(server.get("valkey_version", server["redis_version"])),
        world.database.engine: world.database.rows(version)[0][0],
        "commit": _commit(world),
        "command": " ".join(sys.argv),
    }


def _commit(world: World) -> str:
    found = subprocess.run(
        ["git", "-C", str(world.options.root), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"
