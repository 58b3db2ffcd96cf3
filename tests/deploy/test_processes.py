"""Every process under its own user and role: what it needs works. The server notes what it refuses
(`ACL LOG`), and nothing may be there.
"""

import json
import subprocess
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy.deployed import DEPLOY, make_secrets, password
from tests.eventlog.replication import Server, server
from tests.journey import ITEMLEDGER, Running
from tests.ledger.granted import Roles, granted
from tests.ports import free_ports
from tests.waiting import until

SCOPES = ("items:read", "items:write", "ops")
_PATIENCE = 60.0


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return make_secrets(tmp_path / "secrets")


@pytest.fixture
def log(secrets: Path, tmp_path: Path) -> Iterator[Server]:
    conf = DEPLOY / "valkey" / "valkey.conf"
    arguments = ("--include", str(conf), "--aclfile", str(secrets / "valkey" / "users.acl"))
    admin = password(secrets, "admin")
    with server(tmp_path / "valkey", *arguments, username="admin", password=admin) as made:
        yield made


@pytest.fixture
def roles(postgresql_server: Any) -> Iterator[Roles]:
    with granted(postgresql_server) as made:
        yield made


@pytest.fixture
def deployed(secrets: Path, log: Server, roles: Roles, tmp_path: Path) -> Iterator[Running]:
    """Each process with the folder of secrets that is its own, and no other setting of where."""
    place = log.url.partition("://")[2]
    for process in ("api", "worker", "cron", "query", "console"):
        user = "worker" if process == "console" else process
        rewrite(
            secrets / process / "itemledger_redis_url",
            f"redis://{user}:{password(secrets, user)}@{place}/0",
        )
    for process, url in (
        ("worker", roles.worker),
        ("console", roles.worker),
        ("query", roles.query),
    ):
        rewrite(secrets / process / "itemledger_database_url", url)

    command, query = free_ports()
    running = Running(tmp_path, f"http://127.0.0.1:{command}", f"http://127.0.0.1:{query}")
    running.env |= {
        "ITEMLEDGER_COMMAND_PORT": str(command),
        "ITEMLEDGER_QUERY_PORT": str(query),
        "ITEMLEDGER_PARTITIONS": "4",
        "ITEMLEDGER_MIN_DURABILITY": "fsync",
        "ITEMLEDGER_RATE_LIMIT": "10000/second",
        "ITEMLEDGER_WITNESS": str(tmp_path / "witness"),
    }
    with ExitStack() as stack:
        for process in ("api", "worker", "query", "cron"):
            stack.enter_context(process_of(running, secrets, process))
        token = console(running, secrets, "token", "create", "--subject", "rosa", *scopes())
        running.headers["Authorization"] = f"Bearer {token}"
        running.env["ITEMLEDGER_TOKEN"] = token
        until(running.ready, _PATIENCE, "both services are ready")
        yield running


def rewrite(file: Path, text: str) -> None:
    file.unlink()
    file.write_text(text)
    file.chmod(0o600)


def scopes() -> list[str]:
    return [word for scope in SCOPES for word in ("--scope", scope)]


@contextmanager
def process_of(running: Running, secrets: Path, name: str) -> Generator[None]:
    log = running.folder / f"{name}.log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [*ITEMLEDGER, name],
            cwd=running.folder,
            env=running.env | {"ITEMLEDGER_SECRETS_DIR": str(secrets / name)},
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
        )
    try:
        yield
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
        assert '"error"' not in log.read_text(), log.read_text()
    finally:
        process.kill()
        process.wait()


def console(running: Running, secrets: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [*ITEMLEDGER, *words],
        cwd=running.folder,
        env=running.env | {"ITEMLEDGER_SECRETS_DIR": str(secrets / "console")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.timeout(150)
def test_every_process_does_its_work_as_its_user_and_nothing_is_refused_to_it(
    deployed: Running, secrets: Path, log: Server
) -> None:
    with httpx.Client(
        base_url=deployed.command_url,
        headers=deployed.headers | {"Prefer": "wait=20"},
        trust_env=False,
        timeout=40,
    ) as writer:
        _write(writer)
    _import(deployed)
    with deployed.reader() as reader:
        _read(reader)
    metrics = httpx.get(
        f"{deployed.command_url}/metrics", headers=deployed.headers, trust_env=False, timeout=30
    )
    assert metrics.is_success
    with deployed.reader() as reader:
        assert "\nitemledger_cron_tick_seconds " in reader.get("/metrics").text
    # What is wrong with the PostgreSQL of the tests is meant: its fsync is off.
    told = json.loads(console(deployed, secrets, "doctor", "--json", code=1))
    bad = [each["check"] for each in told["checks"] if each["verdict"] == "bad"]
    assert bad == ["database: durability"]
    assert "no difference" in console(deployed, secrets, "verify")
    console(deployed, secrets, "rebuild", "search")
    console(deployed, secrets, "token", "revoke", deployed.env["ITEMLEDGER_TOKEN"])

    def refused() -> bool:
        with httpx.Client(headers=deployed.headers, trust_env=False, timeout=30) as client:
            return all(
                client.get(f"{url}{path}").status_code == 401
                for url, path in (
                    (deployed.command_url, "/metrics"),
                    (deployed.query_url, "/items"),
                )
            )

    until(refused, _PATIENCE, "both services have heard that the token is revoked")
    assert log.redis.acl_log() == []


def _write(writer: httpx.Client) -> None:
    lamp = {"name": "Lamp", "price": 5}
    assert writer.put("/items/lamp", json=lamp).status_code == 201
    keyed = {"Idempotency-Key": "k1"}
    assert writer.post("/items", json=lamp, headers=keyed).status_code == 201
    again = writer.post("/items", json=lamp, headers=keyed)
    assert again.headers["Idempotent-Replayed"] == "true"
    for atomic in (False, True):
        rows = [{"op": "put", "id": f"b{n}", **lamp} for n in range(5)]
        answer = writer.post(
            "/items/batch",
            json={"commands": rows, "atomic": atomic},
            headers={"Idempotency-Key": f"b{atomic}"},
        )
        assert answer.status_code == 200, answer.text
    sale = {"price": 3, "effective_from": "2020-01-01T00:00:00Z"}
    answer = writer.post("/items/lamp/scheduled-prices", json=sale)
    assert answer.status_code in {200, 201, 422}, answer.text


def _import(deployed: Running) -> None:
    file = deployed.folder / "rows.ndjson"
    file.write_text("".join(f'{{"id": "r{n}", "name": "R", "price": {n}}}\n' for n in range(300)))
    assert deployed.import_file(file).wait(60) == 0
    made = deployed.imported()
    assert made.startswith("300 rows"), made


def _read(reader: httpx.Client) -> None:
    assert len(reader.get("/items?limit=200").json()["items"]) == 200
    for path in ("/items/lamp", "/items/lamp/history", "/changes?limit=10", "/stats", "/metrics"):
        assert reader.get(path).is_success, path
    status = reader.get("/status").json()
    assert len(status["workers"]) == 1
    assert status["durability"]["level"] == "fsync"
