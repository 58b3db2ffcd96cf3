"""Whoever sends the token of a write never reads behind it without being told."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from domain.commands import SchedulePrice
from ledger import gaps
from ledger.changes import Changes
from ledger.gaps import Gap
from readmodel import reads
from readmodel.app import create_app
from readmodel.presence import PRESENCE, Presence
from readmodel.pulse import Pulse
from readmodel.scopes import NEEDED
from readmodel.turns import Turns
from readmodel.views import items
from runtime.positions import Position
from runtime.settings import Settings
from tests.readmodel.shop import Shop, opened
from tests.worker.world import NOW


@pytest.fixture
def shop(database_url: str, valkey_url: str, settings: Settings) -> Iterator[Shop]:
    with opened(database_url, valkey_url, settings) as made:
        yield made


def lag(answer: Any) -> str | None:
    return answer.headers.get("Projection-Lag")


def test_what_was_applied_is_read_at_once(shop: Shop) -> None:
    token = shop.create("lamp")
    shop.apply()
    answer = shop.get("/items/lamp", token)

    assert (answer.status_code, answer.json["price"]) == (200, 100)
    assert lag(answer) is None
    assert "Preference-Applied" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("prefer", ["handling=strict", "wait=10", "wait=10, handling=strict"])
def test_preferences_that_cost_nothing_are_told_as_applied(shop: Shop, prefer: str) -> None:
    token = shop.create("lamp")
    shop.apply()
    answer = shop.get("/items/lamp", token, prefer)

    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == prefer


def test_what_is_not_applied_is_answered_stale_with_how_stale(shop: Shop) -> None:
    shop.create("lamp")
    shop.apply()
    token = shop.reprice("lamp", 7)
    shop.world.clock.now += 2_500
    answer = shop.get("/items/lamp", token)

    assert (answer.status_code, answer.json["price"]) == (200, 100)
    assert lag(answer) == "2.500"
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_item_that_is_not_there_yet_is_stale_too(shop: Shop) -> None:
    token = shop.create("lamp")
    shop.world.clock.now += 40
    answer = shop.get("/items/lamp", token)

    assert (answer.status_code, lag(answer)) == (404, "0.040")
    assert shop.get("/items", token).json["items"] == []


def test_who_wants_nothing_stale_gets_nothing(shop: Shop) -> None:
    shop.create("lamp")
    shop.apply()
    token = shop.reprice("lamp", 7)
    answer = shop.get("/items/lamp", token, "handling=strict")

    assert (answer.status_code, answer.json["code"]) == (503, "projection-behind")
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Preference-Applied"] == "handling=strict"
    assert answer.headers["Cache-Control"] == "no-store"
    assert lag(answer) == "0.000"


@pytest.mark.parametrize("path", ["/items/lamp", "/items?limit=1", "/items/lamp/history"])
def test_who_waits_is_answered_when_it_is_applied(shop: Shop, path: str) -> None:
    shop.create("lamp")
    shop.apply()
    token = shop.reprice("lamp", 7)
    looks, asked_often = 0, threading.Event()

    def looked(*_: object) -> None:
        nonlocal looks
        looks += 1
        if looks == 5:
            asked_often.set()

    def apply_late() -> None:
        if asked_often.wait(30):
            shop.apply()

    event.listen(shop.world.reads, "checkout", looked)
    worker = threading.Thread(target=apply_late)
    worker.start()
    answer = shop.get(path, token, "wait=30, handling=strict")
    worker.join()

    assert (answer.status_code, lag(answer)) == (200, None)
    assert answer.headers["Preference-Applied"] == "wait=30, handling=strict"
    assert ":7," in answer.text or '"to":7' in answer.text
    assert looks >= 5


@pytest.mark.parametrize(("handling", "status"), [("lenient", 200), ("strict", 503)])
def test_who_has_waited_in_vain_is_told_so(shop: Shop, handling: str, status: int) -> None:
    shop.create("lamp")
    shop.apply()
    token = shop.reprice("lamp", 7)
    shop.world.clock.now += 9_000
    answer = shop.get("/items/lamp", token, "wait=1", f"handling={handling}")

    assert (answer.status_code, lag(answer)) == (status, "9.000")
    assert "wait=1" in answer.headers["Preference-Applied"]


def test_where_too_many_wait_already_nobody_claims_to_have_waited(
    shop: Shop, settings: Settings
) -> None:
    nobody_waits = Turns(working=4, waiting=0)
    shop.client = create_app(
        settings, shop.world.reads, shop.inspector, shop.world.clock, turns=nobody_waits
    ).test_client()
    token = shop.create("lamp")
    late = shop.get("/items/lamp", token, "wait=30")
    shop.apply()
    done = shop.get("/items/lamp", token, "wait=30")

    assert (late.status_code, lag(late)) == (404, "0.000")
    assert "Preference-Applied" not in late.headers
    assert (done.status_code, done.headers["Preference-Applied"]) == (200, "wait=30")


def test_who_waits_at_the_head_of_the_feed_has_not_waited_for_a_token_alone(
    shop: Shop, settings: Settings
) -> None:
    """It would ask again at once, over and over."""
    nobody_polls = Turns(working=4, waiting=4, polling=0)
    shop.client = create_app(
        settings, shop.world.reads, shop.inspector, shop.world.clock, turns=nobody_polls
    ).test_client()
    token = shop.create("lamp")
    shop.apply()
    head = shop.get("/changes?after=head", token, "wait=30, handling=strict")
    page = shop.get("/changes", token, "wait=30, handling=strict")

    assert (head.status_code, head.headers["Preference-Applied"]) == (200, "handling=strict")
    assert page.headers["Preference-Applied"] == "wait=30, handling=strict"


def test_a_token_and_the_head_of_the_feed_are_waited_for_together(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, passed = time.monotonic(), [0.0]

    def wait_in_vain(_: Pulse, __: object, seconds: float, *___: object) -> bool:
        passed[0] += seconds
        return False

    monkeypatch.setattr(time, "monotonic", lambda: begun + passed[0])
    monkeypatch.setattr(Pulse, "wait_for", wait_in_vain)
    late = shop.get("/changes?after=head", shop.create("lamp"), "wait=20")

    assert (late.status_code, late.headers["Preference-Applied"]) == (200, "wait=20")
    assert "Projection-Lag" in late.headers
    assert passed == [pytest.approx(20)]


def test_nobody_waits_for_a_command_on_behalf_of_who_has_left(shop: Shop) -> None:
    shop.create("lamp")
    shop.apply()
    client, looks = Presence(), list[object]()
    client.leave()
    event.listen(shop.world.reads, "checkout", lambda *_: looks.append(None))
    headers = {"Consistency-Token": shop.reprice("lamp", 7), "Prefer": "wait=30"}
    answer = shop.client.get("/items", headers=headers, environ_overrides={PRESENCE: client})

    assert (answer.status_code, lag(answer)) == (200, "0.000")
    assert len(looks) == 1


def test_a_view_that_was_left_behind_is_behind_although_the_ledger_is_not(shop: Shop) -> None:
    def broken(_connection: Connection, _changes: Changes) -> None:
        raise ZeroDivisionError("a defect of the view")

    shop.create("lamp")
    shop.apply()
    first = shop.reprice("lamp", 7)
    shop.apply({**shop.known, items.NAME: broken})
    shop.world.clock.now += 1_234
    second = shop.reprice("lamp", 8)
    shop.apply()
    shop.world.clock.now += 1_000

    for token in (first, second):
        stale = shop.get("/items/lamp", token)
        assert (stale.json["price"], lag(stale)) == (100, "2.234")
        assert shop.get("/items/lamp", token, "handling=strict").status_code == 503
        assert shop.get("/items", token, "handling=strict").status_code == 503
        history = shop.get("/items/lamp/history", token, "handling=strict")
        assert (history.status_code, len(history.json["events"])) == (200, 3)
    shop.build()
    fresh = shop.get("/items/lamp", second, "handling=strict")
    assert (fresh.json["price"], lag(fresh)) == (8, None)


def test_a_view_that_is_caught_up_in_part_does_not_claim_to_be_there(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions of the log are claimed when all is taken: what they cover is known then."""
    monkeypatch.setattr("worker.pace._FIRST", 2)
    monkeypatch.setattr("worker.pace._LEAST", 2)
    monkeypatch.setattr("worker.catchup._FEW", 1)
    shop.create("lamp")
    shop.apply()
    with shop.world.engine.begin() as connection:
        connection.execute(text("UPDATE partitions SET in_step = ''"))
    tokens = [shop.reprice("lamp", price) for price in range(10)]
    shop.apply()
    prices: list[tuple[int, list[bool]]] = []

    def ask(_connection: object) -> None:
        with suppress(KeyError):
            price = shop.client.get("/items/lamp").json["price"]
            said = [lag(shop.get("/items/lamp", each)) is None for each in tokens]
            prices.append((price, said))

    event.listen(shop.world.engine.pool, "checkin", lambda *_: ask(None))
    shop.build()

    assert len({price for price, _ in prices}) > 3
    for price, said in prices:
        claimed = [number for number, fresh in enumerate(said) if fresh]
        assert all(number <= price for number in claimed if price != 100)
    assert prices[-1] == (9, [True] * 10)


