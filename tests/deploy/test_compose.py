import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.children import MAY_TOUCH
from runtime.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
PROCESSES = {"api", "query", "worker", "cron"}
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE_TEXT)


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return compose["services"]


def settings_of(service: dict[str, Any]) -> set[str]:
    given = service.get("environment", {})
    return {name.removeprefix(PREFIX).lower() for name in given if name.startswith(PREFIX)}


def test_compose_and_procfile_start_the_same_processes(services: dict[str, Any]) -> None:
    lines = (ROOT / "Procfile").read_text("utf-8").splitlines()
    procfile = {name: command for name, _, command in (line.partition(": ") for line in lines)}
    assert procfile == {name: f"itemledger {name}" for name in PROCESSES}
    assert set(services) == PROCESSES | {"valkey", "postgres", "migrate"}
    assert all(services[name]["command"] == name for name in PROCESSES | {"migrate"})


def test_every_service_that_stays_has_a_health_check(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name == "migrate":
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name


def test_a_service_gets_only_what_its_process_may_touch(services: dict[str, Any]) -> None:
    for name in PROCESSES:
        assert settings_of(services[name]) <= MAY_TOUCH[name], name
    assert settings_of(services["migrate"]) == {"database_url"}


def test_the_command_api_and_the_clock_cannot_reach_the_database(services: dict[str, Any]) -> None:
    for name in ("api", "cron"):
        assert "database_url" not in settings_of(services[name])
        assert services[name]["networks"] == ["log"]


def test_every_setting_that_is_given_exists(services: dict[str, Any]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    named = re.findall(rf"{PREFIX}[A-Z_]+", COMPOSE_TEXT + DOCKERFILE)
    assert set(named) <= known


def test_all_processes_are_told_the_same_number_of_partitions(services: dict[str, Any]) -> None:
    told = {services[name]["environment"]["ITEMLEDGER_PARTITIONS"] for name in PROCESSES}
    assert len(told) == 1


def test_a_service_starts_after_what_it_needs(services: dict[str, Any]) -> None:
    for name in PROCESSES:
        assert services[name]["depends_on"]["valkey"] == {"condition": "service_healthy"}
    for name in ("worker", "query"):
        needed = services[name]["depends_on"]["migrate"]
        assert needed == {"condition": "service_completed_successfully"}
    needed = services["migrate"]["depends_on"]["postgres"]
    assert needed == {"condition": "service_healthy"}


def test_ports_are_published_on_loopback_alone(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert sorted(published) == ["127.0.0.1:8000:8000", "127.0.0.1:8001:8001"]


def test_what_is_acknowledged_is_on_disk_and_never_evicted(services: dict[str, Any]) -> None:
    words = services["valkey"]["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--appendfsync"] == "always"
    assert options["--maxmemory-policy"] == "noeviction"
    assert services["valkey"]["volumes"] == ["valkey:/data"]


def test_a_password_has_to_be_given(compose: dict[str, Any], services: dict[str, Any]) -> None:
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith(
        "${POSTGRES_PASSWORD:?"
    )
    assert "${POSTGRES_PASSWORD:?" in compose["x-database"]


def test_who_listens_for_others_is_given_a_secret(services: dict[str, Any]) -> None:
    for name, service in services.items():
        given = service.get("environment", {})
        listens = "ITEMLEDGER_HOST" in given
        secret = given.get("ITEMLEDGER_TOKEN_SECRET", "")
        assert secret.startswith("${ITEMLEDGER_TOKEN_SECRET:?") == listens, name


def test_our_processes_can_write_nothing_but_tmp(services: dict[str, Any]) -> None:
    for name in PROCESSES | {"migrate"}:
        service = services[name]
        assert service["read_only"]
        assert service["tmpfs"] == ["/tmp"]  # noqa: S108  in a container of its own
        assert service["cap_drop"] == ["ALL"]
        assert service["init"]


def test_the_image_has_every_room_and_no_root() -> None:
    for file in ROOT.glob("*/__init__.py"):
        room = file.parent.name
        assert f"COPY {room}/ {room}/" in DOCKERFILE
    assert "USER 10001:10001" in DOCKERFILE
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE
    assert "--locked" in DOCKERFILE


def test_a_health_check_asks_of_a_service_what_that_itself_can_do() -> None:
    asked = re.findall(r"/health/ready[^']*", COMPOSE_TEXT + DOCKERFILE)
    assert sorted(asked) == [
        "/health/ready?for=reads",
        "/health/ready?for=reads",
        "/health/ready?for=writes",
    ]
