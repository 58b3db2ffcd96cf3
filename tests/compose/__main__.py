"""The compose file as somebody runs it: built, brought up from nothing, sent on the journey that
the embedded service is sent on; then killed, restarted and looked over: `make compose-journey`.

It wants a Docker engine with compose. Secrets, volumes and network are its own, and go with it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.compose import ops
from tests.journey import ROOT, Running, take_the_journey
from tests.ports import free_ports
from tests.waiting import until

PROCESSES = ("api", "query", "worker", "cron")
STAYING = (*PROCESSES, "valkey", "postgres")
_HEALTHY = 180.0


@dataclass(frozen=True, slots=True)
class Stack:
    """A compose project of its own."""

    env: Mapping[str, str]

    def compose(self, *words: str) -> str:
        files = ("--file", "docker-compose.yml", "--file", "deploy/compose.ops.yml")
        return self._docker("compose", *files, "--profile", "console", "--profile", "ops", *words)

    def console(self, *words: str) -> str:
        return self.compose("run", "--rm", "--no-TTY", "console", *words)

    def inspect(self, service: str) -> dict[str, Any]:
        return json.loads(self._docker("inspect", self._container(service)))[0]

    def kill(self, service: str) -> None:
        """Kill a container's processes from outside, as the system does when memory runs out."""
        os.kill(self.inspect(service)["State"]["Pid"], 9)

    def wait_until_healthy(self) -> None:
        def healthy() -> bool:
            states = [self.inspect(each)["State"] for each in STAYING]
            return all(each.get("Health", {}).get("Status") == "healthy" for each in states)

        until(healthy, _HEALTHY, "every container is healthy")

    def _container(self, service: str) -> str:
        return self.compose("ps", "--all", "--quiet", service).split()[0]

    def _docker(self, *words: str) -> str:
        done = subprocess.run(
            ["docker", *words],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"docker {' '.join(words)}: {done.returncode}\n{done.stdout}")
        return done.stdout


@contextmanager
def stack(
    folder: Path, command_url: str, query_url: str, beside: Mapping[str, str]
) -> Generator[Stack]:
    """Make a project with fresh secrets, and take it down with its volumes after the block."""
    secrets = folder / "secrets"
    made = Stack(
        {
            **{name: value for name, value in os.environ.items() if "ITEMLEDGER" not in name},
            "COMPOSE_PROJECT_NAME": f"itemledger-journey-{os.getpid()}",
            "ITEMLEDGER_COMMAND_PORT": command_url.rpartition(":")[2],
            "ITEMLEDGER_QUERY_PORT": query_url.rpartition(":")[2],
            "SECRETS_FOLDER": str(secrets),
            "PROMETHEUS_PORT": beside["prometheus"].rpartition(":")[2],
            "RQ_DASHBOARD_PORT": beside["rq-dashboard"].rpartition(":")[2],
        }
    )
    subprocess.run(["sh", str(ROOT / "deploy" / "secrets.sh"), str(secrets)], check=True)
    try:
        yield made
    except BaseException:
        sys.stderr.write(made.compose("logs", "--tail", "40"))
        raise
    finally:
        made.compose("down", "--volumes", "--timeout", "30")


def assert_narrow(stack: Stack, services: Sequence[str]) -> None:
    """Nothing runs as root, writes outside its own folders, has a capability or a secret in its
    environment; and the stores are reached by nobody outside.
    """
    for service in services:
        told = stack.inspect(service)
        host, config = told["HostConfig"], told["Config"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert config["User"] in {"10001:10001", "999:999", "65534:65534"}, service
        assert not [each for each in config["Env"] if "://" in each and "@" in each], service
        uid = stack.compose("exec", "--no-TTY", service, "id", "-u").strip()
        assert uid == config["User"].partition(":")[0], service
        if service not in {"api", "query", *ops.BESIDE}:
            assert not [each for each in told["NetworkSettings"]["Ports"].values() if each], service


def main() -> None:
    """Go through all of it; the first thing that is not as it should be ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the real input")
    given = parser.parse_args()
    command_url, query_url = (f"http://127.0.0.1:{port}" for port in free_ports())
    beside = dict(
        zip(ops.BESIDE, (f"http://127.0.0.1:{port}" for port in free_ports()), strict=True)
    )
    begun = time.monotonic()

    def say(what: str) -> None:
        sys.stdout.write(f"{time.monotonic() - begun:6.1f} s  {what}\n")
        sys.stdout.flush()

    with (
        tempfile.TemporaryDirectory() as scratch,
        stack(Path(scratch), command_url, query_url, beside) as project,
    ):
        folder = Path(scratch)
        project.compose("build")
        say("built")
        project.compose("up", "--detach", "--wait", *PROCESSES)
        say("up from nothing, every container healthy")
        assert_narrow(project, STAYING)
        say("no root, no capabilities, read-only, no secrets in the environment")

        refused = httpx.get(f"{query_url}/items", trust_env=False)
        assert refused.status_code == 401, refused.text
        scopes = [
            word for each in ("items:read", "items:write", "ops") for word in ("--scope", each)
        ]
        token = project.console("token", "create", "--subject", "journey", *scopes).strip()
        running = Running(folder, command_url, query_url, token)
        assert running.ready()
        take_the_journey(running, folder, given.rows)
        say(f"the journey: {given.rows} rows, twice")

        _write(running, "watched", 1)
        token = project.console("token", "create", "--subject", "prometheus", "--scope", "ops")
        ops.write_token(folder / "secrets", token)
        project.compose("up", "--detach", "--wait", *ops.BESIDE)
        assert_narrow(project, ops.BESIDE)
        asked = ops.assert_watched(**{each.replace("-", "_"): beside[each] for each in beside})
        say(f"Prometheus scrapes it all and answers the {asked} queries of the dashboard")

        _survive(project, running, say)
        told = project.console("doctor")
        sys.stdout.write(told)
        project.console("verify")
        say("doctor and verify find nothing")
        denied = project.compose("exec", "--no-TTY", "valkey", "cat", "/run/secrets/users.acl")
        assert "@" not in denied.replace("-@all", "").replace("+@all", "")
    say("down, nothing left")


def _survive(stack: Stack, running: Running, say: Callable[[str], None]) -> None:
    """Kill each container in turn, with a command on its way; then stop and start the whole."""
    for number, service in enumerate(STAYING, 1):
        stack.kill(service)
        stack.wait_until_healthy()
        _write(running, f"after-{service}", number)
    say("each container killed: begun again, the next command applied")
    stack.compose("down", "--timeout", "30")
    stack.compose("up", "--detach", "--wait", *PROCESSES)
    with running.reader() as client:
        for number, service in enumerate(STAYING, 1):
            found = client.get(f"/items/after-{service}").json()
            assert found["price"] == number, found
    say("down and up again: everything is there")


def _write(running: Running, item_id: str, price: int) -> None:
    body = {"name": item_id, "price": price}
    headers = running.headers | {"Prefer": "wait=20"}
    url = f"{running.command_url}/items/{item_id}"
    answer = httpx.put(url, json=body, headers=headers, timeout=40, trust_env=False)
    assert answer.status_code == 201, answer.text


if __name__ == "__main__":
    main()
