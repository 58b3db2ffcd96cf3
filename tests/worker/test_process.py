"""The worker as a process: how it starts, and how it ends."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from eventlog import keys, layout
from ledger import partitions
from ledger.engines import writing_engine
from runtime.positions import PartitionMismatch
from runtime.settings import Settings
from tests.runtime.waiting import clean_environment
from tests.waiting import until
from worker.heartbeat import beat
from worker.main import settle_partitions


@pytest.fixture
def redis(valkey_url: str) -> Iterator["Redis"]:
    with Redis.from_url(valkey_url) as client:
        yield client


def start(sqlite_url: str, valkey_url: str, beating: Path, **more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "worker"],
        env=clean_environment(
            ITEMLEDGER_REDIS_URL=valkey_url,
            ITEMLEDGER_DATABASE_URL=sqlite_url,
            ITEMLEDGER_HEARTBEAT=str(beating),
            **more,
        ),
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("ring", ["", "redis://127.0.0.1:1/0"], ids=["rings", "never rings"])
def test_it_stops_in_order_whether_the_doorbell_works_or_not(
    sqlite_url: str, valkey_url: str, tmp_path: Path, signum: signal.Signals, ring: str
) -> None:
    beating = tmp_path / "beat"
    process = start(sqlite_url, valkey_url, beating, ITEMLEDGER_RING_URL=ring)
    try:
        until(beating.exists, 30, "the worker lives")
        process.send_signal(signum)
        _, log = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 0, log
    assert b"stopped" in log


def test_a_second_worker_on_one_sqlite_file_is_refused_in_a_line(
    sqlite_url: str, valkey_url: str, tmp_path: Path
) -> None:
    beating = tmp_path / "beat"
    first = start(sqlite_url, valkey_url, beating)
    try:
        until(beating.exists, 30, "the first worker lives")
        second = start(sqlite_url, valkey_url, tmp_path / "other")
        _, said = second.communicate(timeout=30)
    finally:
        first.terminate()
        first.communicate(timeout=30)

    assert second.returncode == 1
    assert len(said.decode().strip().splitlines()) == 1
    assert b"PostgreSQL" in said


def settings_for(settings: Settings, partitions: int | None) -> Settings:
    return settings.model_copy(update={"partitions": partitions})


def test_the_number_of_partitions_is_stored_on_both_sides_and_kept(
    settings: Settings, redis: "Redis", sqlite_url: str
) -> None:
    engine = writing_engine(sqlite_url)
    try:
        assert settle_partitions(settings_for(settings, 3), engine, redis) == 3
        assert settle_partitions(settings_for(settings, None), engine, redis) == 3
        redis.delete(keys.PARTITION_COUNT)
        assert settle_partitions(settings_for(settings, None), engine, redis) == 3
        assert layout.stored_count(redis) == 3
        with pytest.raises(PartitionMismatch, match="ITEMLEDGER_PARTITIONS=3"):
            settle_partitions(settings_for(settings, 4), engine, redis)
    finally:
        engine.dispose()


def test_a_refused_number_of_partitions_leaves_no_trace(
    settings: Settings, redis: "Redis", sqlite_url: str
) -> None:
    layout.claim(redis, 8)
    engine = writing_engine(sqlite_url)
    try:
        with pytest.raises(PartitionMismatch):
            settle_partitions(settings_for(settings, 4), engine, redis)
        assert partitions.stored_count(engine) is None
        assert settle_partitions(settings_for(settings, None), engine, redis) == 8
    finally:
        engine.dispose()


def test_a_log_and_a_ledger_of_two_deployments_do_not_go_together(
    settings: Settings, redis: "Redis", sqlite_url: str
) -> None:
    layout.claim(redis, 8)
    engine = writing_engine(sqlite_url)
    partitions.lay_out(engine, 4)
    try:
        for told in (None, 4, 8):
            with pytest.raises(PartitionMismatch, match="do not belong together"):
                settle_partitions(settings_for(settings, told), engine, redis)
    finally:
        engine.dispose()


def test_a_sign_of_life_is_given_unless_a_batch_hangs(tmp_path: Path) -> None:
    stopping = threading.Event()
    stopping.set()
    beat(tmp_path / "hanging", lambda: 31.0, stopping)
    beat(tmp_path / "working", lambda: 1.0, stopping)

    assert [each.name for each in tmp_path.iterdir()] == ["working"]


def test_a_sign_of_life_that_can_not_be_given_is_tried_again(tmp_path: Path) -> None:
    stopping = threading.Event()
    folder = tmp_path / "later"
    thread = threading.Thread(target=beat, args=(folder / "beat", lambda: 0.0, stopping))
    thread.start()
    folder.mkdir()
    until((folder / "beat").exists, 30, "the file is touched once its folder is there")
    stopping.set()
    thread.join()
