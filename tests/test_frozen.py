"""A worker that freezes inside its transaction holds nobody up for long, and does no harm when it
wakes.
"""

import signal
from pathlib import Path

import httpx
import psutil
import pytest

from domain.commands import CreateItem, PatchItem
from ledger import tables
from tests.journey import Deployment
from tests.points import arm
from tests.waiting import until
from tests.worker.test_process import start
from tests.worker.world import NOW, World, envelope

LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))
INSIDE = ("tx.after_lock", "tx.after_events", "tx.before_commit")


@pytest.mark.parametrize("point", INSIDE)
def test_the_database_frees_the_locks_of_a_frozen_worker_and_the_zombie_changes_nothing(
    postgresql_url: str, valkey_url: str, tmp_path: Path, point: str
) -> None:
    with World.of(postgresql_url, valkey_url, 1) as world:
        fails = tmp_path / "failpoints"
        fails.mkdir()
        workers = [
            start(
                postgresql_url, valkey_url, tmp_path / f"beat-{n}", ITEMLEDGER_FAILPOINTS=str(fails)
            )
            for n in range(2)
        ]
        try:
            until(lambda: len(list(tmp_path.glob("beat-*"))) == 2, 30, "both workers live")
            arm(fails, point, "freeze")
            world.append(LAMP)
            world.ring.ring([0])
            until(lambda: list(fails.glob("*.reached-*")), 30, "one froze")
            (frozen,) = [int(each.name.rpartition("-")[2]) for each in fails.iterdir()]
            stopped = psutil.STATUS_STOPPED
            until(lambda: psutil.Process(frozen).status() == stopped, 30, "it stands still")
            until(lambda: world.checkpoint().n == 1, 30, "the other one took over")
            psutil.Process(frozen).send_signal(signal.SIGCONT)
            world.append(envelope("c2", PatchItem("lamp-1", NOW, price=2)))
            world.ring.ring([0])
            until(lambda: world.checkpoint().n == 2, 30, "commands go on being applied")
            for each in workers:
                each.terminate()
            logs = [each.communicate(timeout=30)[1] for each in workers]
        finally:
            for each in workers:
                each.kill()
                each.communicate()

        assert [each.returncode for each in workers] == [0, 0], logs
        told = [row["command_id"] for row in world.rows(tables.events, "offset")]
        assert told == ["c1", "c2"]


def test_up_kills_a_frozen_worker_and_its_commands_are_applied_by_the_next(
    tmp_path: Path, sqlite_url: str
) -> None:
    deployment = Deployment(tmp_path, sqlite_url)
    fails = tmp_path / "failpoints"
    fails.mkdir()
    deployment.env["ITEMLEDGER_FAILPOINTS"] = str(fails)
    with deployment.up() as process:
        before = {each.pid for each in psutil.Process(process.pid).children()}
        arm(fails, "tx.before_commit", "freeze")
        answer = httpx.put(
            f"{deployment.command_url}/items/lamp-1",
            json={"name": "Lamp", "price": 100},
            headers={"Prefer": "wait=30"},
            timeout=40,
            trust_env=False,
        )
        (frozen,) = [int(each.name.rpartition("-")[2]) for each in fails.iterdir()]

        assert answer.status_code == 201, answer.text
        assert frozen in before
        assert not psutil.pid_exists(frozen)
    assert "child is frozen, killing it" in deployment.log.read_text()
