"""docker-compose.yml and the Dockerfile, read: what each service is given, and what it is not.
`make compose-journey` runs them.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.children import MAY_TOUCH
from runtime.settings import PREFIX, SECRETS_VARIABLE, Settings
from tests.deploy.deployed import make_secrets

ROOT = Path(__file__).parents[2]
PROCESSES = {"api", "query", "worker", "cron"}
# What ends when it is done.
ONCE = {"migrate", "rights", "console"}
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE_TEXT)


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return compose["services"]


def settings_of(service: dict[str, Any]) -> set[str]:
    given = {*service.get("environment", {}), *map(str.upper, secrets_of(service))}
    return {
        name.removeprefix(PREFIX).lower()
        for name in given - {SECRETS_VARIABLE}
        if name.startswith(PREFIX)
    }


def secrets_of(service: dict[str, Any]) -> dict[str, str]:
    """List a service's secrets: what each is called in its container, and among all."""
    return {
        each if isinstance(each, str) else each["target"]: each
        if isinstance(each, str)
        else each["source"]
        for each in service.get("secrets", ())
    }


def test_compose_and_procfile_start_the_same_processes(services: dict[str, Any]) -> None:
    lines = (ROOT / "Procfile").read_text("utf-8").splitlines()
    procfile = {name: command for name, _, command in (line.partition(": ") for line in lines)}
    assert procfile == {name: f"itemledger {name}" for name in PROCESSES}
    assert set(services) == PROCESSES | ONCE | {"valkey", "postgres"}
    assert all(services[name]["command"] == name for name in PROCESSES | {"migrate"})