def test_a_token_of_an_epoch_before_is_taken_where_it_was_applied(shop: Shop) -> None:
    token = shop.create("lamp")
    shop.apply()
    position = shop.world.checkpoint()
    with shop.world.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO epochs (partition, epoch, n) VALUES (0, :epoch, :n)"),
            {"epoch": position.epoch, "n": position.n},
        )
        for table in ("partitions", "checkpoints"):
            connection.execute(text(f"UPDATE {table} SET epoch = epoch + 5, n = 1"))
    beyond = Position(0, position.epoch, position.n + 1).token

    assert shop.get("/items/lamp", token, "handling=strict").status_code == 200
    lost = shop.get("/items/lamp", beyond)
    assert (lost.status_code, lost.json["code"]) == (409, "command-lost")


def test_the_token_of_a_command_in_a_recorded_gap_is_lost(shop: Shop) -> None:
    token = shop.create("lamp")
    epoch = Position.from_token(token).epoch
    with shop.world.engine.begin() as connection:
        gaps.record(connection, [Gap(0, epoch, 1, 1)], NOW)
    for path in ("/items", "/items/lamp", "/items/lamp/history"):
        answer = shop.get(path, token, "wait=30")
        assert (answer.status_code, answer.json["code"]) == (409, "command-lost")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "0",
        "0.1",
        "0.1.1.1",
        "-1.1.1",
        "0.1.-1",
        "0. 1.1",
        "0.1.1,0.1.1",
        "0.1." + "9" * 16,
        "99999.1.1",
        "\N{ARABIC-INDIC DIGIT ZERO}.1.1",
        "☀",
        "0x0.1.1",
        "7.1.1",
        "9999.999999999999999.999999999999999",
    ],
)
def test_what_is_no_token_of_this_deployment_is_refused(shop: Shop, token: str) -> None:
    for path in ("/items", "/items/lamp", "/items/lamp/history"):
        answer = shop.get(path, token.encode().decode("latin-1"), "wait=30")
        assert (answer.status_code, answer.json["code"]) == (400, "malformed-header")
        assert answer.json["errors"][0]["header"] == "Consistency-Token"
        assert answer.headers["Cache-Control"] == "no-store"


