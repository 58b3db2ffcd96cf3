"""Requests that wait, when what they listen to breaks."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.conftest import Service
from tests.api.test_items import LAMP, WAIT
from tests.waiting import until


def listeners(service: Service) -> list[int]:
    clients = service.world.redis.client_list(_type="pubsub")
    return [int(client["id"]) for client in clients]


def test_what_was_told_while_nobody_listened_is_asked_for_again(service: Service) -> None:
    until(lambda: listeners(service), 30, "the api listens")
    with ThreadPoolExecutor(1) as pool, service.resting_worker():
        asked = pool.submit(service.client.put, "/items/a", json=LAMP, headers=WAIT)
        until(service.world.log, 30, "the command is on the log")
        (listener,) = listeners(service)
        service.world.redis.client_kill_filter(_id=listener)
        service.world.drain().partition(0)
        service.works.set()
        answer = asked.result()

    assert answer.status_code == 201


def test_a_notice_that_can_not_be_read_does_not_end_the_listening(service: Service) -> None:
    until(lambda: listeners(service), 30, "the api listens")
    (channel,) = service.world.redis.pubsub_channels("itemledger:outcomes:*")
    for garbage in (b"x", b"[1]", b'[{"id": "a"}]'):
        service.world.redis.publish(channel, garbage)
    answer = service.client.put("/items/a", json=LAMP, headers=WAIT)

    assert answer.status_code == 201


def test_a_connection_that_is_silent_is_made_anew(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.waiting._SILENCE", 0.05)
    monkeypatch.setattr("api.waiting._DEAD_AFTER", 0.2)
    monkeypatch.setattr("redis.asyncio.client.PubSub.ping", _no_answer)
    until(lambda: listeners(service), 30, "the api listens")
    before = listeners(service)
    # Whoever waits for a message now waits with the old patience: end that once.
    service.world.redis.client_kill_filter(_id=before[0])
    until(lambda: set(listeners(service)) - set(before), 30, "the api listens again")
    second = listeners(service)
    until(lambda: set(listeners(service)) - {*before, *second}, 30, "a silent one is left")


async def _no_answer(_: object) -> None:
    """A server that is gone without a word."""
