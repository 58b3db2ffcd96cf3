"""What the query API tells Prometheus, and that a store that is away takes only its own figures."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import update

from domain.events import ItemCreated
from eventlog import tally, ticks
from eventlog.tally import Tally
from eventlog.ticks import Ticks
from ledger import tables
from ledger.bulk import insert_rows, upsert_rows
from ledger.engines import reading_engine
from readmodel.app import create_app
from readmodel.metric_names import METRICS
from runtime.measures import Histogram
from runtime.settings import Settings
from tests.figures import CONTENT_TYPE, Scrape
from tests.readmodel.operated import AT, EPOCH, Operated
from tests.tokens import bearer, guard

LAMP = ItemCreated("lamp", AT, AT, "Lamp", None, 100, "EUR")


def scrape(client: FlaskClient) -> Scrape:
    answer = client.get("/metrics")
    assert (answer.status_code, answer.content_type) == (200, CONTENT_TYPE)
    return Scrape.of(answer.text)


def test_every_metric_is_told_by_its_name_and_kind_and_no_other(operated: Operated) -> None:
    told = {name: family.type for name, family in scrape(operated.client).families.items()}
    assert told == {each.name: each.kind for each in METRICS}
    assert all(name.startswith("itemledger_") for name in told)


def test_partitions_tell_how_far_the_ledger_is_behind_the_log(
    ledger: Any, operated: Operated
) -> None:
    ledger.add(LAMP)
    operated.put(1, 2, 3, at=AT - 2500)
    ledger.take(1, outcomes=7)
    scrape(operated.client)
    operated.monotonic.now += 4
    found = scrape(operated.client)

    assert found.value("itemledger_log_head", partition="0") == 3
    assert found.value("itemledger_ledger_checkpoint", partition="0") == 1
    assert found.value("itemledger_log_epoch", partition="0") == EPOCH
    assert found.by("itemledger_lag_commands", "partition") == {"0": 2, "1": 0}
    assert found.by("itemledger_lag_seconds", "partition") == {"0": 2.5, "1": 0}
    assert found.by("itemledger_standstill_seconds", "partition") == {"0": 4, "1": 0}
    assert found.by("itemledger_ledger_events_total", "partition") == {"0": 1}
    assert found.by("itemledger_ledger_outcomes_total", "partition") == {"0": 7}


def test_projections_tell_their_lag_and_whether_they_are_detached(
    ledger: Any, operated: Operated
) -> None:
    for n, age in enumerate((9_000, 4_500, 4_000)):
        ledger.add(ItemCreated(f"lamp-{n}", AT - age, AT - age, "Lamp", None, 100, "EUR"))
    in_step = scrape(operated.client)
    ledger.take(1, in_step="")
    behind = {"projection": "items", "partition": 0, "offset": 1, "error": "KeyError: 'x'"}
    with ledger.engine.begin() as connection:
        upsert_rows(connection, tables.checkpoints, [behind])
    detached = scrape(operated.client)

    names = (
        "itemledger_projection_lag_events",
        "itemledger_projection_lag_seconds",
        "itemledger_projection_detached",
    )
    assert [in_step.value(name, projection="items") for name in names] == [0, 0, 0]
    assert [detached.value(name, projection="items") for name in names] == [2, 4.5, 1]


def test_views_tell_whether_they_can_be_read_and_were_built(
    ledger: Any, operated: Operated
) -> None:
    def told() -> list[float]:
        found = scrape(operated.client)
        names = ("itemledger_projection_unbuilt", "itemledger_projection_build_failed")
        return [found.value(name, projection="search") for name in names]

    before = told()
    row = tables.projections.c
    change = update(tables.projections).where(row.view == "search").values(state="failed")
    with ledger.engine.begin() as connection:
        connection.execute(change)
    rebuilt = told()
    with ledger.engine.begin() as connection:
        connection.execute(change.values(live=0))

    assert (before, rebuilt, told()) == ([0, 0], [0, 1], [1, 1])


def test_of_several_partitions_events_are_added_up_and_the_oldest_counts(
    ledger: Any, operated: Operated
) -> None:
    for n, age in enumerate((9_000, 4_500, 4_000)):
        ledger.add(ItemCreated(f"lamp-{n}", AT - age, AT - age, "Lamp", None, 100, "EUR"))
    ledger.take(1, partition=1, offset=3)
    with ledger.engine.begin() as connection:
        behind = [{"projection": "items", "partition": each, "offset": 1} for each in (0, 1)]
        upsert_rows(connection, tables.checkpoints, behind)
    found = scrape(operated.client)

    assert found.value("itemledger_projection_lag_events", projection="items") == 2 + 2
    # Of the other one no event is there that could have an age.
    assert found.value("itemledger_projection_lag_seconds", projection="items") == 4.5


def test_what_is_set_aside_and_what_is_lost_is_counted(ledger: Any, operated: Operated) -> None:
    none = scrape(operated.client)
    command = {"partition": 0, "epoch": EPOCH, "body": "", "since": AT}
    aside = [
        {**command, "command_id": f"c-{n}", "n": n, "state": "dead" if n < 2 else "parked"}
        for n in range(1, 4)
    ]
    gap = {"partition": 0, "from_epoch": EPOCH, "to_epoch": EPOCH, "noticed_at": AT}
    ledger.take(9, quarantined=3)
    with ledger.engine.begin() as connection:
        insert_rows(connection, tables.quarantine, aside)
        insert_rows(
            connection,
            tables.gaps,
            [gap | {"from_n": n, "to_n": n + 1, "kind": "lost"} for n in (1, 5)],
        )
    found = scrape(operated.client)

    assert none.value("itemledger_commands_dead") == none.value("itemledger_commands_parked") == 0
    assert none.by("itemledger_log_positions_missing", "kind") == {"lost": 0, "kept": 0}
    assert found.value("itemledger_commands_dead") == 1
    assert found.value("itemledger_commands_parked") == 2
    assert found.by("itemledger_log_positions_missing", "kind") == {"lost": 4, "kept": 0}


def test_workers_are_counted_by_how_they_are_and_for_how_long(operated: Operated) -> None:
    assert "itemledger_worker_report_seconds" not in [
        sample.name
        for family in scrape(operated.client).families.values()
        for sample in family.samples
    ]
    operated.worker("worker-1", "working", seen=AT - 4000)
    operated.worker("worker-2", "paused", "the disk is full", seen=AT - 3000)
    operated.worker("worker-3", "working", seen=AT - 60_000)
    operated.worker("worker-4", "working", seen=AT - 3_600_001)
    found = scrape(operated.client)

    assert found.by("itemledger_workers", "state") == {"working": 1, "paused": 1, "silent": 1}
    assert found.by("itemledger_worker_state_seconds", "state") == {"working": 60, "paused": 60}
    assert found.value("itemledger_worker_report_seconds") == 3


def test_cron_is_told_by_what_it_has_said_of_itself(operated: Operated) -> None:
    never = scrape(operated.client)
    ticks.add(operated.redis, Ticks(AT - 8_000, 2, {"housekeep": 3}))
    ticks.add(operated.redis, Ticks(AT - 4_000, 1, {"housekeep": 1}))
    found = scrape(operated.client)

    names = ("itemledger_cron_tick_seconds", "itemledger_cron_errors_total")
    assert [never.families[name].samples for name in names] == [[], []]
    assert [found.value(name) for name in names] == [4, 3]
    assert found.by("itemledger_cron_chores_total", "chore") == {"housekeep": 4}


def test_the_log_tells_how_it_is_kept(operated: Operated) -> None:
    found = scrape(operated.client)
    operated.redis.config_set("appendfsync", "everysec")
    try:
        weaker = scrape(operated.client)
    finally:
        operated.redis.config_set("appendfsync", "always")

    level = "itemledger_durability"
    assert found.by(level, "level") == {"none": 0, "everysec": 0, "fsync": 1}
    assert found.value("itemledger_durability_sufficient") == 1
    assert weaker.by(level, "level") == {"none": 0, "everysec": 1, "fsync": 0}
    assert weaker.value("itemledger_durability_sufficient") == 0
    assert found.value("itemledger_log_memory_limit_bytes") == 1 << 30
    assert 0 < found.value("itemledger_log_memory_used_bytes") < 1 << 30


def test_what_workers_have_counted_is_told_as_a_histogram(operated: Operated) -> None:
    counted = Histogram(tally.BOUNDS)
    for seconds in (0.004, 0.2, 0.2, 1000):
        counted.observe(seconds)
    tally.add(operated.redis, Tally(counted.seen()))
    tally.add(operated.redis, Tally(counted.seen()))
    found = scrape(operated.client)

    buckets = found.by("itemledger_apply_delay_seconds_bucket", "le")
    assert (buckets["0.005"], buckets["0.1"], buckets["0.25"], buckets["+Inf"]) == (2, 2, 6, 8)
    assert found.value("itemledger_apply_delay_seconds_count") == 8
    assert found.value("itemledger_apply_delay_seconds_sum") == 2000.808


def test_requests_are_counted_by_route_and_status_and_never_by_what_clients_write(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(LAMP)
    for path in ("/items/lamp", "/items/lamp/", "/items/nobody", "/items?limit=0"):
        client.get(path)
    for n in range(5):
        client.get(f"/nothing/{n}")
        client.open("/items", method=f"VERB{n}")
    client.delete("/items/lamp")
    client.head("/items/lamp")
    found = scrape(client)
    counted = {
        (labels["method"], labels["route"], labels["status"]): sample.value
        for sample in found.families["itemledger_http_requests_total"].samples
        if (labels := sample.labels)
    }

    assert counted == {
        ("GET", "/items/{item_id}", "200"): 2,
        ("GET", "/items/{item_id}", "404"): 1,
        ("GET", "/items", "400"): 1,
        ("GET", "other", "404"): 5,
        ("other", "other", "405"): 5,
        ("DELETE", "other", "405"): 1,
        ("HEAD", "/items/{item_id}", "200"): 1,
    }
    assert (
        found.value("itemledger_http_request_seconds_count", method="GET", route="/items/{item_id}")
        == 3
    )


def test_without_its_log_a_scrape_tells_what_the_ledger_knows(
    ledger: Any, client: FlaskClient, log: Any
) -> None:
    ledger.add(LAMP)
    log.go_down()
    found = scrape(client)

    assert found.by("itemledger_up", "store") == {"log": 0, "database": 1}
    assert found.by("itemledger_ledger_events_total", "partition") == {"0": 1}
    assert found.families["itemledger_lag_commands"].samples == []
    assert found.families["itemledger_workers"].samples == []


def test_without_its_database_a_scrape_tells_what_the_log_knows(
    settings: Settings, log: Any, tmp_path: Path
) -> None:
    engine = reading_engine(f"sqlite:///{tmp_path / 'none.db'}")
    found = scrape(create_app(settings, engine, log.inspector).test_client())
    log.go_down()
    neither = scrape(create_app(settings, engine, log.inspector).test_client())
    engine.dispose()

    assert found.by("itemledger_up", "store") == {"log": 1, "database": 0}
    assert found.by("itemledger_workers", "state") == {"working": 0, "paused": 0, "silent": 0}
    assert found.families["itemledger_ledger_events_total"].samples == []
    assert found.families["itemledger_commands_dead"].samples == []
    assert neither.by("itemledger_up", "store") == {"log": 0, "database": 0}
    assert neither.value("itemledger_build_info", version=version("itemledger")) == 1


def test_a_database_of_an_older_release_is_no_reason_to_tell_nothing(
    ledger: Any, operated: Operated
) -> None:
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE partitions RENAME COLUMN outcomes TO old")
    try:
        found = scrape(operated.client)
    finally:
        with ledger.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE partitions RENAME COLUMN old TO outcomes")

    assert found.by("itemledger_up", "store") == {"log": 1, "database": 0}


def test_figures_are_for_operators(settings: Settings, engine: Any, log: Any) -> None:
    client = create_app(settings, engine, log.inspector, guard=guard(settings)).test_client()
    statuses = [
        client.get("/metrics", headers=headers).status_code
        for headers in ({}, bearer("items:read"), bearer("ops"))
    ]
    assert statuses == [401, 403, 200]


def test_figures_take_no_parameter(client: FlaskClient) -> None:
    assert client.get("/metrics?name=x").status_code == 400
    assert client.head("/metrics").content_type == CONTENT_TYPE
