"""The whole service on a log whose end was torn off: it starts, and nothing is passed over."""

import os
import random
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.journey import Deployment
from tests.torn import append_file
from tests.waiting import until

# How many cuts: a sample, unless more are asked for.
CUTS = int(os.environ.get("TORN_SERVICES", "2"))
_APPLIED, _WAITING = 40, 60
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command that was answered with 202 while the append-only file grew from `began` to `size`
    bytes, the workers' own marks among them.
    """

    id: str
    item: str
    token: str
    began: int
    size: int


@dataclass(frozen=True, slots=True)
class Fallen:
    """A data folder as it was left when everything was killed at once."""

    folder: Path
    told: Sequence[Accepted]
    dice: random.Random

    @property
    def size(self) -> int:
        return append_file(self.folder / "data").stat().st_size


def deployment_in(folder: Path) -> Deployment:
    folder.mkdir(exist_ok=True)
    (folder / "data").mkdir(mode=0o700, exist_ok=True)
    return Deployment(folder, f"sqlite:///{folder / 'data' / 'itemledger.db'}")


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> Fallen:
    seed = secrets.randbelow(1_000_000)
    # pytest shows this where a test fails.
    sys.stdout.write(f"seed {seed}\n")
    folder = tmp_path_factory.mktemp("fallen")
    deployment = deployment_in(folder)
    process = deployment.start()
    try:
        told = create(deployment, _APPLIED)
        until(lambda: deployment.head() == _APPLIED, _PATIENCE, "the first commands applied")
        with closing(sqlite3.connect(folder / "data" / "itemledger.db")) as other:
            # The worker waits for this lock, so the ledger stays behind the log.
            other.execute("BEGIN IMMEDIATE")
            told += create(deployment, _WAITING)
            kill_everything(process)
            other.rollback()
    finally:
        process.kill()
        process.wait()
    return Fallen(folder, told, random.Random(seed))  # noqa: S311  a seed that can be given again


def create(deployment: Deployment, count: int) -> list[Accepted]:
    told: list[Accepted] = []
    log = append_file(deployment.folder / "data")
    with httpx.Client(base_url=deployment.command_url, trust_env=False, timeout=30) as client:
        for n in range(count):
            began = log.stat().st_size
            answer = client.post("/items", json={"name": f"Item {n}", "price": n})
            assert answer.status_code == 202, answer.text
            said = answer.json()
            told.append(
                Accepted(
                    said["command_id"], said["item_id"], said["token"], began, log.stat().st_size
                )
            )
    return told


def kill_everything(process: subprocess.Popen[bytes]) -> None:
    family = psutil.Process(process.pid).children(recursive=True)
    # The others cannot outlive it.
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, 30)
    assert not alive


@contextmanager
def started_on_a_copy(fallen: Fallen, folder: Path, cut: int) -> Iterator[Deployment]:
    shutil.copytree(fallen.folder / "data", folder / "data", ignore=_no_sockets)
    with append_file(folder / "data").open("r+b") as file:
        file.truncate(cut)
    deployment = deployment_in(folder)
    with deployment.up():
        yield deployment


def _no_sockets(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".sock")]


@pytest.mark.timeout(1800)
def test_the_service_starts_on_a_torn_log_and_loses_nothing_that_lies_before_the_cut(
    fallen: Fallen, tmp_path: Path
) -> None:
    waiting = fallen.told[_APPLIED - 1].size
    # One inside what the ledger has taken already, so that the ledger is ahead of the log.
    cuts = [fallen.dice.randrange(fallen.told[_APPLIED // 2].size, waiting)]
    cuts += [fallen.dice.randrange(waiting, fallen.size) for _ in range(CUTS - 1)]
    for number, cut in enumerate(cuts):
        with started_on_a_copy(fallen, tmp_path / f"{number}", cut) as deployment:
            holds(deployment, fallen.told, cut)


def holds(deployment: Deployment, told: Sequence[Accepted], cut: int) -> None:
    applied = list(told[:_APPLIED])
    whole = [each for each in told[_APPLIED:] if each.size <= cut]
    # Of one the end may lie before the cut, and only marks of the workers behind it.
    at_the_cut = [each for each in told[_APPLIED:] if each.began < cut < each.size]
    lost = [each for each in told[_APPLIED:] if each.began >= cut]
    until(
        lambda: deployment.head() >= len(applied) + len(whole),
        _PATIENCE,
        f"what lies before the cut at {cut} applied",
    )
    # What comes after goes over nothing.
    new = create(deployment, 10)
    assert {each.token for each in new}.isdisjoint(each.token for each in told)
    with httpx.Client(base_url=deployment.query_url, trust_env=False, timeout=30) as client:
        until(lambda: status(client, new[-1]) == "applied", _PATIENCE, "what is new applied")
        found = [status(client, each) for each in (*applied, *whole, *new)]
        assert set(found) == {"applied"}, (cut, found)
        found = [status(client, each) for each in lost]
        assert set(found) <= {"lost"}, (cut, found)
        kept = [each for each in at_the_cut if status(client, each) == "applied"]
        page = client.get("/items", params={"limit": 200}).json()
        assert page["next"] is None
        versions = {each["id"]: each["version"] for each in page["items"]}
        assert versions == {each.item: 1 for each in (*applied, *whole, *kept, *new)}, cut


def status(client: httpx.Client, command: Accepted) -> Any:
    answer = client.get(f"/commands/{command.id}", params={"token": command.token})
    return answer.json().get("status")
