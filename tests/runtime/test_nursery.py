"""Children that are forked in a nursery are children like any other."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from runtime import nursery
from runtime.child import Child
from runtime.nursery import Nursery
from runtime.supervisor import Supervisor
from tests.runtime.waiting import clean_environment, lines, pids, runs, until, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody is forked")

ROOT = str(Path(__file__).parents[2])
LIVE = """
import os, signal, sys
with open(sys.argv[-1] if len(sys.argv) > 2 else os.environ["NOTES"], "a") as file:
    file.write(f"{os.getpid()}\\n")
while True: signal.pause()
"""
PROGRAM = f"""
import os, socket, sys
sys.path.insert(0, {ROOT!r})
from runtime.forking import Room, tend
if "THREAD" in os.environ:
    import threading
    threading.Thread(target=threading.Event().wait, daemon=True).start()
rooms = [
    Room(frozenset({{"early"}}), ("colorsys",)),
    Room(frozenset({{"live", "tell"}}), (*os.environ.get("SLOW", "").split(), "fileinput")),
]
word = tend(socket.socket(fileno=int(sys.argv[1])), rooms)
if word == "live":
    sys.argv = sys.argv[:1]
    exec({LIVE!r})
elif word is not None:
    loaded = [each for each in ("colorsys", "fileinput") if each in sys.modules]
    with open("/proc/self/cmdline", "rb") as file:
        line = file.read().decode()
    print([word, os.environ.copy(), os.getppid(), os.getsid(0) == os.getpid(), loaded, line])
    sys.exit(7)
