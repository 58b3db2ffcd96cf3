"""Chooses faults, has them happen side by side, and says when all of them are over."""

import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.faults.kind import Kind, Missed
from tests.chaos.history import History
from tests.chaos.world import World

_AT_ONCE = 3


@dataclass(slots=True)
class Nemesis:
    """`kinds` are drawn from a bag that holds each as often as its weight, so that each has its
    share however short the run is.
    """

    world: World
    history: History
    kinds: Sequence[Kind]
    dice: random.Random
    happened: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    _bag: list[Kind] = field(default_factory=list)
    _running: dict[threading.Thread, Kind] = field(default_factory=dict)

    def storm(self, seconds: float) -> None:
        """Let faults happen for about so long, at most three at once; return when all are over."""
        over = time.monotonic() + seconds
        while time.monotonic() < over and not self.world.patience.over.is_set():
            self._reap()
            kind = self._next()
            if kind is not None:
                self._start(kind)
            self.world.patience.hold(self.dice.uniform(0.1, 1.6))
        for thread in list(self._running):
            thread.join()
        self._reap()

    def alone(self, kind: Kind) -> None:
        """Let one fault happen, and nothing else."""
        self._start(kind)
        for thread in list(self._running):
            thread.join()
        self._reap()

    def _next(self) -> Kind | None:
        if len(self._running) >= _AT_ONCE:
            return None
        if not self._bag:
            self._bag = [kind for kind in self.kinds for _ in range(kind.weight)]
            self.dice.shuffle(self._bag)
        busy = {target for kind in self._running.values() for target in kind.targets}
        for place, kind in enumerate(self._bag):
            if not busy & kind.targets:
                return self._bag.pop(place)
        return None

    def _reap(self) -> None:
        for thread in [each for each in self._running if not each.is_alive()]:
            del self._running[thread]

    def _start(self, kind: Kind) -> None:
        # Drawn here, so that the seed decides and not which thread comes first.
        dice = random.Random(self.dice.random())  # noqa: S311  no secret
        thread = threading.Thread(target=self._run, args=(kind, dice), name=kind.name)
        self._running[thread] = kind
        thread.start()

    def _run(self, kind: Kind, dice: random.Random) -> None:
        self.history.note("nemesis", "start", f=kind.name)
        detail: str | None = None
        try:
            detail = kind.happen(self.world, dice)
            self.happened[kind.name] += 1
        except Missed as missed:
            detail = f"did not happen: {missed}"
            self.missed[kind.name] += 1
        except Exception:  # noqa: BLE001
            detail = traceback.format_exc()
            self.errors.append(f"{kind.name}: {detail}")
        finally:
            self.history.note("nemesis", "end", f=kind.name, detail=detail)
