"""The wake-up protocol as a model, all interleavings: nobody's append may be stranded.

Producers append, raise the bell, and ring in a second round trip; workers answer doorbells; a
sweeper comes round. Extend the model before changing the protocol.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

import pytest


class Step(Enum):
    """Where a process is."""

    IDLE = auto()
    APPENDED = auto()
    READIED = auto()
    ANSWERED = auto()
    TAKEN = auto()
    READING = auto()
    EMPTY = auto()
    DONE = auto()
    DEAD = auto()


@dataclass(frozen=True, slots=True)
class State:
    """`log` is how many were appended, `applied` how many were taken."""

    log: int
    applied: int
    bell: bool
    ready: bool
    rung: bool
    jobs: int
    producers: tuple[Step, ...]
    workers: tuple[Step, ...]
    deaths_left: int


@dataclass(frozen=True, slots=True)
class Protocol:
    """The variants that were tried: clearing before or after reading, with or without a sweeper."""

    clear_first: bool = True
    sweeper: bool = True
    producers: int = 3
    workers: int = 2
    deaths: int = 0


def start(protocol: Protocol) -> State:
    return State(
        0,
        0,
        bell=False,
        ready=False,
        rung=False,
        jobs=0,
        producers=(Step.IDLE,) * protocol.producers,
        workers=(Step.IDLE,) * protocol.workers,
        deaths_left=protocol.deaths,
    )


def put(steps: tuple[Step, ...], place: int, step: Step) -> tuple[Step, ...]:
    return (*steps[:place], step, *steps[place + 1 :])


def produced(state: State, place: int) -> Iterator[State]:
    match state.producers[place]:
        case Step.IDLE:
            next_step = Step.DONE if state.bell else Step.APPENDED
            yield replace(
                state,
                log=state.log + 1,
                bell=True,
                producers=put(state.producers, place, next_step),
            )
        case Step.APPENDED:
            next_step = Step.DONE if state.rung else Step.READIED
            yield replace(
                state,
                ready=True,
                rung=True,
                producers=put(state.producers, place, next_step),
            )
        case Step.READIED:
            yield replace(
                state, jobs=state.jobs + 1, producers=put(state.producers, place, Step.DONE)
            )
        case _:
            pass


def worked(protocol: Protocol, state: State, place: int) -> Iterator[State]:
    def go(step: Step, **changes: object) -> State:
        return replace(state, workers=put(state.workers, place, step), **changes)

    match state.workers[place]:
        case Step.IDLE:
            if state.jobs:
                changes = {"rung": False} if protocol.clear_first else {}
                yield go(Step.ANSWERED, jobs=state.jobs - 1, **changes)
        case Step.ANSWERED:
            if state.ready:
                yield go(Step.TAKEN, ready=False)
            else:
                yield go(Step.IDLE, **({} if protocol.clear_first else {"rung": False}))
        case Step.TAKEN:
            yield go(Step.READING, **({"bell": False} if protocol.clear_first else {}))
        case Step.READING:
            if state.applied < state.log:
                yield go(Step.READING, applied=state.log)
            else:
                yield go(Step.ANSWERED if protocol.clear_first else Step.EMPTY)
        case Step.EMPTY:
            yield go(Step.ANSWERED, bell=False)
        case _:
            pass


def following(protocol: Protocol, state: State) -> Iterator[State]:
    for place in range(len(state.producers)):
        yield from produced(state, place)
        if state.deaths_left and state.producers[place] in {Step.APPENDED, Step.READIED}:
            yield replace(
                state,
                deaths_left=state.deaths_left - 1,
                producers=put(state.producers, place, Step.DEAD),
            )
    for place in range(len(state.workers)):
        yield from worked(protocol, state, place)
        if state.deaths_left and state.workers[place] is not Step.IDLE:
            # A worker that dies is back as a new one; what it had taken in hand is gone.
            yield replace(
                state,
                deaths_left=state.deaths_left - 1,
                workers=put(state.workers, place, Step.IDLE),
            )


def swept(state: State) -> State:
    """Look past bells and doorbells: what waits is made ready, and a job enqueued."""
    return replace(state, ready=True, jobs=state.jobs + 1)


def stranded(protocol: Protocol) -> tuple[int, int]:
    """Walk every interleaving; return how many states there are and how many ends strand one."""
    seen = {start(protocol)}
    open_ends = list(seen)
    bad = 0
    while open_ends:
        state = open_ends.pop()
        nexts = set(following(protocol, state))
        if not nexts and state.applied < state.log:
            if protocol.sweeper:
                nexts = {swept(state)}
            else:
                bad += 1
        for each in nexts - seen:
            seen.add(each)
            open_ends.append(each)
    return len(seen), bad


@pytest.mark.parametrize(
    "protocol",
    [
        Protocol(sweeper=False),
        Protocol(sweeper=False, producers=4, workers=3),
        Protocol(deaths=1),
        Protocol(deaths=2, producers=4, workers=3),
    ],
    ids=["quiet", "more of all", "one death", "two deaths"],
)
def test_no_interleaving_strands_an_append(protocol: Protocol) -> None:
    states, bad = stranded(protocol)

    assert states > 100
    assert bad == 0


def test_the_model_finds_a_bell_that_is_cleared_after_reading() -> None:
    assert stranded(Protocol(clear_first=False, sweeper=False))[1] > 0


def test_the_model_finds_that_a_death_needs_the_sweeper() -> None:
    assert stranded(Protocol(deaths=1, sweeper=False))[1] > 0
