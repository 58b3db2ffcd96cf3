"""Nothing that was taken is lost, and nothing is taken twice, whatever is killed on the way."""

import random
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.journey import Account, Deployment, beginning_of_the_real_input
from tests.waiting import until

_ROWS = 10_000
_KEY = "the-import-that-was-hit"
_MARKS = 3
_PARTS = ("cli worker", "valkey", "cli api")


@pytest.mark.timeout(240)
def test_an_import_survives_kills_of_every_part_and_of_the_whole(
    tmp_path: Path, database_url: str
) -> None:
    seed = secrets.randbelow(1_000_000)
    dice = random.Random(seed)  # noqa: S311  a seed that can be given again
    file, rows = beginning_of_the_real_input(tmp_path, _ROWS)
    account = Account()
    refused = account.take(rows)
    deployment = Deployment(tmp_path, database_url)
    # Each part, and the whole, once; spread over the import, at so many commands taken.
    victims = [*_PARTS, "up"]
    dice.shuffle(victims)
    stretch = _ROWS // 2 // len(victims)
    moments = [n * stretch + dice.randrange(300, stretch) for n in range(len(victims))]
    # pytest shows this where the test fails.
    sys.stdout.write(f"seed {seed}: {list(zip(moments, victims, strict=True))}\n")

    process = deployment.start()
    importing = deployment.import_file(file, "--key", _KEY)
    hits: list[tuple[str, int]] = []
    try:
        for moment, victim in zip(moments, victims, strict=True):
            _await_taken(deployment, importing, moment)
            taken = deployment.head()
            # Jitter, not a wait: a kill shall not always fall right after a commit.
            time.sleep(dice.uniform(0, 0.2))  # jitter: see above
            if victim == "up":
                process = _kill_the_whole(deployment, process)
            else:
                _kill(process, victim)
            hits.append((victim, taken))
            assert importing.poll() is None, deployment.imported()
        sys.stdout.write(f"hit: {hits}\n")
        assert all(0 < taken < _ROWS - 1 for _, taken in hits)
        assert importing.wait(120) == 1, (tmp_path / "import.log").read_text()
        assert deployment.rejected(file) == refused
        deployment.assert_holds(account)

        # The same import once more: every row is known.
        taken = deployment.head()
        assert deployment.import_file(file, "--key", _KEY).wait(60) == 1
        assert deployment.rejected(file) == refused
        # Nothing has come to it but what is said of the import itself: it begins, it ends.
        assert deployment.head() - taken <= _MARKS
        deployment.assert_holds(account, dice.sample(sorted(account.items), 50))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        for each in (importing, process):
            each.kill()
            each.wait()


def _await_taken(deployment: Deployment, importing: subprocess.Popen[bytes], commands: int) -> None:
    def there() -> bool:
        assert importing.poll() is None, "the import ended before all kills"
        return deployment.head() >= commands

    until(there, 60, f"{commands} commands taken")


def _child(process: subprocess.Popen[bytes], part: str) -> psutil.Process | None:
    for each in psutil.Process(process.pid).children():
        try:
            if part in " ".join(each.cmdline()):
                return each
        except psutil.NoSuchProcess:
            continue
    return None


def _kill(process: subprocess.Popen[bytes], part: str) -> None:
    """Kill a child of `up`; `up` brings it back under another process id."""
    child = _child(process, part)
    assert child is not None, f"{part} does not run"
    child.kill()

    def back() -> bool:
        found = _child(process, part)
        return found is not None and found.pid != child.pid

    until(back, 30, f"{part} coming back")


def _kill_the_whole(
    deployment: Deployment, process: subprocess.Popen[bytes]
) -> subprocess.Popen[bytes]:
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 5
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, 30)
    assert not alive, f"outlived `up`: {alive}"
    return deployment.start()