def test_two_tokens_are_refused(shop: Shop) -> None:
    """To heed one of them would be to read behind the other."""
    one, other = shop.create("lamp"), shop.create("jug")
    assert shop.get("/items", [one, other]).status_code == 400


def test_a_token_of_before_the_first_worker_is_not_foreign(
    database_url: str, valkey_url: str, settings: Settings
) -> None:
    """The command API may accept before a worker has laid the ledger out."""
    with opened(database_url, valkey_url, settings) as shop:
        token = shop.create("lamp")
        with shop.world.engine.begin() as connection:
            connection.execute(text("DELETE FROM partitions"))
        shop.world.clock.now += 1_000
        stale = shop.get("/items", token)
        assert (stale.status_code, lag(stale)) == (200, "1.000")
        assert shop.get("/items", token, "handling=strict").status_code == 503


def test_without_the_log_nobody_can_say_how_stale_it_is(
    shop: Shop, settings: Settings, log: Any
) -> None:
    shop.create("lamp")
    shop.apply()
    token = shop.reprice("lamp", 7)
    log.go_down()
    client = create_app(settings, shop.world.reads, log.inspector).test_client()
    stale = client.get("/items/lamp", headers={"Consistency-Token": token})
    assert (stale.status_code, lag(stale)) == (200, "unknown")


def test_a_token_of_what_was_refused_is_covered(shop: Shop) -> None:
    shop.create("lamp")
    token = shop.create("lamp")
    shop.apply()
    assert shop.get("/items/lamp", token, "handling=strict").status_code == 200


