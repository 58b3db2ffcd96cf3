"""The manifests of deploy/kubernetes: as Kubernetes has them, and as narrow as the strictest of its
standards asks for.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from cli.children import MAY_TOUCH
from readmodel import metric_names
from runtime.settings import PREFIX, SECRETS_VARIABLE, Settings
from tests.deploy.deployed import DEPLOY, make_secrets

FOLDER = DEPLOY / "kubernetes"
KEDA = FOLDER / "keda"
SCHEMA = json.loads((Path(__file__).parent / "kubernetes_schema.json").read_text("utf-8"))
PROCESSES = ("api", "query", "worker", "cron")

Manifest = dict[str, Any]


def read(file: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(file.read_text("utf-8")))


def kustomization() -> Manifest:
    return read(DEPLOY / "kustomization.yaml")[0]


def manifests() -> Iterator[Manifest]:
    for name in kustomization()["resources"]:
        yield from read(DEPLOY / name)


def the(kind: str, name: str) -> Manifest:
    found = [each for each in manifests() if each["kind"] == kind]
    return next(each for each in found if each["metadata"]["name"] == name)


def pods() -> dict[str, Manifest]:
    """Templates of pods, by the name of their secret."""
    return {
        each["metadata"]["name"].removeprefix("itemledger-"): each["spec"]["template"]["spec"]
        for each in manifests()
        if each["kind"] in {"Deployment", "Job"}
    }


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def test_every_manifest_is_as_kubernetes_has_it() -> None:
    seen = 0
    for manifest in manifests():
        definition = SCHEMA["kinds"][manifest["kind"]]
        validator = jsonschema_rs.validator_for(
            {"$ref": f"#/definitions/{definition}", "definitions": SCHEMA["definitions"]}
        )
        found = [
            f"{error.instance_path}: {error.message}" for error in validator.iter_errors(manifest)
        ]
        assert found == [], manifest["metadata"]["name"]
        seen += 1
    assert seen > len(PROCESSES)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("spec/template/spec/containers/0/readinesProbe", {}),
        ("spec/replicas", "two"),
        ("spec/template/spec/containers/0/securityContext/readOnlyRootFilesystem", "yes"),
        ("spec/template/spec/volumes/0/secret/name", "itemledger-api"),
    ],
)
def test_the_schema_finds_what_kubernetes_would_not_take(path: str, wrong: object) -> None:
    manifest = the("Deployment", "itemledger-api")
    *folders, last = path.split("/")
    place: Any = manifest
    for each in folders:
        place = place[int(each)] if each.isdigit() else place[each]
    place[last] = wrong
    definition = SCHEMA["kinds"]["Deployment"]
    validator = jsonschema_rs.validator_for(
        {"$ref": f"#/definitions/{definition}", "definitions": SCHEMA["definitions"]}
    )
    assert not validator.is_valid(manifest)


def test_every_file_is_listed_and_every_name_is_given_once() -> None:
    listed = {DEPLOY / name for name in kustomization()["resources"]}
    assert listed == set(FOLDER.glob("*.yaml"))
    names = [(each["kind"], each["metadata"]["name"]) for each in manifests()]
    assert len(set(names)) == len(names)
    for generated in kustomization()["configMapGenerator"]:
        assert all((DEPLOY / file).exists() for file in generated["files"])


def test_there_is_a_deployment_for_every_process() -> None:
    assert set(pods()) == {*PROCESSES, "migrate"}
    for name in PROCESSES:
        assert pods()[name]["containers"][0]["args"] == [name]


def test_a_pod_has_the_secrets_of_its_process_and_its_heartbeat_or_probes(tmp_path: Path) -> None:
    made = make_secrets(tmp_path / "secrets")
    for name, pod in pods().items():
        (secret,) = [each["secret"] for each in pod["volumes"] if "secret" in each]
        assert secret == {"secretName": f"itemledger-{name}", "defaultMode": 0o440}
        may_touch = MAY_TOUCH.get(name, {"database_url"})
        for file in (made / name).iterdir():
            assert file.name.removeprefix(PREFIX.lower()) in may_touch
    for name, checked in (("api", "writes"), ("query", "reads")):
        (container,) = pods()[name]["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] == f"/health/ready?for={checked}"
        assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    for name in ("worker", "cron"):
        (container,) = pods()[name]["containers"]
        assert {"name": "ITEMLEDGER_HEARTBEAT", "value": "/tmp/heartbeat"} in container["env"]  # noqa: S108
        assert container["livenessProbe"]["exec"]["command"][:2] == ["itemledger", "alive"]


def test_no_pod_is_root_writes_its_image_or_has_a_token_of_the_cluster() -> None:
    for name, pod in pods().items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["runAsUser"] == 10001, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"], name


def test_what_serves_or_works_is_not_taken_away_all_at_once() -> None:
    for name in ("api", "query", "worker"):
        assert the("Deployment", f"itemledger-{name}")["spec"]["replicas"] >= 2
        budget = the("PodDisruptionBudget", f"itemledger-{name}")["spec"]
        assert budget["minAvailable"] == 1
        labels = the("Deployment", f"itemledger-{name}")["spec"]["template"]["metadata"]["labels"]
        assert budget["selector"]["matchLabels"].items() <= labels.items()


def test_a_service_leads_to_the_port_of_its_process() -> None:
    for name, port in (("api", 8000), ("query", 8001)):
        service = the("Service", f"itemledger-{name}")["spec"]
        labels = the("Deployment", f"itemledger-{name}")["spec"]["template"]["metadata"]["labels"]
        assert service["selector"].items() <= labels.items()
        (container,) = pods()[name]["containers"]
        assert container["ports"] == [{"name": "http", "containerPort": port}]
        assert Settings.model_fields[f"{'command' if name == 'api' else name}_port"].default == port


def test_every_setting_that_is_given_exists_and_none_is_secret() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {SECRETS_VARIABLE}
    text = "".join(file.read_text("utf-8") for file in FOLDER.rglob("*.yaml"))
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+", text)) <= known
    assert not re.search(r"ITEMLEDGER_\w*(TOKEN_SECRET|CURSOR_SECRET|REDIS_URL|DATABASE_URL)", text)


def test_workers_are_scaled_by_a_metric_that_there_is_and_up_to_the_partitions() -> None:
    (scaled,) = read(KEDA / "scaledobject.yaml")
    (trigger,) = scaled["spec"]["triggers"]
    assert scaled["spec"]["scaleTargetRef"] == {"name": "itemledger-worker"}
    (named,) = re.findall(r"itemledger_\w+", trigger["metadata"]["query"])
    metric = next(each for each in metric_names.METRICS if each.name == named)
    assert metric.kind == "gauge"
    assert "oldest" in metric.says
    settings = the("ConfigMap", "itemledger")["data"]
    assert scaled["spec"]["maxReplicaCount"] == int(settings["ITEMLEDGER_PARTITIONS"])
    assert scaled["spec"]["minReplicaCount"] >= 1
    # What KEDA knows of a trigger of Prometheus and of a scaled object; its schema is not at hand.
    assert set(scaled["spec"]) <= {
        "scaleTargetRef", "pollingInterval", "cooldownPeriod", "minReplicaCount",
        "maxReplicaCount", "triggers", "advanced", "fallback",
    }  # fmt: skip
    assert set(trigger) <= {"type", "name", "metricType", "metadata", "authenticationRef"}
    assert set(trigger["metadata"]) <= {
        "serverAddress", "query", "threshold", "activationThreshold", "ignoreNullValues",
        "namespace", "authModes", "unsafeSsl", "timeout",
    }  # fmt: skip
    assert all(isinstance(value, str) for value in trigger["metadata"].values())


@pytest.mark.skipif(
    shutil.which("kustomize") is None, reason="there is no kustomize on this machine"
)
def test_kustomize_builds_it_with_and_without_keda(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(
        "resources: [../deploy]\ncomponents: [../deploy/kubernetes/keda]\n"
    )
    for folder, workers in (("deploy", {2}), ("overlay", {None})):
        done = subprocess.run(
            ["kustomize", "build", str(tmp_path / folder)], capture_output=True, check=True
        )
        built = list(yaml.safe_load_all(done.stdout))
        assert {
            each["metadata"].get("namespace") for each in built if each["kind"] != "Namespace"
        } == {"itemledger"}
        assert {
            each["spec"].get("replicas")
            for each in built
            if each["metadata"]["name"] == "itemledger-worker" and each["kind"] == "Deployment"
        } == workers
