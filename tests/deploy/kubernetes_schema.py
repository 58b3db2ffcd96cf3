"""Write kubernetes_schema.json: Kubernetes' own JSON Schemas of the kinds that deploy/ has, cut out
of what the package kubernetes-validate carries (from the Kubernetes project, Apache-2.0), with
members that no schema names refused. For another version of Kubernetes or another kind:

  uv run --with kubernetes-validate python tests/deploy/kubernetes_schema.py 1.34
"""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

KINDS = {
    "Namespace": "io.k8s.api.core.v1.Namespace",
    "ConfigMap": "io.k8s.api.core.v1.ConfigMap",
    "Service": "io.k8s.api.core.v1.Service",
    "ServiceAccount": "io.k8s.api.core.v1.ServiceAccount",
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "Job": "io.k8s.api.batch.v1.Job",
    "NetworkPolicy": "io.k8s.api.networking.v1.NetworkPolicy",
    "PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
}


def main() -> None:
    """Read the definitions of a version and write those that are reached from our kinds."""
    version = sys.argv[1]
    root = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local"
    every = json.loads((root / "_definitions.json").read_text("utf-8"))["$defs"]
    reached: dict[str, Any] = {}
    waiting = list(KINDS.values())
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = _cut(every[name], waiting)
    schema = {"kubernetes": version, "kinds": KINDS, "definitions": dict(sorted(reached.items()))}
    written = json.dumps(schema, separators=(",", ":"), sort_keys=True)
    Path(__file__).with_suffix(".json").write_text(written + "\n", "utf-8")


def _cut(schema: Any, waiting: list[str]) -> Any:
    """Leave out what is said to people, refuse unknown members, and note what is referred to."""
    if isinstance(schema, list):
        return [_cut(each, waiting) for each in schema]
    if not isinstance(schema, dict):
        return schema
    cut: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "$ref":
            target = value.rpartition("/")[2]
            waiting.append(target)
            cut[name] = f"#/definitions/{target}"
        elif name == "properties":
            cut[name] = {each: _cut(of, waiting) for each, of in value.items()}
            cut["additionalProperties"] = False
        elif name != "description" and not name.startswith("x-kubernetes"):
            cut[name] = _cut(value, waiting)
    return cut


if __name__ == "__main__":
    main()