def test_a_view_that_was_never_built_is_not_read(shop: Shop) -> None:
    token = shop.create("lamp")
    shop.apply()
    with shop.world.engine.begin() as connection:
        connection.execute(text("UPDATE projections SET live = 0, state = 'building'"))
    for headers in ({}, {"Consistency-Token": token}):
        for path in ("/items", "/items/lamp", "/items/never", "/items?q=lamp"):
            answer = shop.client.get(path, headers=headers)
            assert (answer.status_code, answer.json["code"]) == (503, "view-unbuilt")
            assert answer.headers["Retry-After"] == "1"


def test_a_view_whose_first_build_failed_is_not_said_to_be_built(shop: Shop) -> None:
    with shop.world.engine.begin() as connection:
        connection.execute(text("UPDATE projections SET live = 0, state = 'failed'"))
    answer = shop.client.get("/items")
    assert (answer.status_code, answer.json["code"]) == (503, "view-unbuilt")
    assert answer.json["detail"] == "the view items could not be built yet; /status says why"


def test_who_waits_is_answered_at_once_when_the_process_is_to_end(
    shop: Shop, settings: Settings, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.create("lamp")
    shop.apply()
    token = shop.reprice("lamp", 7)
    pulse, looks = Pulse(shop.world.reads), list[object]()
    closing = threading.Timer(0.1, pulse.close)
    client = create_app(settings, shop.world.reads, log.inspector, pulse=pulse).test_client()
    behind = reads._behind

    def counted(*given: Any) -> Any:
        looks.append(given)
        if len(looks) == 1:
            closing.start()
        return behind(*given)

    monkeypatch.setattr(reads, "_behind", counted)
    answer = client.get("/items/lamp", headers={"Consistency-Token": token, "Prefer": "wait=60"})

    assert (answer.status_code, answer.json["price"]) == (200, 100)
    assert "wait" not in answer.headers.get("Preference-Applied", "")
    assert len(looks) == 2
    closing.join()


# Parameters that a resource can not be asked without.
_NEEDED_PARAMETERS = {
    "/items/<item_id>/diff": "?from=1&to=1",
    "/items/<item_id>/prior-price": "?at=2027-01-15T08:00:00Z",
}
# What is no view of items and events: it is read from the log, or as it is now.
_NO_VIEWS = (
    "/commands/",
    "/imports",
    "/status",
    "/health/",
    "/problems",
    "/openapi.json",
    "/docs",
    "/metrics",
    "/ui",
    "/schemas/",
)


@pytest.mark.parametrize(
    "rule", [each for each in NEEDED if each != "/" and not each.startswith(_NO_VIEWS)]
)
def test_every_read_honours_a_token(shop: Shop, rule: str) -> None:
    later = NOW + 1_000_000
    shop.create("lamp")
    shop.write(SchedulePrice("lamp", NOW, "s1", 5, None, later, None, "anna"))
    shop.apply()
    token = shop.reprice("lamp", 7)
    path = (
        rule.replace("<item_id>", "lamp").replace("<schedule_id>", "s1").replace("<name>", "stats")
    )
    path += _NEEDED_PARAMETERS.get(rule, "")

    behind = shop.get(path, token, "handling=strict")
    stale = shop.get(path, token)
    shop.apply()
    fresh = shop.get(path, token, "handling=strict")

    assert (behind.status_code, behind.json["code"]) == (503, "projection-behind")
    assert lag(stale) == "0.000"
    assert fresh.status_code in {200, 404}
    assert lag(fresh) is None
    assert shop.get(path, "nonsense").status_code == 400
    described = shop.client.get("/openapi.json").json["paths"]
    told = described[rule.replace("<", "{").replace(">", "}")]["get"]
    names = [each["name"] for each in told["parameters"]]
    assert names.count("Consistency-Token") == names.count("Prefer") == 1
    assert {"400", "409", "503"} <= set(told["responses"])


def test_a_client_without_a_token_is_told_nothing_of_lag(shop: Shop) -> None:
    shop.create("lamp")
    shop.apply()
    shop.reprice("lamp", 7)
    answer = shop.client.get("/items/lamp", headers={"Prefer": "wait=30, handling=strict"})
    assert (answer.status_code, answer.json["price"]) == (200, 100)
    assert "Preference-Applied" not in answer.headers
    assert lag(answer) is None
