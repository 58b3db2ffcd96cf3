"""An upload gives way to other requests, whatever it is made of, and lets go whatever happens."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from typing import Any

import pytest
from redis import Redis

from api.imports.formats import Ndjson
from api.imports.splitting import Record
from api.imports.upload import Broken, Ended
from eventlog.import_state import ImportStates
from tests.api.conftest import Api
from tests.api.importing import (
    KEY,
    NDJSON,
    applying,
    lines,
    marks_of,
    on_the_log,
    refused,
    state_of,
    taken,
)
from tests.api.uploading import IMPORT_ID, parts


class Watched(Ndjson):
    """Notes in which turn of the loop it is asked for something."""

    def __init__(self) -> None:
        super().__init__(None)
        self.turn = 0
        self.fed: list[tuple[int, int]] = []
        self.parsed: list[int] = []

    def feed(self, data: bytes) -> Generator[Record]:
        self.fed.append((self.turn, len(data)))
        return super().feed(data)

    def parse(self, text: bytes) -> dict[str, Any]:
        self.parsed.append(self.turn)
        return super().parse(text)

    async def count(self) -> None:
        while True:
            self.turn += 1
            await asyncio.sleep(0)  # the next turn


async def watch(url: str, data: bytes, *, packed: bool = False) -> tuple[Watched, Ended]:
    watched = Watched()
    async with parts(url) as made:
        counting = asyncio.create_task(watched.count())
        try:
            ended = await made.upload([data], watched, gzip=packed).run()
        finally:
            counting.cancel()
            with suppress(asyncio.CancelledError):
                await counting
    return watched, ended


@pytest.fixture(autouse=True)
def _slices_of_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # How long a slice lasts is then no matter of the machine.
    monkeypatch.setattr("api.imports.upload._SLICE", -1.0)


def test_other_requests_come_in_between_rows(valkey_url: str, redis: "Redis") -> None:
    with applying(redis):
        watched, ended = asyncio.run(watch(valkey_url, lines(300)))
    assert ended.rows == 300
    assert len(set(watched.parsed)) == len(watched.parsed) == 300


def test_other_requests_come_in_between_blank_lines(valkey_url: str, redis: "Redis") -> None:
    data = gzip.compress(b"\n" * 500_000 + lines(1))
    with applying(redis):
        watched, ended = asyncio.run(watch(valkey_url, data, packed=True))
    assert ended.rows == 1
    turns = [turn for turn, size in watched.fed if size]
    assert max(size for _, size in watched.fed) <= 4096
    assert len(turns) == len(set(turns)) > 100


class Broke(Ndjson):
    """Has a defect at one row."""

    def parse(self, text: bytes) -> dict[str, Any]:
        if b"lamp-150" in text:
            raise TypeError("str is not valid UTF-8")
        return super().parse(text)


def test_a_defect_ends_an_upload_that_can_be_sent_again(valkey_url: str, redis: "Redis") -> None:
    async def play() -> Ended:
        async with parts(valkey_url) as made:
            with pytest.raises(Broken) as broken:
                await made.upload([lines(200)], Broke(None)).run()
            assert isinstance(broken.value.__cause__, TypeError)
            assert broken.value.rows == 150
            assert state_of(redis, IMPORT_ID) == "failed"
            return await made.upload([lines(200)], Ndjson(None)).run()

    with applying(redis):
        assert asyncio.run(play()).rows == 200
    marks = marks_of(on_the_log(redis))
    assert marks == ["begun", "resumed", "failed", "resumed", "received"]


def test_a_defect_is_answered_with_what_to_do(
    api: Api, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    with applying(redis):
        with monkeypatch.context() as broken:
            broken.setattr("api.imports.asking.Ndjson", Broke)
            answer = api.client.post("/imports", content=lines(200), headers=NDJSON | KEY)
        told = refused(answer, 500, "internal-error")
        assert "of 150 rows that were read" in told["detail"]
        assert "send the file again under the same Idempotency-Key" in told["detail"]
        assert taken(api.client.post("/imports", content=lines(200), headers=NDJSON | KEY))


def test_half_a_character_in_a_mapped_file_costs_only_its_row(api: Api, redis: "Redis") -> None:
    body = lines(2) + b'{"id": "b", "name": "\\ud800", "price": 1}\n'
    path = "/imports?map=id:id,name:name,price:price"
    with applying(redis):
        answer = api.client.post(path, content=body, headers=NDJSON | KEY)
    assert taken(answer)["rows"] == 3


def test_an_upload_ends_although_a_library_loses_a_cancellation(
    valkey_url: str, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """As redis-py does in Python 3.11, where what was to be sent has just been sent."""
    read = ImportStates.read
    looking = asyncio.Event()

    async def loses_one(states: ImportStates, import_id: str) -> Any:
        if not looking.is_set():
            looking.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return await read(states, import_id)

    monkeypatch.setattr(ImportStates, "read", loses_one)

    async def row_by_row() -> AsyncIterator[bytes]:
        yield lines(1)
        await looking.wait()

    async def scenario() -> Ended:
        async with asyncio.timeout(60), parts(valkey_url) as made:
            return await made.upload(row_by_row(), Ndjson(None)).run()

    with applying(redis):
        assert asyncio.run(scenario()).state == "received"
