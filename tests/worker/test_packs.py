"""Commands of one request travel in one entry, and each is taken for itself."""

import signal
from collections.abc import Callable

import pytest
from sqlalchemy import text

from domain.commands import Command, CreateItem, PatchItem
from eventlog import keys, notices
from eventlog.envelope import Envelope, Pack
from ledger import tables
from runtime.positions import Position
from runtime.row_ids import row_id
from tests.worker.checks import differences, outcomes, statuses
from tests.worker.poison import LAMP, POISON, RUG, Forker, lamp, order, states
from tests.worker.test_losses import recorded, saved, set_back, swept
from tests.worker.world import NOW, World
from worker.drain import Drain


def pack(name: str, *rows: Command, reply_to: str | None = None, keyed: str = "") -> Pack:
    return Pack(
        name,
        tuple(
            Envelope(row_id(name, n), each, "anna", keyed, reply_to, with_item=False)
            for n, each in enumerate(rows)
        ),
        keyed,
    )


def of_lamp(price: int) -> PatchItem:
    return PatchItem("lamp-1", NOW, price=price)


def of_rug(price: int) -> PatchItem:
    return PatchItem("rug-1", NOW, price=price)


def places(world: World) -> dict[str, int]:
    return {name: row["n"] for name, row in outcomes(world).items()}


def test_each_is_applied_for_itself_at_a_position_of_its_own(world: World) -> None:
    twice = CreateItem("lamp-1", NOW, "Lamp", None, 1, "EUR")
    first, _, third = world.append(LAMP, pack("p", of_lamp(1), twice, of_lamp(2)), RUG)
    world.drain().partition(0)

    assert statuses(world) == {
        "c1": "applied",
        "p.000000000": "applied",
        "p.000000001": "rejected",
        "p.000000002": "applied",
        "r1": "applied",
    }
    assert places(world) == {"c1": 1, "p.000000000": 2, "p.000000001": 3, "p.000000002": 4, "r1": 5}
    assert world.checkpoint() == third.position
    assert third.position.n == first.position.n + 4
    assert recorded(world) == []
    assert world.redis.ttl(keys.command(0, "p")) > 0
    assert differences(world) == ()


def test_who_waits_is_told_of_each(world: World) -> None:
    heard = world.heard("api-1")
    world.append(LAMP, pack("p", of_lamp(1), of_rug(1), reply_to="api-1"))
    world.drain().partition(0)

    message = heard.get_message(timeout=30)
    heard.close()
    told = notices.read(message["data"], "api-1")
    assert [(each.outcome.command_id, each.outcome.status) for each in told] == [
        ("p.000000000", "applied"),
        ("p.000000001", "rejected"),
    ]
    assert [each.position.n for each in told] == [2, 3]


def test_one_that_is_known_is_not_taken_again_and_the_others_are(world: World) -> None:
    world.append(LAMP, pack("p", of_lamp(1), of_lamp(2)))
    world.drain().partition(0)
    world.redis.delete(keys.command(0, "p"))
    world.append(pack("p", of_lamp(1), of_lamp(2), of_lamp(3)))
    world.drain().partition(0)

    assert [row["command_id"] for row in world.rows(tables.events, "offset")] == [
        *("c1", "p.000000000", "p.000000001", "p.000000002")
    ]
    assert places(world)["p.000000002"] == 6


def test_another_payload_under_a_known_id_is_told_so_and_forgotten_by_the_log(
    world: World,
) -> None:
    world.append(LAMP, pack("p", of_lamp(1), keyed="f"))
    world.drain().partition(0)
    world.redis.delete(keys.command(0, "p"))
    heard = world.heard("api-1")
    (again,) = world.append(pack("p", of_lamp(2), keyed="g", reply_to="api-1"))
    world.drain().partition(0)

    (told,) = notices.read(heard.get_message(timeout=30)["data"], "api-1")
    heard.close()
    assert told.reused
    found = [row for row in outcomes(world).values() if row["code"] == "idempotency-key-reused"]
    assert [row["n"] for row in found] == [again.position.n]
    assert not world.redis.exists(keys.command(0, "p"))


