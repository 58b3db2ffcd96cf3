"""The wake-up protocol as a model, all interleavings: nobody's append may be stranded.

Producers append, raise the bell, and ring in a second round trip; workers answer doorbells, try the
partition's lock, read, put back; a sweeper comes round. Extend the model before changing the
protocol. The letter is that of `worker/drain.py`, `worker/session.py`, `eventlog/ring.py` and
`eventlog/append.lua`.
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
    POPPED = auto()
    ASIDE = auto()
    HELD = auto()
    LOCKED = auto()
    READING = auto()
    EMPTY = auto()
    LINGERED = auto()
    DONE = auto()
    DEAD = auto()


@dataclass(frozen=True, slots=True)
class State:
    """One partition: `log` is how many were appended, `applied` how many were taken."""

    log: int
    applied: int
    bell: bool
    ready: bool
    rung: bool
    jobs: int
    lock: int | None
    producers: tuple[Step, ...]
    workers: tuple[Step, ...]
    deaths_left: int


@dataclass(frozen=True, slots=True)
class Protocol:
    """Ours, and the tempting wrong ones.

    `clear_first`: bell and doorbell go down before reading, not after. `put_back`: a partition that
    somebody else has is made ready again. `unique`: a job is dropped while another one exists.
    `unready`: who lingers takes back, after it has read, that the partition is ready.
    """

    clear_first: bool = True
    put_back: bool = True
    unique: bool = False
    unready: bool = False
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
        lock=None,
        producers=(Step.IDLE,) * protocol.producers,
        workers=(Step.IDLE,) * protocol.workers,
        deaths_left=protocol.deaths,
    )


def put(steps: tuple[Step, ...], place: int, step: Step) -> tuple[Step, ...]:
    return (*steps[:place], step, *steps[place + 1 :])


def produced(protocol: Protocol, state: State, place: int) -> Iterator[State]:
    def go(step: Step, **changes: object) -> State:
        return replace(state, producers=put(state.producers, place, step), **changes)

    match state.producers[place]:
        case Step.IDLE:
            next_step = Step.DONE if state.bell else Step.APPENDED
            yield go(next_step, log=state.log + 1, bell=True)
        case Step.APPENDED:
            next_step = Step.DONE if state.rung else Step.READIED
            yield go(next_step, ready=True, rung=True)
        case Step.READIED:
            busy = state.jobs > 0 or any(each is not Step.IDLE for each in state.workers)
            dropped = protocol.unique and busy
            yield go(Step.DONE, jobs=state.jobs + (0 if dropped else 1))
        case _:
            pass


def worked(  # noqa: C901, PLR0912  one branch per step
    protocol: Protocol, state: State, place: int
) -> Iterator[State]:
    def go(step: Step, **changes: object) -> State:
        return replace(state, workers=put(state.workers, place, step), **changes)

    early, late = protocol.clear_first, not protocol.clear_first
    match state.workers[place]:
        case Step.IDLE if state.jobs:
            yield go(Step.ANSWERED, jobs=state.jobs - 1, rung=state.rung and not early)
        case Step.ANSWERED if state.ready:
            yield go(Step.POPPED, ready=False)
            # Its time is over: another job is to go on, unless one is on its way.
            yield go(Step.IDLE, rung=True, jobs=state.jobs + (0 if state.rung else 1))
        case Step.ANSWERED:
            yield go(Step.IDLE, rung=state.rung and not late)
            if state.log > state.applied and state.lock is None:
                # It lingers, and the log itself shows that something came.
                yield go(Step.LOCKED, lock=place)
        case Step.POPPED | Step.ASIDE if state.lock is None:
            yield go(Step.LOCKED, lock=place)
        case Step.POPPED:
            yield go(Step.ASIDE)
        case Step.ASIDE:
            yield go(Step.HELD)
        case Step.HELD:
            yield go(Step.IDLE, ready=state.ready or protocol.put_back)
        case Step.LOCKED:
            yield go(Step.READING, bell=state.bell and not early)
        case Step.READING:
            # Read once: what is appended from here on rings.
            yield go(Step.EMPTY, applied=state.log)
        case Step.EMPTY:
            yield go(Step.ANSWERED, lock=None, bell=state.bell and not late)
            if state.log > state.applied:
                # It lingers: what came is read again, and the bell stays as it is.
                again = Step.LINGERED if protocol.unready else Step.EMPTY
                yield go(again, applied=state.log)
        case Step.LINGERED:
            yield go(Step.EMPTY, ready=False)
        case _:
            pass


def following(protocol: Protocol, state: State) -> Iterator[State]:
    for place in range(len(state.producers)):
        yield from produced(protocol, state, place)
        if state.deaths_left and state.producers[place] in {Step.APPENDED, Step.READIED}:
            yield replace(
                state,
                deaths_left=state.deaths_left - 1,
                producers=put(state.producers, place, Step.DEAD),
            )
    for place in range(len(state.workers)):
        yield from worked(protocol, state, place)
        if state.deaths_left and state.workers[place] is not Step.IDLE:
            # A worker that dies is back as a new one; what it had taken in hand is gone, its lock
            # with it.
            yield replace(
                state,
                deaths_left=state.deaths_left - 1,
                lock=None if state.lock == place else state.lock,
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
        Protocol(),
        Protocol(producers=4, workers=3),
        Protocol(deaths=1),
        Protocol(deaths=2, workers=3),
        Protocol(workers=1, sweeper=False),
    ],
    ids=["as it is", "more of all", "one death", "two deaths", "one worker, nobody sweeps"],
)
def test_no_interleaving_strands_an_append(protocol: Protocol) -> None:
    states, bad = stranded(protocol)

    assert states > 100
    assert bad == 0


@pytest.mark.parametrize(
    "wrong",
    [
        Protocol(sweeper=False, clear_first=False),
        Protocol(sweeper=False, workers=1, unique=True),
        Protocol(sweeper=False, put_back=False),
        Protocol(sweeper=False, deaths=1),
        Protocol(sweeper=False, workers=1, unready=True),
    ],
    ids=[
        "cleared after reading",
        "unique jobs",
        "left at a lock",
        "a death nobody sweeps after",
        "taken back while lingering",
    ],
)
def test_the_model_finds_what_a_wrong_protocol_strands(wrong: Protocol) -> None:
    assert stranded(wrong)[1] > 0


def test_what_two_workers_strand_at_a_lock_is_what_the_sweeper_is_for() -> None:
    """Put back by the one after the other has looked for the last time: ready, and no doorbell."""
    assert stranded(Protocol(sweeper=False))[1] > 0
    assert stranded(Protocol(sweeper=True))[1] == 0
