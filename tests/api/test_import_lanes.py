"""How many rows wait in a partition, and what becomes of those that are lost there."""

import asyncio
import itertools
import threading

import httpx
import pytest
from redis import Redis

from api.imports.formats import Ndjson
from api.imports.lanes import ROWS_ALONE, ROWS_LIMIT, Lanes, Lost
from api.imports.upload import Broken
from eventlog import keys
from eventlog.clients import asking_client
from eventlog.envelope import ImportMark
from runtime.positions import Position
from tests.api.conftest import Api
from tests.api.importing import (
    KEY,
    NDJSON,
    applying,
    lines,
    marks_of,
    on_the_log,
    refused,
    rows_of,
    state_of,
    taken,
)
from tests.api.uploading import IMPORT_ID, parts
from tests.waiting import until

# Within which whatever is to happen has happened.
PATIENCE = 20.0
SOMEBODY = ImportMark("somebody's", "another import", "begun", "someone", 1)
END = 2


class Clock:
    """Goes on by a millisecond whenever it is looked at."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        self.now += 0.001
        return self.now


def test_lanes_are_large_while_imports_are_alone_and_small_again_when_somebody_comes(
    valkey_url: str, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("api.imports.lanes.time", clock)

    async def play() -> None:
        async with asking_client(valkey_url) as client:
            lanes = Lanes(client, 1)

            async def row_at(n: int) -> None:
                position = Position(0, 1, n)
                await lanes.room(0, 1)
                lanes.put(position, 1)
                redis.set(keys.done(0), position.stream_id)
                await lanes.applied([position])

            for n in range(1, 50):
                await row_at(n)
            assert lanes.limit == ROWS_LIMIT
            clock.now += 10
            for n in range(50, 100):
                await row_at(n)
            assert lanes.limit == ROWS_ALONE
            # What stands between is somebody else's.
            for n in range(101, 150):
                await row_at(n)
            assert lanes.limit <= ROWS_LIMIT

    asyncio.run(play())


def test_what_nobody_put_into_a_lane_is_waited_for_as_well(valkey_url: str, redis: "Redis") -> None:
    async def play() -> None:
        async with asking_client(valkey_url) as client:
            lanes = Lanes(client, 1)
            waiting = asyncio.create_task(lanes.applied([Position(0, 5, 2)]))
            redis.set(keys.done(0), "5-1")
            assert not (await asyncio.wait({waiting}, timeout=0.2))[0]
            redis.set(keys.done(0), "5-2")
            await asyncio.wait_for(waiting, PATIENCE)

    asyncio.run(play())


def test_an_import_is_not_done_before_a_worker_knows_its_end(api: Api, redis: "Redis") -> None:
    answer = api.client.post("/imports", content=b"", headers=NDJSON | {"Prefer": "wait=1"})
    assert taken(answer)["status"] == "running"
    assert "Preference-Applied" not in answer.headers
    with applying(redis):
        answer = api.client.post("/imports", content=b"", headers=NDJSON | {"Prefer": "wait=20"})
    assert taken(answer, 200)["status"] == "done"


def some_wait(redis: "Redis") -> None:
    until(lambda: len(rows_of(on_the_log(redis))) >= 200, PATIENCE, "rows that wait for a worker")


def set_back(redis: "Redis", how: str) -> None:
    if how == "emptied":
        redis.flushall()
    else:
        redis.delete(keys.log(0))
        redis.hset(keys.head(0), "n", str(END))


@pytest.mark.parametrize("taken_by", ["nobody", "a worker"])
@pytest.mark.parametrize("how", ["emptied", "gone back"])
def test_an_upload_whose_rows_are_lost_fails_and_can_be_sent_again(
    valkey_url: str, redis: "Redis", how: str, taken_by: str
) -> None:
    async def play() -> None:
        async with parts(valkey_url) as made, asyncio.timeout(PATIENCE):
            running = asyncio.create_task(made.upload([lines(900)], Ndjson(None)).run())
            await asyncio.to_thread(some_wait, redis)
            set_back(redis, how)
            position = await made.log.say(SOMEBODY)
            if taken_by == "a worker":
                redis.set(keys.done(0), position.stream_id)
            with pytest.raises(Broken) as broken:
                await running
            assert isinstance(broken.value.__cause__, Lost)
            assert state_of(redis, IMPORT_ID) in {None, "failed"}
            assert marks_of(on_the_log(redis))[-1] == "failed"
            with applying(redis):
                ended = await made.upload([lines(900)], Ndjson(None)).run()
            assert ended.rows == 900
            assert marks_of(on_the_log(redis))[-2:] == ["resumed", "received"]

    asyncio.run(play())


def test_a_restart_that_loses_nothing_fails_no_upload(valkey_url: str, redis: "Redis") -> None:
    async def play() -> None:
        async with parts(valkey_url) as made, asyncio.timeout(PATIENCE):
            running = asyncio.create_task(made.upload([lines(900)], Ndjson(None)).run())
            await asyncio.to_thread(some_wait, redis)
            redis.hset(keys.head(0), "run_id", "before the restart")
            await made.log.say(SOMEBODY)
            with applying(redis):
                assert (await running).rows == 900

    asyncio.run(play())
    assert len(rows_of(on_the_log(redis))) == 900


def test_who_waits_for_rows_that_are_lost_is_told_so(valkey_url: str, redis: "Redis") -> None:
    async def play() -> None:
        async with asking_client(valkey_url) as client:
            lanes = Lanes(client, 1)
            lanes.put(Position(0, 5, 2), 0)
            lanes.put(Position(0, 5, 3), 0)
            redis.hset(keys.head(0), mapping={"epoch": 6, "n": 1})
            redis.hset(keys.epochs(0), "5", 2)
            redis.set(keys.done(0), "6-1")
            await asyncio.wait_for(lanes.applied([Position(0, 5, 2)]), PATIENCE)
            for lost in itertools.repeat(Position(0, 5, 3), 2):
                with pytest.raises(Lost):
                    await asyncio.wait_for(lanes.applied([lost]), PATIENCE)

    asyncio.run(play())


def test_the_answer_says_that_the_log_lost_rows(api: Api, redis: "Redis") -> None:
    answers: list[httpx.Response] = []

    def send() -> None:
        answers.append(api.client.post("/imports", content=lines(900), headers=NDJSON | KEY))

    upload = threading.Thread(target=send)
    upload.start()
    some_wait(redis)
    set_back(redis, "gone back")
    assert api.client.put("/items/a", json={"name": "A", "price": 1}).status_code == 202
    upload.join(PATIENCE)
    told = refused(answers[0], 503, "upload-failed")
    assert "send the file again under the same Idempotency-Key" in told["detail"]
    with applying(redis):
        answer = api.client.post("/imports", content=lines(900), headers=NDJSON | KEY)
    assert taken(answer)["rows"] == 900
