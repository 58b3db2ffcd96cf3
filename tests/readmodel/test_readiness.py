"""What a service lacks is told; what reads do not need is no hindrance to them."""

from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import text

from domain.events import ItemCreated
from ledger.engines import reading_engine, writing_engine
from readmodel.app import create_app
from runtime.settings import Settings
from tests.readmodel.operated import AT, Operated

LAMP = ItemCreated("lamp", AT, AT, "Lamp", None, 100, "EUR")


def test_a_process_is_alive_whatever_else_is_down(client: FlaskClient, log: Any) -> None:
    log.go_down()
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json) == (200, {"status": "live"})
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_service_that_has_everything_is_ready(operated: Operated) -> None:
    operated.worker("worker-1", "working")
    answer = operated.client.get("/health/ready")
    assert answer.status_code == 200
    document = answer.json
    durability = document["checks"].pop("durability")
    assert document == {
        "status": "ready",
        "checks": {"database": "ok", "schema": "ok", "log": "ok", "workers": "ok", "pump": "ok"},
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
        "pump": "unknown",
    }
    assert answer.json["degraded"] == ["log", "durability", "workers", "pump"]


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
