import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from runtime.child import Child, Pace
from runtime.lock import FolderInUse, lock_folder
from runtime.settings import Settings
from runtime.supervisor import Supervisor
from runtime.valkey import answer, valkey_child
from tests.runtime.waiting import clean_environment, lines, pids, runs, until, wait_until

# Every program writes its process id to the file that it is given first.
BEGIN = """
import os, signal, subprocess, sys, time
from pathlib import Path
def note(text):
    with open(sys.argv[1], "a") as file:
        file.write(f"{text}\\n")
"""
LIVE = "note(os.getpid())\nwhile True: signal.pause()\n"
IGNORE_TERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
TELL_END = """
def end(*_):
    with open(sys.argv[2], "a") as file:
        file.write(sys.argv[3] + "\\n")
    sys.exit()
signal.signal(signal.SIGTERM, end)
"""
HAVE_CHILD = """
code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
note(subprocess.Popen([sys.executable, "-c", code]).pid)
"""
BEAT = """
note(os.getpid())
while True:
    Path(sys.argv[2]).touch()
    signal.sigtimedwait((), 0.02)
"""

SUPERVISOR = """
import asyncio, sys
from runtime.child import Child
from runtime.supervisor import Supervisor
async def main():
    async with Supervisor() as supervisor:
        for number in range(3):
            argv = (sys.executable, "-c", sys.argv[1], sys.argv[2])
            supervisor.start(Child(name=f"child-{number}", argv=argv, env={}))
        await supervisor.run_until(asyncio.Event())
asyncio.run(main())
"""


def child(name: str, program: str, *arguments: Path | str, order: int = 0) -> Child:
    argv = (sys.executable, "-I", "-S", "-c", BEGIN + program, *map(str, arguments))
    return Child(name=name, argv=argv, env={}, stop_order=order)


async def started(file: Path, count: int = 1) -> list[int]:
    await until(lambda: len(lines(file)) >= count, f"{count} starts noted in {file.name}")
    return pids(file)


def test_a_killed_child_comes_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Supervisor() as supervisor:
            keeper = supervisor.start(child("api", LIVE, tmp_path / "pids"))
            for number in (1, 2, 3):
                pid = (await started(tmp_path / "pids", number))[-1]
                assert keeper.pid == pid
                assert keeper.endings == number - 1
                os.kill(pid, signal.SIGKILL)
            last = (await started(tmp_path / "pids", 4))[-1]
            assert runs(last)
        assert not runs(last)

    asyncio.run(scenario())


@pytest.mark.parametrize("code", [0, 1, 2, 75])
def test_a_child_comes_back_whatever_its_exit_code(tmp_path: Path, code: int) -> None:
    async def scenario() -> None:
        async with Supervisor() as supervisor:
            supervisor.start(child("cron", f"note(os.getpid())\nsys.exit({code})", tmp_path / "p"))
            assert len(set(await started(tmp_path / "p", 3))) >= 3

    asyncio.run(scenario())


def test_a_program_that_cannot_be_run_stops_nobody_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Supervisor() as supervisor:
            absent = supervisor.start(Child("api", (str(tmp_path / "absent"),), env={}))
            supervisor.start(child("query", LIVE, tmp_path / "pids"))
            await until(lambda: absent.endings >= 2, "a second try")
            assert runs((await started(tmp_path / "pids"))[0])

    asyncio.run(scenario())


def test_a_restart_takes_less_than_a_second_at_first_and_never_more_than_five() -> None:
    pauses = [Pace().pause(deaths) for deaths in range(1, 100_000)]
    assert pauses[0] == 0
    assert max(pauses[:5]) < 1
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5


def test_children_are_stopped_in_order(tmp_path: Path) -> None:
    names = ["api", "worker", "cron", "query", "valkey"]

    async def scenario() -> None:
        async with Supervisor() as supervisor:
            for name in reversed(names):
                program = TELL_END + LIVE
                order = names.index(name)
                arguments = (tmp_path / name, tmp_path / "ends", name)
                supervisor.start(child(name, program, *arguments, order=order))
            for name in names:
                await started(tmp_path / name)

    asyncio.run(scenario())
    assert lines(tmp_path / "ends") == names


