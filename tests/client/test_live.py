"""Both clients against the whole service: what a program does with it, and lost answers."""

import asyncio
import io
import random
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from itemledger_client import (
    AsyncCatalogue,
    Catalogue,
    Conflict,
    Gone,
    IdempotencyKeyReused,
    Invalid,
    NotFound,
    PreconditionFailed,
)
from tests.eventlog.cutting import Cutting
from tests.journey import Deployment

CREATES = 200
WRITERS = 8


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite_file: Path
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("live")
    database = folder / "itemledger.db"
    database.write_bytes(migrated_sqlite_file.read_bytes())
    deployment = Deployment(folder, f"sqlite:///{database}")
    with deployment.up():
        yield deployment


@pytest.fixture
def catalogue(deployment: Deployment) -> Iterator[Catalogue]:
    with Catalogue(deployment.command_url, deployment.query_url) as catalogue:
        yield catalogue


def test_an_item_from_its_creation_over_a_conflict_to_its_history(catalogue: Catalogue) -> None:
    made = catalogue.put("desk", name="Desk", price=9900, reason="new", wait=20)
    assert made.final
    assert made.item == catalogue.item("desk")
    catalogue.patch("desk", price=8900, if_version=1, wait=20)
    with pytest.raises(PreconditionFailed) as caught:
        catalogue.patch("desk", price=1, if_version=1, wait=20)
    assert caught.value.current_version == 2
    with pytest.raises(IdempotencyKeyReused):
        catalogue.patch("desk", price=2, if_version=1, key=caught.value.key)
    with pytest.raises(Conflict):
        catalogue.put("desk", name="Another", price=1, only_new=True, wait=20)

    # Not waited for, and read at once.
    later = catalogue.patch("desk", description="Oak.", reason="asked for")
    assert not later.final
    assert catalogue.item("desk").description == "Oak."
    assert [each.id for each in catalogue.items(q="desk")] == ["desk"]
    assert catalogue.outcome(later).version == 3
    assert [each.reason for each in catalogue.history("desk")] == ["asked for", None, "new"]
    assert "/price" in [each.path for each in catalogue.diff("desk", before=1, after=2)]
    assert [each.price for each in catalogue.prices("desk")] == [9900, 8900]
    gone = catalogue.delete("desk", reason="sold", wait=20)
    assert gone.final
    assert gone.item is None
    assert catalogue.restore("desk", wait=20).version == 5
    back = catalogue.revert("desk", 1, if_version=5, wait=20).item
    assert back is not None
    assert (back.price, back.description) == (9900, None)


def test_a_sale_that_is_planned_and_called_off(catalogue: Catalogue) -> None:
    catalogue.put("shelf", name="Shelf", price=9900)
    sale = catalogue.schedule_price(
        "shelf", price=7900, effective_from="2099-11-27T00:00:00Z", wait=20
    )
    assert sale.schedule_id is not None
    assert catalogue.scheduled_price("shelf", sale.schedule_id) == sale.scheduled_price
    catalogue.cancel_scheduled_price("shelf", sale.schedule_id, wait=20)
    (told,) = catalogue.scheduled_prices("shelf")
    assert told.status == "cancelled"


def test_a_file_with_rejects_and_what_followers_are_told_of_it(catalogue: Catalogue) -> None:
    begins = catalogue.export().cursor
    file = io.BytesIO(b'{"id":"c1","name":"C","price":1}\n{"id":"c2","name":"C","price":1.5}\n')
    dry = catalogue.send_import(file, dry_run=True)
    assert catalogue.import_ended(dry.import_id).rejected == 1
    with pytest.raises(NotFound):
        catalogue.item("c1")
    file.seek(0)
    sent = catalogue.send_import(file, wait=20)
    assert catalogue.import_ended(sent.import_id).applied == 1
    (row,) = catalogue.import_rows(sent.import_id, status="rejected")
    assert (row.row, row.item_id) == (2, "c2")
    assert isinstance(row.problem, Invalid)
    assert catalogue.item("c1").price == 1
    taken_back = catalogue.revert_import(sent.import_id)
    assert catalogue.import_ended(taken_back.import_id).applied == 1
    with pytest.raises(Gone):
        catalogue.item("c1")
    whole = catalogue.import_state(sent.import_id)
    assert (whole.reverted_by, whole.reverts) == (taken_back.import_id, None)
    assert catalogue.import_state(taken_back.import_id).reverts == sent.import_id
    known = {each.import_id for each in catalogue.all_imports()}
    assert known >= {dry.import_id, sent.import_id, taken_back.import_id}

    changes = list(catalogue.changes(after=begins))
    assert [(each.item_id, each.type) for each in changes] == [
        ("c1", "ItemCreated"),
        ("c1", "ItemDeleted"),
    ]
    for again in (catalogue.follow(after=begins), catalogue.poll(after=begins)):
        assert [next(again) for _ in changes] == changes
        again.close()
    export = catalogue.export(include_deleted=True)
    copy = {each.id: each for each in export}
    assert len(copy) == export.count
    assert copy["c1"].deleted_at is not None
    assert list(catalogue.changes(after=export.cursor)) == []
    assert catalogue.status()["dead"] == 0


def test_answers_that_are_lost_make_no_item_twice(deployment: Deployment, tmp_path: Path) -> None:
    place = urlsplit(deployment.command_url)
    proxy = Cutting(
        Path(deployment.folder) / "cut.sock",
        (place.hostname or "", place.port or 0),
        b"POST /items",
        10 * CREATES,
        0.5,
        random.Random(7),  # noqa: S311  a test's dice
    )

    async def write() -> list[str]:
        async with proxy.running():
            transport = httpx.AsyncHTTPTransport(uds=str(proxy.socket))
            async with (
                httpx.AsyncClient(transport=transport) as http,
                AsyncCatalogue(deployment.command_url, deployment.query_url, http=http) as writer,
            ):
                left = list(range(CREATES))
                made: list[str] = []

                async def work() -> None:
                    while left:
                        name = f"Twin {left.pop()}"
                        made.append((await writer.create(name=name, price=1, wait=20)).item_id)

                await asyncio.gather(*(work() for _ in range(WRITERS)))
                return made

    made = asyncio.run(write())
    assert proxy.places["nothing"] > 0
    assert proxy.places["all"] + proxy.places["a part"] > 0

    async def read() -> list[tuple[str, str]]:
        async with AsyncCatalogue(deployment.command_url, deployment.query_url) as reader:
            return [(each.id, each.name) async for each in reader.items(q="twin")]

    found = asyncio.run(read())
    assert sorted(made) == sorted(item_id for item_id, _ in found)
    assert sorted(name for _, name in found) == sorted(f"Twin {each}" for each in range(CREATES))