"""
ARGV = (sys.executable, "-c", PROGRAM)


def forked(notes: Path) -> Child:
    """A child that notes its id; where it is executed, `notes` has the ending `.run`."""
    argv = (sys.executable, "-c", LIVE, "run", f"{notes}.run")
    return Child("api", argv, {"NOTES": str(notes)}, word="live")


async def noted(file: Path, count: int = 1) -> int:
    """Wait until so many have noted their ids; return the last."""
    await until(lambda: len(lines(file)) >= count, f"{count} notes in {file.name}")
    return pids(file)[-1]


def of_nursery(known: Nursery) -> int:
    assert known._nurse is not None
    return known._nurse.process.pid


def with_nursery(scenario: Callable[[Nursery, Supervisor], Awaitable[None]], **env: str) -> None:
    async def main() -> None:
        async with Nursery(ARGV, env) as known, Supervisor(start=known.start) as supervisor:
            await scenario(known, supervisor)

    asyncio.run(main())


def test_a_forked_child_is_ours_comes_back_and_goes_with_us(tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    async def scenario(_: Nursery, supervisor: Supervisor) -> None:
        keeper = supervisor.start(forked(notes))
        for number in (1, 2):
            pid = await noted(notes, number)
            assert keeper.pid == pid
            assert psutil.Process(pid).ppid() == os.getpid()
            os.kill(pid, signal.SIGKILL)
        assert runs(await noted(notes, 3))

    with_nursery(scenario)
    assert not any(map(runs, pids(notes)))


def asked(word: str) -> Child:
    return Child("api", ("python", "-m", "cli", word), {"ONLY": "this"}, word=word)


def told(reading: int) -> list[object]:
    with os.fdopen(reading) as said:
        return eval(said.read(), {"environ": dict})  # noqa: S307  of our own program


def test_it_has_its_own_environment_name_and_session_and_what_was_loaded() -> None:
    async def scenario() -> list[object]:
        reading, writing = os.pipe()
        async with Nursery(ARGV, {}) as known:
            process = await known.start(asked("tell"), writing)
            os.close(writing)
            assert await process.wait() == 7
        return told(reading)

    assert asyncio.run(scenario()) == [
        "tell",
        {"ONLY": "this"},
        os.getpid(),
        True,
        ["colorsys", "fileinput"],
        "python -m cli tell\0",
    ]


def test_who_needs_little_does_not_wait_for_what_others_need(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    (tmp_path / "slow.py").write_text(f"open({str(gate)!r}).read()")
    env = {"SLOW": "slow", "PYTHONPATH": str(tmp_path)}

    async def scenario() -> list[object]:
        reading, writing = os.pipe()
        async with Nursery(ARGV, env) as known:
            starting = asyncio.create_task(known.start(asked("early"), writing))
            await asyncio.sleep(0)
            # It has been asked for; what is slow is loaded now, and something after it.
            await asyncio.to_thread(gate.write_text, "")
            assert await (await starting).wait() == 7
            os.close(writing)
        return told(reading)

    assert asyncio.run(scenario())[4] == ["colorsys"]


def test_a_nursery_that_is_killed_takes_nobody_along_and_is_started_anew(tmp_path: Path) -> None:
    notes, run = tmp_path / "notes", tmp_path / "notes.run"

    async def scenario(known: Nursery, supervisor: Supervisor) -> None:
        supervisor.start(forked(notes))
        first = await noted(notes)
        os.kill(of_nursery(known), signal.SIGKILL)
        assert runs(first)
        os.kill(first, signal.SIGKILL)
        # Nobody waits for what has to be loaded again.
        second = await noted(run)
        os.kill(second, signal.SIGKILL)
        third = await noted(notes, 2)
        assert (runs(second), runs(third)) == (False, True)

    with_nursery(scenario)


def test_a_nursery_that_is_frozen_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, run = tmp_path / "notes", tmp_path / "notes.run"
    monkeypatch.setattr(nursery, "_PATIENCE", 0.3)

    async def scenario(known: Nursery, supervisor: Supervisor) -> None:
        supervisor.start(forked(notes))
        first, frozen = await noted(notes), of_nursery(known)
        os.kill(frozen, signal.SIGSTOP)
        os.kill(first, signal.SIGKILL)
        await noted(run)
        assert not runs(frozen)

    with_nursery(scenario)
    assert (len(lines(notes)), len(lines(run))) == (1, 1)


def test_whom_a_nursery_has_forked_before_it_was_given_up_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "notes"

    async def scenario(known: Nursery, _: Supervisor) -> None:
        first = await known.start(forked(notes))
        await noted(notes)
        first.kill()
        # Its answer comes, but nobody has the patience to read it.
        end = nursery._end

        async def late(nurse: nursery._Nurse) -> bytes:
            nurse.process.send_signal(signal.SIGCONT)
            await noted(notes, 2)
            return await end(nurse)

        monkeypatch.setattr(nursery, "_end", late)
        os.kill(of_nursery(known), signal.SIGSTOP)
        known._patience = 0.0
        process = await known.start(forked(notes))
        monkeypatch.setattr(nursery, "_end", end)
        assert process.pid == pids(notes)[-1]
        process.kill()
        assert await process.wait() == -signal.SIGKILL

    with_nursery(scenario)
    assert lines(tmp_path / "notes.run") == []


def test_with_more_than_one_thread_nobody_is_forked(tmp_path: Path) -> None:
    notes, run = tmp_path / "notes", tmp_path / "notes.run"

    async def scenario(_: Nursery, supervisor: Supervisor) -> None:
        supervisor.start(forked(notes))
        await noted(run)

    with_nursery(scenario, THREAD="yes")
    assert lines(notes) == []


SUPERVISOR = f"""
import asyncio, sys
sys.path.insert(0, {ROOT!r})
from tests.runtime import test_nursery as tests
from runtime.nursery import Nursery
from runtime.supervisor import Supervisor
from pathlib import Path
async def main():
    async with Nursery(tests.ARGV, {{}}) as known, Supervisor(start=known.start) as supervisor:
        supervisor.start(tests.forked(Path(sys.argv[1])))
        await supervisor.run_until(asyncio.Event())
asyncio.run(main())
"""


def test_children_and_nursery_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    command = [sys.executable, "-c", SUPERVISOR, str(notes)]
    with subprocess.Popen(command, env=clean_environment()) as supervisor:
        wait_until(lambda: len(lines(notes)) == 1, "a child")
        family = [each.pid for each in psutil.Process(supervisor.pid).children(recursive=True)]
        supervisor.kill()
    assert len(family) == 2
    wait_until(lambda: not any(map(runs, family)), "the end of both")


def test_where_nobody_can_be_forked_everybody_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nursery, "is_possible", lambda: False)

    async def scenario(known: Nursery, supervisor: Supervisor) -> None:
        supervisor.start(forked(tmp_path / "notes"))
        await noted(tmp_path / "notes.run")
        assert known._nurse is None

    with_nursery(scenario)
