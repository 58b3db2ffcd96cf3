import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cli.up import ask
from cli.whereabouts import located
from runtime.lock import lock_folder
from runtime.settings import Settings
from tests import ports
from tests.runtime.waiting import lines, runs, wait_until

ROOT = Path(__file__).parents[2]
_OURS = "ITEMLEDGER_"
STAND_INS = ("api", "query", "worker", "cron")


class Deployment:
    """One `up` with stand-ins, in a folder of its own."""

    def __init__(self, folder: Path, ports: tuple[int, int]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.ports = ports
        self.out = folder / "out"
        self.pid: int | None = None

    @contextmanager
    def up(self, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        with self.starting(**more) as process:
            wait_until(lambda: "Ctrl-C stops it" in self.out.read_text(), "being ready")
            # That is said of the services; the others may still be on their way.
            wait_until(lambda: all(map(self.pids, STAND_INS)), "four stand-ins")
            yield process

    @contextmanager
    def starting(self, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        env = (
            kept
            | {
                "ITEMLEDGER_ENV_FILE": "",
                "PYTHONPATH": str(ROOT),
                "STAND_INS": str(self.folder),
                "ITEMLEDGER_DATA": str(self.data),
                "ITEMLEDGER_COMMAND_PORT": str(self.ports[0]),
                "ITEMLEDGER_QUERY_PORT": str(self.ports[1]),
            }
            | more
        )
        command = [sys.executable, "-m", "tests.cli.stand_ins"]
        with (
            self.out.open("wb") as out,
            subprocess.Popen(command, env=env, stdout=out, stderr=out) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def pids(self, name: str) -> list[int]:
        starts = [line.split() for line in lines(self.folder / "starts")]
        return [int(pid) for started, pid in starts if started == name]

    def ends(self) -> list[str]:
        return lines(self.folder / "ends")


@pytest.fixture
def deployment(tmp_path: Path, free_ports: tuple[int, int]) -> Deployment:
    return Deployment(tmp_path, free_ports)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One that runs, for all who only look at it; beside it lies a file that is nobody's."""
    made = Deployment(tmp_path_factory.mktemp("calm"), ports.free_ports())
    (made.folder / ".env").write_text("ITEMLEDGER_DATABASE_URL=sqlite:///elsewhere.db\n")
    with made.up() as process:
        made.pid = process.pid
        yield made


def everything_of(process: subprocess.Popen[bytes]) -> list[int]:
    return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_everything_in_order(deployment: Deployment, number: int) -> None:
    with deployment.up() as process:
        asked = located(Settings(data=deployment.data))
        assert (asked.command_port, asked.query_port) == deployment.ports
        family = everything_of(process)
        assert len(family) == 5
        process.send_signal(number)
        assert process.wait() == 0
    assert deployment.ends() == ["api", "worker", "cron", "query"]
    assert not any(map(runs, family))
    assert "bye bye" in (deployment.data / "valkey" / "valkey.log").read_text()
    lock_folder(deployment.data, patience=0).release()
    assert not (deployment.data / "serving.json").exists()


def test_a_second_ctrl_c_while_stopping_breaks_nothing(deployment: Deployment) -> None:
    with deployment.up() as process:
        family = everything_of(process)
        # A child that is stopped hears nothing, so that `up` is still stopping at the second one.
        os.kill(deployment.pids("api")[0], signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        os.kill(deployment.pids("api")[0], signal.SIGCONT)
        assert process.wait() == 0
    assert deployment.ends() == ["api", "worker", "cron", "query"]
    assert not any(map(runs, family))


def test_it_says_which_database_it_has_where_that_is_elsewhere(
    deployment: Deployment, sqlite_url: str
) -> None:
    with deployment.up(ITEMLEDGER_DATABASE_URL=sqlite_url):
        assert f"Database     {sqlite_url}\n" in deployment.out.read_text()


def test_a_killed_process_comes_back(deployment: Deployment) -> None:
    with deployment.up():
        for name in STAND_INS:
            os.kill(deployment.pids(name)[0], signal.SIGKILL)
            wait_until(lambda name=name: len(deployment.pids(name)) == 2, f"{name} coming back")


def test_after_a_kill_of_up_nothing_runs_and_it_starts_again(deployment: Deployment) -> None:
    with deployment.up() as process:
        family = everything_of(process)
        process.kill()
        process.wait()
        with deployment.up():
            assert not any(map(runs, family))


def test_the_environment_of_a_child_names_no_store_it_may_not_touch(calm: Deployment) -> None:
    api = json.loads((calm.folder / "api.json").read_text())
    query = json.loads((calm.folder / "query.json").read_text())
    assert "ITEMLEDGER_DATABASE_URL" not in api
    assert query["ITEMLEDGER_DATABASE_URL"] == f"sqlite:///{calm.data}/itemledger.db"
    assert api["ITEMLEDGER_REDIS_URL"] == f"unix://{calm.data}/valkey/valkey.sock"
    assert "ITEMLEDGER_HEARTBEAT" not in query
    assert api["ITEMLEDGER_ENV_FILE"] == ""


def test_a_signal_while_a_service_is_waited_for_ends_it_in_order(deployment: Deployment) -> None:
    with deployment.starting(STAND_INS_ANSWER="500") as process:
        wait_until(lambda: all(map(deployment.pids, STAND_INS)), "four stand-ins")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0, deployment.out.read_text()
    assert "Ctrl-C stops it" not in deployment.out.read_text()
    assert deployment.ends() == ["api", "worker", "cron", "query"]


def test_who_asks_again_to_stop_hears_that_it_was_heard(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = asyncio.Event()
    ask(asked)
    assert capsys.readouterr().err == ""
    ask(asked)
    assert asked.is_set()
    assert "it is stopping already" in capsys.readouterr().err


def test_replicas_that_the_embedded_valkey_can_not_have_are_refused_at_once(
    deployment: Deployment,
) -> None:
    with deployment.starting(ITEMLEDGER_WAIT_REPLICAS="1") as process:
        assert process.wait() == 2
    (line,) = deployment.out.read_text().splitlines()
    assert "ITEMLEDGER_WAIT_REPLICAS=1" in line
    assert "--redis-url" in line
    assert not deployment.data.exists()


def test_the_banner_says_where_it_is_how_safe_and_how_to_stop_it(calm: Deployment) -> None:
    said = calm.out.read_text()
    assert "Database" not in said
    assert f"Command API  http://127.0.0.1:{calm.ports[0]}" in said
    assert f"Pages        http://127.0.0.1:{calm.ports[1]}/ " in said
    assert f"Query API    http://127.0.0.1:{calm.ports[1]}" in said
    assert f"Data folder  {calm.data}" in said
    assert "Durability   fsync: a command is on disk before it is answered" in said
    assert "this machine alone, without tokens" in said
    assert "Ctrl-C stops it" in said


def test_a_database_that_is_none_is_refused_in_one_line(deployment: Deployment) -> None:
    deployment.data.mkdir(mode=0o700)
    (deployment.data / "itemledger.db").write_bytes(b"something else" * 1000)

    with deployment.starting() as process:
        assert process.wait() == 3
    # Beside it there is the log, of the Valkey that is stopped again.
    said = deployment.out.read_text().splitlines()
    (line,) = [each for each in said if not each.startswith("{")]
    assert line.startswith("itemledger: ")
    assert "not a database" in line
    assert deployment.pids("api") == []


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_up_keeps_nothing_of_what_only_its_start_needs(calm: Deployment) -> None:
    kept = Path(f"/proc/{calm.pid}/maps").read_text()

    assert "pydantic_core" in kept
    # It is the preparation that has asked the log how safe it is.
    assert "hiredis" not in kept
    assert "sqlalchemy" not in kept
