"""Where `up` serves, found by the other commands through the data folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.whereabouts import leave, located
from runtime.lock import lock_folder
from runtime.settings import Settings


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """The data folder of a service that others reach under another name."""
    lock = lock_folder(tmp_path)
    leave(
        Settings(
            data=tmp_path, command_port=8310, query_port=8311, query_url="https://read.example"
        )
    )
    yield tmp_path
    lock.release()


def urls(settings: Settings) -> tuple[str, str]:
    return settings.public_command_url, settings.public_query_url


def test_ports_that_up_was_given_are_known_to_the_other_commands(served: Path) -> None:
    found = located(Settings(data=served))
    assert urls(found) == ("http://127.0.0.1:8310", "https://read.example")
    assert (found.command_port, found.query_port) == (8310, 8311)


def test_a_port_that_is_set_goes_before_what_up_left(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITEMLEDGER_QUERY_PORT", "9001")
    found = located(Settings(data=served))
    assert urls(found) == ("http://127.0.0.1:8310", "http://127.0.0.1:9001")


def test_a_url_that_is_set_says_that_the_service_is_elsewhere(served: Path) -> None:
    elsewhere = Settings(data=served, command_url="https://write.example")
    assert located(elsewhere) == elsewhere


def test_what_a_killed_up_left_is_not_believed(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path)
    leave(Settings(data=tmp_path, command_port=8310))
    lock.release()
    assert located(Settings(data=tmp_path)) == Settings(data=tmp_path)


@pytest.mark.parametrize("left", [b"", b"[]", b'{"command_port": "x"}'])
def test_what_no_up_wrote_is_left_alone(served: Path, left: bytes) -> None:
    (served / "serving.json").write_bytes(left)
    assert located(Settings(data=served)) == Settings(data=served)


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    located(Settings(data=tmp_path / "data"))
    assert not (tmp_path / "data").exists()
