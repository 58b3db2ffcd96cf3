"""Faults planted in real engines, and a deployment that has none."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from cli.doctor.finding import Doubt, Fault, Finding, Fine
from cli.doctor.run import examine, run_doctor
from eventlog import layout
from ledger.engines import writing_engine
from ledger.partitions import lay_out
from runtime.settings import Settings
from runtime.valkey import running_valkey


@pytest.fixture
def deployment(tmp_path: Path, sqlite_url: str, free_ports: tuple[int, int]) -> Iterator[Settings]:
    """An embedded Valkey and a SQLite of its own, laid out; no process runs."""
    settings = Settings(
        data=tmp_path / "data",
        database_url=sqlite_url,
        command_port=free_ports[0],
        query_port=free_ports[1],
    )
    engine = writing_engine(sqlite_url)
    lay_out(engine, 1)
    engine.dispose()
    with running_valkey(settings), redis_of(settings) as redis:
        layout.claim(redis, 1)
        yield settings


@contextmanager
def redis_of(settings: Settings) -> Iterator["Redis"]:
    with Redis.from_url(settings.log_url) as redis:
        yield redis


def found(settings: Settings) -> dict[str, Finding]:
    return {each.check: each.finding for each in examine(settings)}


def finds(settings: Settings, check: str, mend: str) -> None:
    finding = found(settings)[check]
    assert isinstance(finding, Doubt | Fault), finding
    assert mend in finding.mend


def with_(settings: Settings, **changed: object) -> Settings:
    return settings.model_copy(update=changed)


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("appendonly", "no", "log: durability"),
        ("appendfsync", "everysec", "log: durability"),
        ("maxmemory-policy", "allkeys-lru", "log: eviction"),
        ("maxmemory", "1mb", "log: memory"),
        ("maxmemory", "0", "log: memory"),
    ],
)
def test_a_log_that_may_be_lost_is_found(
    deployment: Settings, name: str, value: str, check: str
) -> None:
    assert isinstance(found(deployment)[check], Fine)
    with redis_of(deployment) as redis:
        redis.config_set(name, value)
    finds(deployment, check, name if name != "maxmemory" else "maxmemory")


def test_a_redis_that_does_not_answer_is_found_without_its_password(deployment: Settings) -> None:
    url = f"redis://me:hush@127.0.0.1:{deployment.command_port}/0"
    finding = found(with_(deployment, redis_url=url))["log: answers"]
    assert isinstance(finding, Fault)
    assert "hush" not in finding.seen
    assert "ITEMLEDGER_REDIS_URL" in finding.mend
    finds(with_(deployment, ring_url=url), "ring: answers", "ITEMLEDGER_RING_URL")


def test_a_misspelt_setting_is_found(deployment: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITEMLEDGER_DATABSE_URL", "x")
    finding = found(deployment)["settings: names"]
    assert isinstance(finding, Doubt)
    assert "ITEMLEDGER_DATABASE_URL?" in finding.seen
    assert "mend the name" in finding.mend


def test_a_secret_that_others_can_read_is_found(deployment: Settings, open_folder: Path) -> None:
    file = open_folder / "secret"
    file.write_text("x" * 40)
    file.chmod(0o644)
    finds(with_(deployment, token_secret_file=file), "settings: secrets", f"chmod 600 {file}")


def test_a_port_that_somebody_else_has_is_found(deployment: Settings) -> None:
    with elsewhere(deployment.query_port):
        finds(deployment, "query API: answers", "ITEMLEDGER_QUERY_PORT")


def test_a_public_url_that_leads_elsewhere_is_found(deployment: Settings) -> None:
    with elsewhere(0) as port:
        url = f"http://127.0.0.1:{port}"
        finds(with_(deployment, query_url=url), "query API: answers", "mend ITEMLEDGER_QUERY_URL")


def test_a_log_of_another_deployment_is_found(deployment: Settings) -> None:
    with redis_of(deployment) as redis:
        redis.flushall()
        layout.claim(redis, 4)
    finds(deployment, "database: partitions", "ITEMLEDGER_REDIS_URL")


def test_a_deployment_without_a_worker_is_found(deployment: Settings) -> None:
    finds(deployment, "workers", "start `itemledger worker`")


@pytest.mark.parametrize("statement", ["DROP TRIGGER events_are_not_changed"])
def test_a_missing_guard_of_events_is_found_on_sqlite(deployment: Settings, statement: str) -> None:
    engine = writing_engine(deployment.sql_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
    finds(deployment, "database: guards", "itemledger verify")


def test_an_old_schema_is_found_on_either_database(deployment: Settings, database_url: str) -> None:
    engine = writing_engine(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0007'")
    engine.dispose()
    finds(with_(deployment, database_url=database_url), "database: schema", "itemledger migrate")


def test_a_database_without_a_schema_is_found(deployment: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    empty = with_(deployment, database_url=f"sqlite:///{tmp_path / 'empty.db'}")
    finds(empty, "database: schema", "itemledger migrate")


def test_a_postgresql_that_is_down_is_found_without_its_password(deployment: Settings) -> None:
    url = f"postgresql+psycopg://me:hush@127.0.0.1:{deployment.command_port}/items"
    finding = found(with_(deployment, database_url=url))["database: answers"]
    assert isinstance(finding, Fault)
    assert "hush" not in finding.seen
    assert "ITEMLEDGER_DATABASE_URL" in finding.mend


def test_faults_of_a_postgresql_are_found(deployment: Settings, postgresql_url: str) -> None:
    # The server of the tests runs with fsync off, and its only user is a superuser.
    on_postgresql = with_(deployment, database_url=postgresql_url)
    finds(on_postgresql, "database: durability", "ALTER SYSTEM SET fsync = on")
    finds(on_postgresql, "database: role", "docs/postgresql.md")
    role = found(on_postgresql)["database: role"]
    assert "superuser" in role.seen
    with psycopg.connect(postgresql_url.replace("+psycopg", "")) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER events_are_not_changed")
    finds(on_postgresql, "database: guards", "ENABLE TRIGGER")


def test_nothing_of_a_fault_is_only_told_by_its_colour(
    deployment: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_doctor(deployment, as_json=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[:-1]} == {"ok", "warn", "bad"}
    assert all("; mend: " in line for line in lines[:-1] if not line.startswith("ok"))
    assert "\x1b" not in "".join(lines)


def test_a_running_deployment_has_no_finding(tmp_path: Path, free_ports: tuple[int, int]) -> None:
    env = os.environ | {
        "ITEMLEDGER_DATA": str(tmp_path / "data"),
        "ITEMLEDGER_COMMAND_PORT": str(free_ports[0]),
        "ITEMLEDGER_QUERY_PORT": str(free_ports[1]),
    }
    console = [sys.executable, "-P", "-m", "cli"]
    with subprocess.Popen([*console, "up"], env=env, stdout=subprocess.PIPE, text=True) as up:
        try:
            assert up.stdout is not None
            for line in up.stdout:
                if "Ctrl-C stops it" in line:
                    break
            asked = subprocess.run(
                [*console, "doctor", "--json"], env=env, capture_output=True, check=False
            )
        finally:
            up.send_signal(signal.SIGTERM)
        assert up.wait() == 0
    document = json.loads(asked.stdout)
    assert [each for each in document["checks"] if each["verdict"] != "ok"] == []
    assert document["ok"] > 20
    assert asked.returncode == 0


@contextmanager
def elsewhere(port: int) -> Iterator[int]:
    """Another program's service."""
    with http.server.HTTPServer(("127.0.0.1", port), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<h1>A shop</h1>")

    def log_message(self, *_: object) -> None:
        pass