def test_every_service_that_stays_has_a_health_check(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name in ONCE:
            assert service["restart"] == "no"
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name


def test_a_service_gets_only_what_its_process_may_touch(services: dict[str, Any]) -> None:
    for name in PROCESSES:
        assert settings_of(services[name]) <= MAY_TOUCH[name], name
    assert settings_of(services["migrate"]) == {"database_url"}
    assert settings_of(services["rights"]) == set()


def test_a_process_comes_as_its_own_user_and_role(services: dict[str, Any]) -> None:
    for name in (*PROCESSES, "migrate", "console"):
        whose = "worker" if name == "console" else name
        for target, source in secrets_of(services[name]).items():
            if target.endswith("_url"):
                assert source == f"{whose}_{target.removeprefix('itemledger_')}", name


def test_the_command_api_and_the_clock_cannot_reach_the_database(services: dict[str, Any]) -> None:
    for name in ("api", "cron"):
        assert "database_url" not in settings_of(services[name])
        assert "database" not in services[name]["networks"]


def test_every_setting_that_is_given_exists(services: dict[str, Any]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    named = re.findall(rf"{PREFIX}[A-Z_]+", COMPOSE_TEXT + DOCKERFILE)
    assert set(named) <= known | {SECRETS_VARIABLE}


def test_all_processes_are_told_the_same_number_of_partitions(services: dict[str, Any]) -> None:
    told = {services[name]["environment"]["ITEMLEDGER_PARTITIONS"] for name in PROCESSES}
    assert len(told) == 1


def test_a_service_starts_after_what_it_needs(services: dict[str, Any]) -> None:
    for name in PROCESSES:
        assert services[name]["depends_on"]["valkey"] == {"condition": "service_healthy"}
    ended = {"condition": "service_completed_successfully"}
    for name in ("worker", "query"):
        assert services[name]["depends_on"]["rights"] == ended
    assert services["rights"]["depends_on"]["migrate"] == ended
    needed = services["migrate"]["depends_on"]["postgres"]
    assert needed == {"condition": "service_healthy"}


def test_ports_are_published_on_loopback_alone(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert sorted(published) == [
        "127.0.0.1:${ITEMLEDGER_COMMAND_PORT:-8000}:8000",
        "127.0.0.1:${ITEMLEDGER_QUERY_PORT:-8001}:8001",
    ]


def test_the_stores_are_reached_from_inside_alone(
    compose: dict[str, Any], services: dict[str, Any]
) -> None:
    assert services["valkey"]["networks"] == ["log"]
    assert services["postgres"]["networks"] == ["database"]
    for name in ("log", "database"):
        assert compose["networks"][name] == {"internal": True}


def test_what_is_acknowledged_is_on_disk_and_never_evicted(services: dict[str, Any]) -> None:
    words = services["valkey"]["command"]
    assert words[:2] == ["valkey-server", "/etc/valkey/valkey.conf"]
    lines = (ROOT / "deploy" / "valkey" / "valkey.conf").read_text("utf-8").splitlines()
    options = dict(line.split(" ", 1) for line in lines if line and line[0] != "#")
    assert options["appendonly"] == "yes"
    assert options["appendfsync"] == "always"
    assert options["maxmemory-policy"] == "noeviction"
    assert "valkey:/data" in services["valkey"]["volumes"]
    for name in ("api", "query"):
        assert services[name]["environment"]["ITEMLEDGER_MIN_DURABILITY"] == "fsync"


def test_every_secret_is_a_file_that_the_script_makes(
    compose: dict[str, Any], services: dict[str, Any], tmp_path: Path
) -> None:
    made = make_secrets(tmp_path / "secrets")
    for name, secret in compose["secrets"].items():
        file = secret["file"].replace("${SECRETS_FOLDER:-./secrets}", str(made))
        assert Path(file).stat().st_mode & 0o777 == 0o444, name
    assert made.stat().st_mode & 0o777 == 0o700
    used = {source for service in services.values() for source in secrets_of(service).values()}
    assert used == set(compose["secrets"])


def test_a_second_run_of_the_script_changes_nothing(tmp_path: Path) -> None:
    def content() -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in made.rglob("*") if file.is_file()}

    made = make_secrets(tmp_path / "secrets")
    before = content()
    assert make_secrets(made) == made
    assert content() == before

    (made / "worker" / "itemledger_redis_url").unlink()
    make_secrets(made)
    assert content() == before


def test_no_secret_stands_in_an_environment(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD$|SECRET$|REDIS_URL|DATABASE_URL", variable), name
            assert "@" not in value, name


def test_who_listens_for_others_is_given_a_secret(services: dict[str, Any]) -> None:
    for name, service in services.items():
        listens = "ITEMLEDGER_HOST" in service.get("environment", {})
        assert ("itemledger_token_secret" in secrets_of(service)) == listens, name


def test_nobody_is_root_or_writes_outside_its_folders(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        ours = service["image"] == "itemledger"
        assert service.get("user") == (None if ours else "999:999"), name


def test_our_processes_can_write_nothing_but_tmp(services: dict[str, Any]) -> None:
    for name in PROCESSES | {"migrate"}:
        service = services[name]
        assert service["tmpfs"] == ["/tmp"]  # noqa: S108  in a container of its own
        assert service["init"]


def test_the_image_has_every_room_and_no_root() -> None:
    for file in ROOT.glob("*/__init__.py"):
        room = file.parent.name
        assert f"COPY {room}/ {room}/" in DOCKERFILE
    assert "USER 10001:10001" in DOCKERFILE
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE
    assert "--locked" in DOCKERFILE


def test_nothing_but_what_the_image_is_made_of_is_sent_to_the_engine() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = {
        word.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    }
    assert "*" in lines
    assert {line[1:].rstrip("/") for line in lines if line.startswith("!")} == copied


def test_a_health_check_asks_of_a_service_what_that_itself_can_do() -> None:
    asked = re.findall(r"/health/ready[^']*", COMPOSE_TEXT + DOCKERFILE)
    assert sorted(asked) == [
        "/health/ready?for=reads",
        "/health/ready?for=reads",
        "/health/ready?for=writes",
    ]
