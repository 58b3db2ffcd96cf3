"""A log that comes back without what it had acknowledged is reported by the API process."""

import shutil

import httpx
import pytest
from redis import Redis

from eventlog import keys
from runtime.positions import Position
from runtime.settings import Settings
from runtime.valkey import running_valkey
from tests.api.conftest import Api, running_api
from tests.api.test_items import LAMP
from tests.waiting import until


def told(redis: "Redis") -> dict[int, int]:
    lost = redis.zrange(keys.lost(0), 0, -1, withscores=True)
    return {int(epoch): int(n) for epoch, n in lost}


def position(answer: httpx.Response) -> Position:
    assert answer.status_code == 202, answer.text
    return Position.from_token(answer.headers["consistency-token"])


def put(api: Api, name: str) -> Position:
    api.until_it_accepts()
    return position(api.client.put(f"/items/{name}", json=LAMP))


def test_a_server_that_came_back_with_an_older_file_is_reported(settings: Settings) -> None:
    folder, copy = settings.data / "valkey", settings.data / "copy"
    with running_api(settings, settings.log_url) as api:
        with running_valkey(settings):
            first = put(api, "a")
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.sock"))
        with running_valkey(settings) as valkey:
            second = [put(api, "b"), put(api, "c")]
            valkey.kill()
            valkey.wait()
        shutil.rmtree(folder)
        copy.rename(folder)
        with running_valkey(settings), Redis.from_url(settings.log_url) as redis:
            third = put(api, "d")
            until(lambda: told(redis), 30, "the loss is reported")
            lost = told(redis)

    assert len({first, *second, third}) == 4
    assert third.epoch > second[0].epoch > first.epoch
    assert lost == {second[0].epoch: 2}


def test_a_log_that_was_emptied_is_reported_although_nothing_is_appended(
    settings: Settings, valkey_url: str
) -> None:
    with running_api(settings, valkey_url) as api, Redis.from_url(valkey_url) as redis:
        first = put(api, "a")
        redis.flushall()
        until(lambda: told(redis), 30, "the loss is reported")

        assert told(redis) == {first.epoch: 1}
        assert not redis.exists(keys.head(0))


@pytest.mark.parametrize("lost", ["emptied", "gone back"])
def test_a_log_that_went_back_is_fenced_by_the_next_append(
    settings: Settings, valkey_url: str, lost: str
) -> None:
    with (
        running_api(settings, valkey_url) as api,
        Redis.from_url(valkey_url) as redis,
    ):
        first = put(api, "a")
        earlier = {each: redis.dump(each) for each in redis.keys("*")}
        second = put(api, "b")
        redis.flushall()
        for key, value in earlier.items() if lost == "gone back" else ():
            redis.restore(key, 0, value)
        third = put(api, "c")
        until(lambda: told(redis), 30, "the loss is reported")

        assert third.epoch > first.epoch == second.epoch
        assert third.n == 1
        assert told(redis) == {first.epoch: 2}
