"""How far everything is, who works at it, and what is missing."""

from typing import Any

from flask.testing import FlaskClient

from domain.events import ItemCreated
from eventlog import keys
from ledger import projections, tables
from ledger.bulk import insert_rows, upsert_rows
from readmodel.views.listing import all_views
from runtime.times import rfc3339
from tests.readmodel.operated import AT, EPOCH, Operated

LAMP = ItemCreated("lamp", AT, AT, "Lamp", None, 100, "EUR")


def test_status_compares_the_log_with_the_ledger(
    ledger: Any, client: FlaskClient, log: Any
) -> None:
    ledger.n = 4
    ledger.add(LAMP)
    log.put("c-9", n=6)
    ledger.take(4, outcomes=7)
    behind = {"partition": 0, "epoch": EPOCH, "head": 6, "checkpoint": 4, "lag": 2}
    even = {"partition": 1, "epoch": 0, "head": 0, "checkpoint": 0, "lag": 0}
    assert client.get("/status").json == {
        "partitions": [behind | {"lag_seconds": None}, even | {"lag_seconds": 0.0}],
        "workers": [],
        "durability": None,
        "pump": "ok",
        "projections": [
            {
                "projection": view.name,
                "partition": 0,
                "offset": 1,
                "lag": 0,
                "lag_seconds": 0.0,
                "state": "in step",
                "error": None,
            }
            for view in all_views()
        ],
        "builds": [],
        "dead": 0,
        "parked": 0,
        "gaps": [],
        "totals": {"events": 1, "outcomes": 7},
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
    ledger.take(3, quarantined=3)
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


def test_a_projection_that_is_behind_says_by_how_many_events_and_how_old_they_are(
    ledger: Any, operated: Operated
) -> None:
    for n, age in enumerate((9_000, 4_500, 4_000)):
        ledger.add(ItemCreated(f"lamp-{n}", AT - age, AT - age, "Lamp", None, 100, "EUR"))
    with ledger.engine.begin() as connection:
        upsert_rows(
            connection, tables.checkpoints, [{"projection": "items", "partition": 0, "offset": 1}]
        )
    behind = operated.client.get("/status").json["projections"][0]

    assert (behind["lag"], behind["lag_seconds"]) == (2, 4.5)
    assert (behind["state"], behind["error"]) == ("behind", None)


def test_a_view_keeps_its_name_whichever_of_its_slots_is_live(
    ledger: Any, operated: Operated
) -> None:
    ledger.add(LAMP)
    ledger.take(1, in_step="items_2")
    with ledger.engine.begin() as connection:
        projections.change(connection, "items", AT, ["idle"], live=2)
        upsert_rows(
            connection, tables.checkpoints, [{"projection": "items_2", "partition": 0, "offset": 1}]
        )
    shown = operated.client.get("/status").json["projections"][0]

    assert (shown["projection"], shown["state"], shown["lag"]) == ("items", "in step", 0)


def test_a_projection_that_is_detached_tells_the_last_line_of_its_error(
    ledger: Any, operated: Operated
) -> None:
    ledger.add(LAMP)
    ledger.take(1, in_step="")
    trace = "Traceback (most recent call last):\n  File x\nKeyError: 'colour'\n"
    behind = {"projection": "items", "partition": 0, "offset": 0}
    with ledger.engine.begin() as connection:
        upsert_rows(connection, tables.checkpoints, [behind | {"error": trace}])
    detached = operated.client.get("/status").json["projections"][0]
    with ledger.engine.begin() as connection:
        upsert_rows(connection, tables.checkpoints, [behind | {"error": None}])
    catching_up = operated.client.get("/status").json["projections"][0]

    assert (detached["state"], detached["error"]) == ("detached", "KeyError: 'colour'")
    assert (detached["lag"], detached["lag_seconds"]) == (1, 0.0)
    assert (catching_up["state"], catching_up["error"]) == ("behind", None)


def test_status_says_that_commands_wait_and_nothing_moves(ledger: Any, operated: Operated) -> None:
    ledger.add(LAMP)
    operated.put(1, 2)
    before = operated.client.get("/status").json["pump"]
    operated.monotonic.now += 12.4
    after = operated.client.get("/status").json["pump"]

    assert before == "ok"
    assert after == (
        "commands wait in partition 0 and nothing has moved there for 12 s: see to the workers"
    )
