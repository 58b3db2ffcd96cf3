"""The whole service, with items in memory: readers read while writers write and workers are killed
between a commit and its notice.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.journey import Deployment
from tests.points import arm
from tests.waiting import until

_ITEMS = [f"item-{number}" for number in range(20)]
_FRESH = {"Prefer": "wait=30, handling=strict"}
# Seconds: beats come each second, and are given up after two and a half. The rest is for a machine
# that does a lot besides.
_DELAY = 10.0


@dataclass(slots=True)
class Seen:
    """What readers and writers saw that must not be, and how much there was to see."""

    wrong: list[str] = field(default_factory=list[str])
    reads: int = 0
    exact: int = 0


@contextmanager
def beside(*tasks: Callable[[], None]) -> Iterator[None]:
    """Run tasks over and over for the time of the block; whatever one raises is raised after it."""
    stopping, raised = threading.Event(), list[Exception]()

    def run(task: Callable[[], None]) -> None:
        try:
            while not stopping.is_set():
                task()
        except Exception as error:  # noqa: BLE001  raised below
            raised.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in tasks]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        stopping.set()
        for each in threads:
            each.join()
    if raised:
        raise raised[0]


def reader(client: httpx.Client, seen: Seen, seed: int) -> Callable[[], None]:
    dice = random.Random(seed)  # noqa: S311  a test's dice
    # By item the versions that were seen, and since when.
    first_seen: dict[str, dict[int, float]] = {each: {} for each in _ITEMS}

    def read() -> None:
        item_id = dice.choice(_ITEMS)
        asked = time.monotonic()
        answer = client.get(f"/items/{item_id}")
        assert answer.status_code == 200, answer.text
        version = int(answer.json()["version"])
        seen.reads += 1
        for newer, at in first_seen[item_id].items():
            if newer > version and asked - at > _DELAY:
                seen.wrong.append(f"{item_id}: {version}, {asked - at:.1f} s after {newer}")
        first_seen[item_id].setdefault(version, time.monotonic())

    return read


def writer(
    write: httpx.Client, read: httpx.Client, seen: Seen, mine: list[str], seed: int
) -> Callable[[], None]:
    dice = random.Random(seed)  # noqa: S311  a test's dice

    def change() -> None:
        item_id, price = dice.choice(mine), dice.randrange(1_000_000)
        # So that it is in memory.
        read.get(f"/items/{item_id}")
        answer = write.patch(f"/items/{item_id}", json={"price": price})
        assert answer.status_code == 202, answer.text
        token = {"Consistency-Token": answer.headers["Consistency-Token"]}
        fresh = read.get(f"/items/{item_id}", headers={**token, **_FRESH})
        assert fresh.status_code == 200, fresh.text
        if fresh.json()["price"] != price:
            seen.wrong.append(f"{item_id}: wrote {price}, read {fresh.json()['price']}")
        seen.exact += 1

    return change


def counted(client: httpx.Client, name: str) -> float:
    text = client.get("/metrics").text
    (line,) = [each for each in text.splitlines() if each.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


@pytest.mark.timeout(180)
def test_nobody_reads_what_is_stale_while_workers_are_killed_before_they_tell(
    tmp_path: Path, database_url: str
) -> None:
    fails = tmp_path / "failpoints"
    fails.mkdir()
    deployment = Deployment(tmp_path, database_url)
    deployment.env["ITEMLEDGER_FAILPOINTS"] = str(fails)
    deployment.env["ITEMLEDGER_ITEM_CACHE"] = str(1 << 26)
    seen = Seen()
    with (
        httpx.Client(base_url=deployment.command_url, trust_env=False, timeout=40) as write,
        httpx.Client(base_url=deployment.query_url, trust_env=False, timeout=40) as read,
        deployment.up(),
    ):
        for each in _ITEMS:
            body = {"name": each, "price": 1}
            created = write.put(f"/items/{each}", json=body, headers={"Prefer": "wait=30"})
            assert created.status_code == 201, created.text
        tasks = [reader(read, seen, seed) for seed in range(3)]
        # Each item has one writer, who knows what it wrote last.
        tasks += [writer(write, read, seen, _ITEMS[n::2], n) for n in range(2)]
        hit = 'itemledger_item_cache_requests_total{result="hit"}'
        with beside(*tasks):
            for kills in range(1, 3):
                until(lambda: counted(read, hit) > 300 * kills, 60, "items from memory")  # noqa: B023  asked here
                before = seen.exact
                arm(fails, "tx.after_commit", "kill")
                until(lambda: len(list(fails.glob("*.reached-*"))) == kills, 90, "a kill")  # noqa: B023  asked here
                until(lambda: seen.exact > before + 5, 60, "writers go on")  # noqa: B023  asked here
            until(lambda: seen.reads > 500 and seen.exact > 20, 60, "enough having been read")
        assert not seen.wrong
        if database_url.startswith("sqlite"):
            listed = 'itemledger_list_memory_requests_total{result="hit"}'
            assert {read.get("/items?limit=7").status_code for _ in range(3)} == {200}
            assert counted(read, listed) > 0
        # And nothing that was never told stays.
        arm(fails, "tx.after_commit", "kill")
        last = write.patch("/items/item-0", json={"price": 77})
        assert last.status_code == 202
        until(lambda: read.get("/items/item-0").json()["price"] == 77, _DELAY, "what was not told")
        sure = "itemledger_item_cache_partitions_sure"
        until(lambda: counted(read, sure) > 0, 30, "the cache to be sure again")