def test_a_child_whose_turn_is_later_is_still_kept_alive(tmp_path: Path) -> None:
    # The first to go kills the second and waits until that one is back.
    program = """
def end(*_):
    second = Path(sys.argv[2])
    os.kill(int(second.read_text().split()[-1]), signal.SIGKILL)
    while len(second.read_text().split()) < 2:
        signal.sigtimedwait((), 0.01)
    sys.exit()
signal.signal(signal.SIGTERM, end)
"""

    async def scenario() -> None:
        async with Supervisor() as supervisor:
            supervisor.start(child("api", program + LIVE, tmp_path / "api", tmp_path / "valkey"))
            supervisor.start(child("valkey", LIVE, tmp_path / "valkey", order=1))
            await started(tmp_path / "api")
            await started(tmp_path / "valkey")

    asyncio.run(scenario())
    assert len(lines(tmp_path / "valkey")) == 2


def test_a_child_that_will_not_stop_is_killed_after_the_deadline(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with Supervisor(Pace(stop=0.2)) as supervisor:
            supervisor.start(child("worker", IGNORE_TERM + LIVE, tmp_path / "pids"))
            return (await started(tmp_path / "pids"))[0]

    assert not runs(asyncio.run(scenario()))


def test_what_a_child_has_started_does_not_stay_behind(tmp_path: Path) -> None:
    async def scenario() -> Sequence[int]:
        async with Supervisor() as supervisor:
            supervisor.start(child("query", HAVE_CHILD + LIVE, tmp_path / "pids"))
            grandchild, leader = await started(tmp_path / "pids", 2)
            os.kill(leader, signal.SIGKILL)
            await until(lambda: not runs(grandchild), "the end of what a killed child started")
            return await started(tmp_path / "pids", 4)

    noted = asyncio.run(scenario())
    wait_until(lambda: not any(map(runs, noted)), "the end of everything")


def test_a_frozen_child_is_killed_and_started_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        beat = tmp_path / "beats" / "worker"
        frozen = child("worker", BEAT, tmp_path / "pids", beat)
        frozen = Child(frozen.name, frozen.argv, frozen.env, heartbeat=beat)
        async with Supervisor(Pace(heartbeat=1)) as supervisor:
            supervisor.start(frozen)
            pid = (await started(tmp_path / "pids"))[0]
            await until(beat.exists, "a heartbeat")
            os.kill(pid, signal.SIGSTOP)
            await started(tmp_path / "pids", 2)
            assert not runs(pid)

    asyncio.run(scenario())


def test_a_child_that_never_beats_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    async def scenario() -> None:
        mute = child("worker", LIVE, tmp_path / "pids")
        mute = Child(mute.name, mute.argv, mute.env, heartbeat=tmp_path / "beat")
        async with Supervisor(Pace(first_heartbeat=0.5)) as supervisor:
            supervisor.start(mute)
            first = (await started(tmp_path / "pids", 2))[0]
            assert not runs(first)

    asyncio.run(scenario())


def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISOR, BEGIN + LIVE, str(tmp_path / "pids")]
    with subprocess.Popen(command, env=clean_environment()) as supervisor:
        wait_until(lambda: len(lines(tmp_path / "pids")) == 3, "three children")
        supervisor.kill()
    wait_until(lambda: not any(map(runs, pids(tmp_path / "pids"))), "the end of the children")


def test_a_killed_valkey_comes_back_on_the_same_folder(settings: Settings) -> None:
    async def scenario() -> None:
        lock = lock_folder(settings.data)
        async with Supervisor() as supervisor:
            keeper = supervisor.start(valkey_child(settings, lock))
            await until(lambda: answer(settings.valkey_socket) == "ready", "Valkey")
            assert keeper.pid is not None
            os.kill(keeper.pid, signal.SIGKILL)
            await until(lambda: keeper.endings == 1, "the end of Valkey")
            await until(lambda: answer(settings.valkey_socket) == "ready", "Valkey again")
        lock.release()
        assert answer(settings.valkey_socket) == "none"

    asyncio.run(scenario())
    lock_folder(settings.data, patience=0).release()


def test_the_folder_stays_taken_for_as_long_as_valkey_lives(settings: Settings) -> None:
    async def scenario() -> None:
        lock = lock_folder(settings.data)
        async with Supervisor() as supervisor:
            supervisor.start(valkey_child(settings, lock))
            await until(lambda: answer(settings.valkey_socket) == "ready", "Valkey")
            # As it is when `up` has been killed and its Valkey is still about to die.
            lock.release()
            with pytest.raises(FolderInUse):
                lock_folder(settings.data, patience=0)
        lock_folder(settings.data, patience=0).release()

    asyncio.run(scenario())