def test_one_that_raises_is_dead_and_only_its_item_waits_behind_it(
    world: World, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, RUG, pack("p", of_rug(1), of_lamp(POISON), of_rug(2), of_lamp(3)))
    world.drain().partition(0)
    dead, parked = "p.000000001", "p.000000003"

    assert states(world) == {dead: "dead", parked: "parked"}
    assert places(world)["p.000000002"] == 5
    allergic()
    world.append(order("o1", "replay", dead))
    world.drain().partition(0)
    assert states(world) == {}
    assert statuses(world)[dead] == statuses(world)[parked] == "applied"
    assert world.rows(tables.import_counts) == []
    assert differences(world) == ()


def test_one_that_kills_its_process_does_not_take_the_others_along(
    sqlite_url: str, valkey_url: str, forker: Forker
) -> None:
    with World.of(sqlite_url, valkey_url, 1) as world:
        world.append(LAMP, RUG, pack("p", of_rug(1), of_lamp(POISON), of_rug(3), of_lamp(4)))
        codes = [forker.drain(sqlite_url, valkey_url) for _ in range(10)]

        # Three times as a batch, three times their entry alone, three times the command.
        assert codes == [-signal.SIGKILL] * 9 + [0]
        assert states(world) == {"p.000000001": "dead", "p.000000003": "parked"}
        assert places(world)["p.000000002"] == 5
        assert world.checkpoint().n == 6
        assert recorded(world) == []
        assert differences(world) == ()


def test_one_that_can_not_be_read_is_dead_as_a_whole_and_no_gap(world: World) -> None:
    at = world.append(LAMP)[0].position
    body = {"c": b'{"id":"p","op":"pack","rows":[{"row":0', "w": 3}
    world.redis.xadd(keys.log(0), body, id=f"{at.epoch}-4")
    world.redis.hset(keys.head(0), "n", 4)
    world.append(lamp("c5", 5))
    world.drain().partition(0)

    (aside,) = world.rows(tables.quarantine)
    assert (aside["state"], aside["n"]) == ("dead", 4)
    assert recorded(world) == []
    assert places(world)["c5"] == 5


def test_what_is_missing_before_it_is_a_gap_up_to_its_first(world: World) -> None:
    at = world.append(LAMP, lamp("c2", 2), pack("p", of_lamp(3), of_lamp(4)))[0].position
    world.redis.xdel(keys.log(0), f"{at.epoch}-2")
    world.drain().partition(0)

    assert [(each.first_n, each.last_n) for each in recorded(world)] == [(2, 2)]
    assert places(world)["p.000000000"] == 3


def test_a_log_that_loses_it_loses_it_whole(world: World) -> None:
    world.append(LAMP)
    copy = saved(world)
    old = world.append(pack("p", of_lamp(1), of_lamp(2)))[0].position
    set_back(world, copy)
    world.append(pack("q", of_lamp(3), of_lamp(4)))
    world.redis.zadd(keys.lost(0), {str(old.epoch): old.n}, gt=True)
    swept(world)

    assert [(each.first_n, each.last_n, each.kind) for each in recorded(world)] == [(2, 3, "lost")]
    assert {name: place for name, place in places(world).items() if name[0] == "q"} == {
        "q.000000000": 1,
        "q.000000001": 2,
    }
    assert "p.000000000" not in outcomes(world)


def test_a_stray_keeps_its_positions_behind_the_fence(world: World) -> None:
    world.append(LAMP)
    world.drain().partition(0)
    old = world.append(pack("p", of_lamp(1), of_lamp(2), keyed="f"))[0].position
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE partitions SET n = 3"))
    world.drain().partition(0)
    world.append(RUG)
    world.drain().partition(0)

    assert places(world) == {"c1": 1, "p.000000000": 1, "p.000000001": 2, "r1": 3}
    assert outcomes(world)["p.000000000"]["epoch"] > old.epoch
    assert recorded(world) == []


def test_no_more_is_read_at_once_than_a_transaction_takes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    whole = Drain._apply

    def noting(drain: Drain, batches: dict[int, list[object]]) -> object:
        sizes.extend(sum(each.width for each in batch) for batch in batches.values())  # type: ignore[attr-defined]
        return whole(drain, batches)  # type: ignore[arg-type]

    monkeypatch.setattr(Drain, "_apply", noting)
    world.append(LAMP, *(pack(f"p{n}", *[of_lamp(m + n) for m in range(300)]) for n in range(9)))
    while not world.drain().partition(0):
        pass  # Its time was over before all was done.

    assert sizes == [1201, 1200, 300]
    assert world.checkpoint() == Position(0, world.checkpoint().epoch, 2701)
