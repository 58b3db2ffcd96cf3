import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.engines import writing_engine
from ledger.partitions import lay_out
from runtime.lock import lock_folder


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", *arguments],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


def refused(result: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    """One line on standard error, nothing on standard output, and the parts in that line."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("itemledger: ")
    assert len([line for line in result.stderr.splitlines() if '"event"' not in line]) == 1
    for part in parts:
        assert part in result.stderr


@pytest.fixture
def up(tmp_path: Path, free_ports: tuple[int, int]) -> list[str]:
    command, query = map(str, free_ports)
    data = str(tmp_path / "data")
    return ["up", "--data", data, "--command-port", command, "--query-port", query]


@pytest.mark.parametrize("option", ["command", "query"])
def test_a_taken_port_is_named_with_the_option_that_changes_it(
    up: list[str], tmp_path: Path, option: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(run(*up, f"--{option}-port", port), 1, port, f"--{option}-port")
    # Nothing was started before.
    assert not (tmp_path / "data" / "valkey").exists()


def test_one_port_for_both_services_is_refused(up: list[str]) -> None:
    refused(run(*up, "--command-port", "9", "--query-port", "9"), 2, "port 9", "--query-port")


def test_an_address_that_is_not_here_is_refused(up: list[str]) -> None:
    refused(run(*up, "--host", "192.0.2.1"), 2, "192.0.2.1", "--host")


def test_several_workers_on_sqlite_are_refused_with_the_reason(up: list[str]) -> None:
    refused(run(*up, "--workers", "2"), 2, "SQLite", "--workers 1")


def test_a_second_up_on_one_data_folder_is_refused(up: list[str], tmp_path: Path) -> None:
    lock = lock_folder(tmp_path / "data")
    refused(run(*up), 1, str(tmp_path / "data"), f"process {os.getpid()}", "--data")
    lock.release()


def test_a_data_folder_that_is_a_file_is_refused(up: list[str], tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    refused(run(*up), 2, f"{tmp_path / 'data'} is a file, not a folder", "--data")
    inside = str(tmp_path / "data" / "inside")
    refused(run(*up, "--data", inside), 2, f"{tmp_path / 'data'} is a file, not a folder")


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b"])
def test_a_data_folder_that_no_url_can_name_is_refused(
    up: list[str], tmp_path: Path, name: str
) -> None:
    refused(run(*up, "--data", str(tmp_path / name)), 2, str(tmp_path / name), "--data")
    assert list(tmp_path.iterdir()) == []


def test_a_redis_that_does_not_answer_is_refused_without_its_password(
    up: list[str], free_ports: tuple[int, int]
) -> None:
    result = run(*up, "--redis-url", f"redis://me:hush@127.0.0.1:{free_ports[0]}/0")
    refused(result, 3, f"redis://me:***@127.0.0.1:{free_ports[0]}/0", "--redis-url")
    assert "hush" not in result.stderr


def test_another_number_of_partitions_is_refused_before_a_child_is_started(
    up: list[str], tmp_path: Path, sqlite_url: str
) -> None:
    engine = writing_engine(sqlite_url)
    lay_out(engine, 1)
    engine.dispose()
    result = run(*up, ITEMLEDGER_DATABASE_URL=sqlite_url, ITEMLEDGER_PARTITIONS="4")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == (
        "itemledger: the data has 1 partition, not 4, and the number is fixed at the first start: "
        "set ITEMLEDGER_PARTITIONS to 1, or unset it"
    )
    assert not (tmp_path / "data" / "heartbeats").exists()


def test_a_ring_that_does_not_answer_is_refused_before_anything_is_started(
    up: list[str], free_ports: tuple[int, int]
) -> None:
    url = f"redis://127.0.0.1:{free_ports[0]}/0"
    refused(run(*up, ITEMLEDGER_RING_URL=url), 3, url, "ITEMLEDGER_RING_URL")


def test_a_database_that_does_not_answer_is_refused_without_its_password(
    up: list[str], free_ports: tuple[int, int]
) -> None:
    url = f"postgresql+psycopg://me:hush@127.0.0.1:{free_ports[0]}/items"
    for command in (up, ["migrate"]):
        result = run(*command, ITEMLEDGER_DATABASE_URL=url, ITEMLEDGER_LOG_FORMAT="json")
        assert result.returncode == 3
        last = result.stderr.splitlines()[-1]
        assert last.startswith("itemledger: cannot use the database postgresql+psycopg://me:***@")
        assert "--database-url" in last
        assert "hush" not in result.stderr
        assert "Traceback" not in result.stderr


def test_a_database_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("migrate", ITEMLEDGER_DATABASE_URL=f"sqlite:///{tmp_path}/file/dir/x")
    refused(result, 3, f"{tmp_path}/file", "--database-url")


def test_a_worker_without_a_data_folder_says_so_in_one_line(tmp_path: Path) -> None:
    result = run("worker", ITEMLEDGER_DATA=str(tmp_path / "none"))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"itemledger worker: cannot use the database {tmp_path / 'none'}")
    assert "itemledger migrate" in line


def test_a_worker_whose_log_does_not_answer_says_how_to_mend_it(
    sqlite_url: str, free_ports: tuple[int, int]
) -> None:
    log = f"redis://127.0.0.1:{free_ports[0]}/0"
    result = run("worker", ITEMLEDGER_DATABASE_URL=sqlite_url, ITEMLEDGER_REDIS_URL=log)
    assert result.returncode == 3
    (line,) = result.stderr.splitlines()
    assert line.startswith("itemledger worker: the log does not answer (")
    for part in ("start it", "ITEMLEDGER_REDIS_URL", "`itemledger up`"):
        assert part in line


def test_wrong_settings_are_told_one_line_each() -> None:
    result = run("api", ITEMLEDGER_WORKERS="many", ITEMLEDGER_DEFAULT_CURRENCY="euro")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 2
    assert all(line.startswith("itemledger: ITEMLEDGER_") for line in result.stderr.splitlines())
    assert "'many'" in result.stderr


def test_a_wrong_option_is_wrong_usage() -> None:
    result = run("up", "--command-port", "70000")
    assert result.returncode == 2
    assert "--command-port" in result.stderr
    assert "Traceback" not in result.stderr
