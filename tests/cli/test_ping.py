import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from cli.ping import ping
from cli.refusals import UNREACHABLE, Refusal
from runtime.settings import Settings
from runtime.valkey import running_valkey


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a real Valkey that wants a password."""
    settings = Settings(data=tmp_path_factory.mktemp("guarded"))
    with running_valkey(settings):
        with Redis.from_url(settings.log_url) as redis:
            redis.config_set("requirepass", "hush")
        yield settings.valkey_socket


def refusal(url: str) -> str:
    with pytest.raises(Refusal) as refused:
        ping(url, "mend it")
    assert refused.value.code == UNREACHABLE
    return str(refused.value)


def test_a_redis_that_answers_will_do(valkey_url: str, guarded: Path) -> None:
    ping(valkey_url, "")
    ping(f"unix://:hush@{guarded}", "")


def test_a_redis_that_wants_a_password_is_told_as_such(guarded: Path) -> None:
    assert refusal(f"unix://{guarded}").endswith(": it wants a password; mend it")


def test_a_wrong_password_is_told_and_not_shown(guarded: Path) -> None:
    line = refusal(f"unix://:husky@{guarded}")
    assert line.endswith(": it does not take this password; mend it")
    assert "husky" not in line


def test_a_server_that_is_not_there_is_told_without_double_stops(
    free_ports: tuple[int, int],
) -> None:
    line = refusal(f"redis://127.0.0.1:{free_ports[0]}")
    assert line.endswith("Connection refused; start it, mend it")


def test_who_is_no_redis_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            with server.accept()[0] as client:
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                client.recv(1024)

        other = threading.Thread(target=answer)
        other.start()
        assert refusal(f"redis://127.0.0.1:{port}").endswith(": who answers there is none; mend it")
        other.join()
