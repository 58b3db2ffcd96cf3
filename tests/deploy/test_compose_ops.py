"""deploy/compose.ops.yml, read: what stands beside the service is as narrow as the service itself.
`make compose-journey` runs it, without Grafana, which is to be had from registries of images alone.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.deployed import ROOT, make_secrets

COMPOSE: Any = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
OPS: Any = yaml.safe_load((ROOT / "deploy" / "compose.ops.yml").read_text("utf-8"))
SERVICES: dict[str, Any] = OPS["services"]
# Made by `itemledger token create`, as docs/operating.md says.
MADE_LATER = "prometheus_token"


def test_it_starts_only_when_it_is_asked_for_and_for_this_machine() -> None:
    assert set(SERVICES) == {"prometheus", "grafana", "rq-dashboard"}
    for each in SERVICES.values():
        assert each["profiles"] == ["ops"]
        assert all(port.startswith("127.0.0.1:${") for port in each["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_it_runs_as_the_containers_of_the_service_do(name: str) -> None:
    service = SERVICES[name]
    ours = COMPOSE["x-container"]
    assert {each: service[each] for each in ours} == ours
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert int(service["user"].partition(":")[0])


@pytest.mark.parametrize("name", SERVICES)
def test_what_it_keeps_outlives_its_container_and_the_rest_it_may_only_read(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source, _, target = volume.partition(":")
        if source.startswith("."):
            assert (ROOT / source).exists()
            assert target.endswith(":ro")
        else:
            assert source in OPS["volumes"]


def test_its_secrets_are_files_of_the_folder_of_secrets(tmp_path: Path) -> None:
    made = make_secrets(tmp_path / "secrets")
    known = COMPOSE["secrets"] | OPS["secrets"]
    for service in SERVICES.values():
        for each in service["secrets"]:
            file = known[each if isinstance(each, str) else each["source"]]["file"]
            path = Path(file.replace("${SECRETS_FOLDER:-./secrets}", str(made)))
            assert path.is_relative_to(made)
            assert path.exists() or path.name == MADE_LATER
    told = (ROOT / "docs" / "operating.md").read_text("utf-8")
    assert f"install -m 444 /dev/stdin secrets/{MADE_LATER}" in told
    assert "secrets/grafana/admin" in told


def test_rq_is_the_one_of_the_service() -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    (rq,) = (each["version"] for each in locked if each["name"] == "rq")
    assert f" rq=={rq} " in SERVICES["rq-dashboard"]["build"]["dockerfile_inline"]
