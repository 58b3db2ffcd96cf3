import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import Engine, text

from domain.events import ItemCreated
from domain.refusals import REFUSALS
from eventlog import keys
from eventlog.inspect import inspect_log
from eventlog.workers import Report, State, tell
from ledger import tables
from ledger.bulk import insert_rows
from ledger.engines import reading_engine, writing_engine
from readmodel import problem_codes
from readmodel.app import create_app
from readmodel.problem_codes import PROBLEM_CODES, ProblemCode
from runtime.problems import PROBLEM_JSON
from runtime.settings import Settings
from runtime.times import rfc3339

AT = 1_763_798_400_000
EPOCH = 1_700_000_000_000
LAMP = ItemCreated("lamp", AT, AT, "Lamp", None, 100, "EUR")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", ["/", "/nothing", "/items/a/b/c", "//items", "/items//x", "/é"])
def test_an_unknown_path_is_a_404_problem(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.content_type == PROBLEM_JSON
    assert answer.json["code"] == "not-found"


@pytest.mark.parametrize(
    "path", ["/items", "/items/lamp", "/commands/c", "/status", "/health/live"]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_another_method_is_a_405_problem_with_allow(client: FlaskClient, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        answer = client.open(path, method=method)
        assert answer.status_code == 405
        assert answer.content_type == PROBLEM_JSON
        assert answer.headers["Allow"] == "GET, HEAD"
        assert answer.json["code"] == "method-not-allowed"


def test_a_failure_inside_is_a_500_problem_that_tells_nothing_and_a_log_line_that_tells_all(
    settings: Settings, engine: Engine
) -> None:
    class Broken:
        def is_waiting(self, command_id: str, partition: Any = None) -> bool:
            raise RuntimeError("the secret of the house")

    with structlog.testing.capture_logs() as lines:
        client = create_app(settings, engine, Broken()).test_client()
        answer = client.get("/commands/c-1")
    assert answer.status_code == 500
    assert answer.content_type == PROBLEM_JSON
    assert answer.json["code"] == "internal-error"
    assert "secret" not in answer.text
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("request failed", "error")
    assert "the secret of the house" in str(line["exc_info"])


def test_a_database_that_is_gone_is_a_503_problem(
    settings: Settings, log: Any, tmp_path: Path
) -> None:
    engine = reading_engine(f"sqlite:///{tmp_path / 'none.db'}")
    client = create_app(settings, engine, log.inspector).test_client()
    answer = client.get("/items/lamp")
    assert (answer.status_code, answer.json["code"]) == (503, "database-unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert client.get("/health/ready").json["checks"]["database"] == "does not answer"
    engine.dispose()


def test_a_process_is_alive_whatever_else_is_down(client: FlaskClient, log: Any) -> None:
    log.go_down()
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json) == (200, {"status": "live"})
    assert answer.headers["Cache-Control"] == "no-store"


@dataclass(frozen=True, slots=True)
class Operated:
    """The query API beside a real Valkey, at a time that stands still."""

    client: FlaskClient
    redis: "Redis"

    def worker(self, name: str, state: State, why: str | None = None, seen: int = AT) -> None:
        tell(self.redis, Report(name, state, why, AT - 60_000, seen))


@pytest.fixture
def operated(settings: Settings, engine: Engine, valkey_url: str) -> Iterator[Operated]:
    inspector = inspect_log(valkey_url, 2)
    fsync = settings.model_copy(update={"min_durability": "fsync"})
    client = create_app(fsync, engine, inspector, lambda: AT).test_client()
    with Redis.from_url(valkey_url) as redis:
        redis.config_set("maxmemory", "1gb")
        yield Operated(client, redis)
    inspector.close()


def test_a_service_that_has_everything_is_ready(operated: Operated) -> None:
    operated.worker("worker-1", "working")
    answer = operated.client.get("/health/ready")
    assert answer.status_code == 200
    document = answer.json
    durability = document["checks"].pop("durability")
    assert document == {
        "status": "ready",
        "checks": {"database": "ok", "schema": "ok", "log": "ok", "workers": "ok"},
    }
    assert (durability["level"], durability["required"], durability["lack"]) == (
        "fsync",
        "fsync",
        None,
    )
    assert 0 < durability["used_memory"] < durability["maxmemory"]


def test_a_log_that_is_not_kept_safely_enough_is_no_hindrance_to_reads(operated: Operated) -> None:
    operated.worker("worker-1", "working")
    operated.redis.config_set("appendfsync", "everysec")
    try:
        answer = operated.client.get("/health/ready")
    finally:
        operated.redis.config_set("appendfsync", "always")
    assert answer.status_code == 200
    assert (answer.json["status"], answer.json["degraded"]) == ("ready", ["durability"])
    durability = answer.json["checks"]["durability"]
    assert durability["level"] == "everysec"
    assert "CONFIG SET appendfsync always" in durability["lack"]


def test_workers_that_are_gone_or_paused_are_told_and_are_no_hindrance_to_reads(
    operated: Operated,
) -> None:
    operated.worker("gone", "working", seen=AT - 15_001)
    nobody = operated.client.get("/health/ready")
    operated.worker("worker-1", "paused", "the database is locked", seen=AT - 15_000)
    paused = operated.client.get("/health/ready")
    operated.worker("worker-2", "working")
    working = operated.client.get("/health/ready")

    assert {each.status_code for each in (nobody, paused, working)} == {200}
    assert nobody.json["checks"]["workers"] == "none is running"
    assert nobody.json["degraded"] == ["workers"]
    assert paused.json["checks"]["workers"] == "paused: the database is locked"
    assert paused.json["degraded"] == ["workers"]
    assert working.json["checks"]["workers"] == "ok"
    assert "degraded" not in working.json


def test_a_log_whose_server_does_not_tell_how_it_is_is_unknown_and_degraded(
    client: FlaskClient,
) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json["checks"]["durability"] == "unknown"
    assert answer.json["degraded"] == ["durability", "workers"]


def test_a_service_without_its_log_is_ready_for_reads(
    ledger: Any, client: FlaskClient, log: Any
) -> None:
    ledger.add(LAMP)
    log.go_down()
    assert client.get("/items/lamp").status_code == 200
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json["status"]) == (200, "ready")
    assert answer.json["checks"] == {
        "database": "ok",
        "schema": "ok",
        "log": "does not answer",
        "durability": "unknown",
        "workers": "unknown",
    }
    assert answer.json["degraded"] == ["log", "durability", "workers"]


def test_a_service_without_log_and_database_is_not_ready(
    settings: Settings, log: Any, tmp_path: Path
) -> None:
    log.go_down()
    engine = reading_engine(f"sqlite:///{tmp_path / 'none.db'}")
    answer = create_app(settings, engine, log.inspector).test_client().get("/health/ready")
    engine.dispose()
    assert (answer.status_code, answer.json["code"]) == (503, "not-ready")
    assert answer.json["detail"].startswith("not in order: database, schema;")


def test_workers_that_can_not_report_to_a_full_redis_are_not_said_to_be_gone(
    operated: Operated,
) -> None:
    operated.worker("worker-1", "working", seen=AT - 60_000)
    assert operated.client.get("/status").json["durability"]["short_of_memory"] is False
    used = operated.redis.info("memory")["used_memory"]
    operated.redis.config_set("maxmemory", used * 10 // 9)
    try:
        short = operated.client.get("/health/ready").json
        operated.redis.config_set("maxmemory", used // 2)
        full = operated.client.get("/health/ready").json
        status = operated.client.get("/status").json
    finally:
        operated.redis.config_set("maxmemory", "1gb")

    assert short["checks"]["durability"]["short_of_memory"] is True
    assert short["checks"]["workers"] == "none is running"
    assert full["checks"]["workers"] == "not heard of (Redis is full)"
    assert status["durability"]["short_of_memory"] is True


def test_a_service_with_another_schema_is_not_ready(client: FlaskClient, database_url: str) -> None:
    engine = writing_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    engine.dispose()
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert "itemledger migrate" in answer.json["checks"]["schema"]


def test_status_compares_the_log_with_the_ledger(
    ledger: Any, client: FlaskClient, log: Any
) -> None:
    ledger.n = 4
    ledger.add(LAMP)
    log.put("c-9", n=6)
    ledger.outcome("c-1", "lamp")
    behind = {"partition": 0, "epoch": EPOCH, "head": 6, "checkpoint": 4, "lag": 2}
    even = {"partition": 1, "epoch": 0, "head": 0, "checkpoint": 0, "lag": 0}
    assert client.get("/status").json == {
        "partitions": [behind | {"lag_seconds": None}, even | {"lag_seconds": 0.0}],
        "workers": [],
        "durability": None,
        "projections": [{"projection": "items", "partition": 0, "offset": 1, "lag": 0}],
        "dead": 0,
        "parked": 0,
        "gaps": [],
        "totals": {"events": 1, "outcomes": 1},
    }


def test_status_tells_how_old_the_oldest_waiting_command_is(
    ledger: Any, operated: Operated
) -> None:
    ledger.n = 1
    ledger.add(LAMP)
    for n, at in enumerate((AT - 9_000, AT - 2_500, AT), 1):
        operated.redis.xadd(keys.log(0), {"c": f'{{"op":"x","at":{at}}}'}, id=f"{EPOCH}-{n}")
    operated.redis.hset(keys.head(0), mapping={"run_id": "x", "epoch": EPOCH, "n": 3})
    # One that nothing is known of: somebody else wrote it.
    operated.redis.xadd(keys.log(1), {"other": "x"}, id=f"{EPOCH}-1")
    operated.redis.hset(keys.head(1), mapping={"run_id": "x", "epoch": EPOCH, "n": 1})
    partitions = operated.client.get("/status").json["partitions"]

    assert [(each["lag"], each["lag_seconds"]) for each in partitions] == [(2, 2.5), (1, None)]


def test_status_counts_what_waits_in_epochs_that_have_ended(
    ledger: Any, operated: Operated
) -> None:
    ledger.n = 1
    ledger.add(LAMP)
    for n, at in enumerate((AT - 9_000, AT - 2_500, AT), 1):
        operated.redis.xadd(keys.log(0), {"c": f'{{"op":"x","at":{at}}}'}, id=f"{EPOCH}-{n}")
    # The log came back; nothing has been accepted since.
    operated.redis.hset(keys.epochs(0), mapping={EPOCH - 5: 7, EPOCH: 3})
    operated.redis.hset(keys.head(0), mapping={"run_id": "y", "epoch": EPOCH + 1, "n": 0})
    first = operated.client.get("/status").json["partitions"][0]

    assert (first["epoch"], first["head"], first["checkpoint"]) == (EPOCH + 1, 0, 0)
    assert (first["lag"], first["lag_seconds"]) == (2, 2.5)
    operated.redis.hset(keys.head(0), "n", 4)
    assert operated.client.get("/status").json["partitions"][0]["lag"] == 6


def test_status_tells_who_works_what_is_set_aside_and_what_is_missing(
    ledger: Any, operated: Operated
) -> None:
    operated.worker("worker-1", "paused", "the disk is full")
    operated.worker("worker-0", "working", seen=AT - 60_000)
    command = {"partition": 0, "epoch": EPOCH, "body": "", "since": AT}
    aside = [
        {**command, "command_id": f"c-{n}", "n": n, "state": "dead" if n < 2 else "parked"}
        for n in range(1, 4)
    ]
    gap = {"partition": 0, "from_epoch": EPOCH, "to_epoch": EPOCH}
    missing = [
        {**gap, "from_n": n, "to_n": n + 1, "noticed_at": AT + n, "kind": kind}
        for n, kind in ((1, "lost"), (5, "kept"))
    ] + [
        {**gap, "partition": 1, "from_n": n, "to_n": n, "noticed_at": AT - n, "kind": "lost"}
        for n in range(1, 101)
    ]
    with ledger.engine.begin() as connection:
        insert_rows(connection, tables.quarantine, aside)
        insert_rows(connection, tables.gaps, missing)
    status = operated.client.get("/status").json

    assert status["workers"] == [
        {
            "name": "worker-1",
            "state": "paused",
            "why": "the disk is full",
            "since": rfc3339(AT - 60_000),
            "seen": rfc3339(AT),
        }
    ]
    assert (status["dead"], status["parked"]) == (1, 2)
    assert status["durability"]["level"] == "fsync"
    assert len(status["gaps"]) == 100
    assert status["gaps"][0] == {
        "partition": 0,
        "epoch": EPOCH,
        "first": 5,
        "last": 6,
        "kind": "kept",
        "noticed_at": rfc3339(AT + 5),
    }
    assert [each["noticed_at"] for each in status["gaps"]] == sorted(
        (each["noticed_at"] for each in status["gaps"]), reverse=True
    )


def test_status_of_a_log_that_lost_everything_has_no_negative_lag(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.n = 4
    ledger.add(LAMP)
    first = client.get("/status").json["partitions"][0]
    assert (first["head"], first["checkpoint"], first["lag"]) == (0, 4, 0)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_problem_has_a_page_for_people(client: FlaskClient) -> None:
    for code in PROBLEM_CODES:
        page = client.get(f"/problems/{code}")
        assert page.status_code == 200
        assert page.content_type == "text/html; charset=utf-8"
        assert page.headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'none'"
        )
        assert PROBLEM_CODES[code].title in page.text
        assert "How to mend it" in page.text


def test_the_catalogue_has_every_refusal_and_every_code_of_this_service() -> None:
    own = [each for each in vars(problem_codes).values() if isinstance(each, ProblemCode)]
    assert own
    assert {each.code for each in own} | {each.code for each in REFUSALS} == set(PROBLEM_CODES)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_unknown_problem_code_is_404(client: FlaskClient) -> None:
    answer = client.get("/problems/<script>")
    assert (answer.status_code, answer.content_type) == (404, PROBLEM_JSON)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_description_has_every_route_of_the_application(
    app: Flask, client: FlaskClient
) -> None:
    document = client.get("/openapi.json").json
    routes = {re.sub(r"<(\w+)>", r"{\1}", each.rule) for each in app.url_map.iter_rules()}
    assert set(document["paths"]) == routes
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "https://read.example"}]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_reference_of_the_description_leads_somewhere(client: FlaskClient) -> None:
    answer = client.get("/openapi.json")
    names = set(re.findall(r'"#/components/schemas/(\w+)"', answer.text))
    assert names <= set(answer.json["components"]["schemas"])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_description_names_the_parameters_that_are_read(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    for path, unknown in (("/items", "x"), ("/commands/{command_id}", "x")):
        said = client.get(f"{path}?{unknown}=1").json["errors"][0]["detail"]
        read = set(said.partition("it takes ")[2].split(", "))
        described = {
            each["name"]
            for each in document["paths"][path]["get"]["parameters"]
            if each["in"] == "query"
        }
        assert described == read
