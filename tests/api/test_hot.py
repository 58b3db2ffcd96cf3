"""What is answered in front of the framework is what the framework would have answered."""

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from domain.commands import CreateItem, PatchItem, ReplaceItem
from eventlog.codec import decode
from eventlog.envelope import Envelope, Pack
from eventlog.reader import LogReader
from runtime.positions import Position
from runtime.settings import Settings
from tests.api.conftest import Api, configured, running_api
from tests.tokens import bearer, guard

LAMP = b'{"name": " Elegant Lamp ", "description": null, "price": 4495, "reason": "new"}'
JSON = {"Content-Type": "application/json"}
# A header that nobody knows is handed on to the framework.
ASIDE = {"X-Unknown": "1"}
_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_MADE = re.compile(rb"\b[0-9a-f]{32}\b")
ROWS = [
    b'{"op": "put", "id": "lamp", "name": " Elegant Lamp ", "price": 4495, "reason": "new"}',
    b'{"op": "create", "name": "A rug", "description": null, "price": 1, "currency": "USD"}',
    b'{"op": "create", "id": "rug", "name": "A rug", "description": "red", "price": 1}',
    b'{"op": "patch", "id": "lamp", "description": null}',
    b'{"op": "patch", "id": "lamp", "price": 7, "currency": "USD", "if_version": 3}',
    b'{"op": "delete", "id": "lamp", "reason": ""}',
]
BAD_ROWS = [
    b"7",
    b"{}",
    b'{"op": "put", "id": "-", "name": "x", "price": 1}',
    b'{"op": "put", "id": "a", "name": "x", "price": 1.0}',
    b'{"op": "put", "id": "a", "name": "x", "price": NaN}',
    b'{"op": "put", "id": "a", "name": "\\ud800", "price": 1}',
    b'{"op": "put", "id": "a", "name": "x", "price": 1, "effective_at": "2010-12-01T08:26:00Z"}',
    b'{"op": "put", "id": "a", "name": "x", "price": 1, "effective_at": null, "colour": 1}',
]


def batch(*rows: bytes, around: bytes = b"") -> bytes:
    return b'{"commands": [%s]%s}' % (b", ".join(rows), around)


BATCHES = [
    batch(*ROWS),
    batch(*ROWS, around=b', "reason": "all of them"'),
    batch(*ROWS, around=b', "atomic": false'),
    batch(*ROWS, around=b', "atomic": true'),
    batch(*ROWS, around=b', "atomic": 0'),
    batch(*ROWS, around=b', "more": 0'),
    *(batch(ROWS[0], each, ROWS[1]) for each in BAD_ROWS),
    *(batch(each) for each in BAD_ROWS),
    batch(),
    batch(*ROWS[:1] * 1000),
    batch(*ROWS[:1] * 1001),
    batch(ROWS[1], around=b" " * 100_000),
    batch(ROWS[1], around=b" " * 8 * 1024 * 1024),
]
_TOKEN = re.compile(rb"\b0\.[0-9]+\.[0-9]+\b")

PATHS = [
    ("POST", "/items"),
    ("POST", "/items/"),
    ("POST", "/items?reason=x"),
    ("POST", "/items/lamp"),
    ("PUT", "/items/lamp"),
    ("PUT", "/items/lamp/"),
    ("PUT", "/items/lamp?x=1"),
    ("PUT", "/items/-lamp"),
    ("PUT", "/items/%6Camp"),
    ("PUT", "/items/la%2Fmp"),
    ("PUT", "/items/lamp%C3%A9"),
    ("PUT", "/items/"),
    ("PUT", "/items/batch"),
    ("PATCH", "/items/lamp"),
    ("DELETE", "/items/lamp"),
    ("GET", "/items/lamp"),
    ("HEAD", "/items/lamp"),
    ("OPTIONS", "/items/lamp"),
    ("PATCH", "/items"),
]
BODIES = [
    LAMP,
    b"",
    b"{",
    LAMP + b" " * 1024 * 1024,
    b"[]",
    b"null",
    b"{}",
    b'{"name": "", "price": 1}',
    b'{"name": "x", "price": 1.5}',
    b'{"name": "x", "price": 1, "nope": 1}',
    b'{"name": "x", "price": NaN}',
    b'{"name": "x", "price": 1, "price": 2}',
    b'{"name": "x", "price": 1, "currency": "ZZZ"}',
    b'{"name": "\\ud800", "price": 1}',
    b'{"name": "\xff", "price": 1}',
    b'\xef\xbb\xbf{"name": "x", "price": 1}',
    b'{"name": "' + b"x" * 201 + b'", "price": 1}',
    b'{"name": "x", "price": 1, "description": "' + b"y" * 1024 * 1024 + b'"}',
]
HEADERS: list[Mapping[str, str]] = [
    {},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json; charset=utf-8"},
    {"Content-Type": "application/merge-patch+json"},
    {"Content-Type": "Application/JSON"},
    {"Content-Encoding": "gzip"},
    {"Idempotency-Key": "a key"},
    {"Idempotency-Key": ""},
    {"Idempotency-Key": "k" * 256},
    {"Prefer": "respond-async"},
    {"Prefer": "return=minimal"},
    {"If-Match": '"1"'},
    {"If-Match": "nonsense"},
    {"If-None-Match": "*"},
    {"Command-Deadline": "2030-01-01T00:00:00Z"},
    {"Command-Deadline": "soon"},
    {"Consistency-Token": "0.1.1"},
    {"Origin": "http://query.test"},
    {"Origin": "https://evil.example"},
    {"Host": "evil.example"},
    {"traceparent": "00-" + "0" * 31 + "1-" + "0" * 15 + "1-01"},
    {"traceparent": "nonsense"},
    {"traceparent": "00-" + "0" * 32 + "-" + "1" * 16 + "-01"},
    {"X-Request-ID": "no request id"},
    {"Authorization": "Bearer nothing"},
    {"User-Agent": "u" * 40_000},
    {"Accept": "text/html", "Accept-Language": "de", "X-Request-ID": "7"},
]


def told(answer: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """All of an answer, with what is new each time made alike."""

    def alike(text: bytes) -> bytes:
        return _TOKEN.sub(b"TOKEN", _MADE.sub(b"ID", _ID.sub(b"ID", text)))

    headers = [(name, alike(value)) for name, value in answer.headers.raw]
    lengths = {b"content-length"} if answer.status_code == httpx.codes.ACCEPTED else set[bytes]()
    kept = [(name, b"" if name in lengths else value) for name, value in headers]
    return answer.status_code, kept, alike(answer.content)


def ask(api: Api, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Any:
    return told(api.client.request(method, path, content=body, headers={**JSON, **headers}))


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_every_path_is_answered_alike(api: Api, method: str, path: str) -> None:
    mine = ask(api, method, path, LAMP, {})
    assert mine == ask(api, method, path, LAMP, ASIDE)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_every_body_and_header_is_answered_alike(api: Api, method: str) -> None:
    path = "/items" if method == "POST" else "/items/lamp"
    for body in BODIES:
        assert ask(api, method, path, body, {}) == ask(api, method, path, body, ASIDE), body[:60]
    for headers in HEADERS:
        mine = ask(api, method, path, LAMP, headers)
        assert mine == ask(api, method, path, LAMP, {**headers, **ASIDE}), headers


def test_every_batch_is_answered_alike(api: Api) -> None:
    path = "/items/batch"
    for body in (*BATCHES, *BODIES):
        mine = ask(api, "POST", path, body, {})
        assert mine == ask(api, "POST", path, body, ASIDE), body[:200]
    for headers in HEADERS:
        mine = ask(api, "POST", path, BATCHES[0], headers)
        assert mine == ask(api, "POST", path, BATCHES[0], {**headers, **ASIDE}), headers


@pytest.fixture
def without_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """The routes of the framework can read no body."""

    async def broken(*_: object) -> None:
        raise AssertionError("the framework was asked")

    monkeypatch.setattr("api.routes.items.read_body", broken)
    monkeypatch.setattr("api.routes.batch.read_body", broken)


@pytest.mark.usefixtures("without_framework")
def test_plain_commands_do_not_come_to_the_framework(api: Api) -> None:
    for method, path in [("POST", "/items"), ("PUT", "/items/a"), ("PATCH", "/items/a")]:
        assert ask(api, method, path, LAMP, {})[0] == 202
        assert ask(api, method, path, LAMP, {"Idempotency-Key": f"k-{method}"})[0] == 202
        assert ask(api, method, path, LAMP, ASIDE)[0] == 500
    for body in (batch(*ROWS), batch(*ROWS[:1] * 1000)):
        assert ask(api, "POST", "/items/batch", body, {})[0] == 202
    assert ask(api, "POST", "/items/batch", batch(*ROWS), ASIDE)[0] == 500


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_key_means_the_same_on_both_ways(api: Api, method: str) -> None:
    path = "/items" if method == "POST" else "/items/lamp"
    for number, (first, again) in enumerate([({}, ASIDE), (ASIDE, {}), ({}, {}), (ASIDE, ASIDE)]):
        key = {"Idempotency-Key": f"key-{number}"}
        accepted, repeated, other = (
            api.client.request(method, path, content=body, headers={**JSON, **key, **way})
            for body, way in [(LAMP, first), (LAMP, again), (b'{"name":"o","price":1}', again)]
        )
        assert (accepted.status_code, repeated.status_code, other.status_code) == (202, 202, 422)
        assert accepted.json() == repeated.json()
        assert "idempotent-replayed" not in accepted.headers
        assert repeated.headers["idempotent-replayed"] == "true"
        assert other.headers["content-type"] == "application/problem+json"
        assert other.headers["x-content-type-options"] == "nosniff"


def test_the_log_is_told_the_same_on_both_ways(api: Api, valkey_url: str, redis: Any) -> None:
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    said = {**JSON, "traceparent": trace, "X-Request-ID": "from-a-proxy"}
    for method, path in [("POST", "/items"), ("PUT", "/items/a"), ("PATCH", "/items/a")]:
        for way in ({}, ASIDE):
            api.client.request(method, path, content=LAMP, headers={**said, **way})
    entries = LogReader(redis, 1).after(Position(0, 0, 0), 100)
    read = [decode(each.body) for each in entries][-6:]
    assert [type(each.command) for each in read if isinstance(each, Envelope)] == [
        *(CreateItem, CreateItem, ReplaceItem, ReplaceItem, PatchItem, PatchItem)
    ]
    for mine, theirs in zip(read[::2], read[1::2], strict=True):
        assert isinstance(mine, Envelope)
        assert isinstance(theirs, Envelope)
        assert (mine.actor, mine.trace, mine.reason, mine.fingerprint, mine.reply_to) == (
            *(theirs.actor, theirs.trace, theirs.reason, theirs.fingerprint, theirs.reply_to),
        )
        assert (mine.trace, mine.request_id) == (trace, theirs.request_id)
        assert mine.request_id == "from-a-proxy"
        assert mine.reason == "new"
        if isinstance(mine.command, ReplaceItem | PatchItem):
            assert mine.command.name == "Elegant Lamp"
            assert mine.command.item_id == theirs.command.item_id


def test_the_log_is_told_the_same_of_a_batch_on_both_ways(
    api: Api, valkey_url: str, redis: Any
) -> None:
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    said = {**JSON, "traceparent": trace}
    for way in ({}, ASIDE):
        body = batch(*ROWS, around=b', "reason": "all"')
        api.client.post("/items/batch", content=body, headers={**said, **way})
    mine, theirs = (decode(each.body) for each in LogReader(redis, 1).after(Position(0, 0, 0), 9))
    assert isinstance(mine, Pack)
    assert isinstance(theirs, Pack)

    def alike(pack: Pack) -> list[Envelope]:
        id_of = pack.rows[1].command.item_id
        return [
            replace(
                each,
                id=each.id.removeprefix(pack.id),
                command=replace(
                    each.command,
                    received_at=0,
                    item_id="new" if each.command.item_id == id_of else each.command.item_id,
                ),
            )
            for each in pack.rows
        ]

    assert alike(mine) == alike(theirs)
    assert mine.fingerprint == theirs.fingerprint == ""
    assert [each.reason for each in mine.rows] == ["new", "all", "all", "all", "all", ""]
    assert {each.trace for each in mine.rows} == {trace}


def test_what_can_not_be_accepted_is_told_alike(api: Api, redis: Any) -> None:
    with configured(redis, maxmemory="1"):
        mine = ask(api, "POST", "/items", LAMP, {})
        assert mine[0] == 503
        assert mine == ask(api, "POST", "/items", LAMP, ASIDE)
        mine = ask(api, "POST", "/items/batch", batch(*ROWS), {})
        assert mine[0] == 503
        assert mine == ask(api, "POST", "/items/batch", batch(*ROWS), ASIDE)


def test_a_defect_is_told_alike(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("eventlog.batcher.Batcher.append", broken)
    mine = ask(api, "POST", "/items", LAMP, {})
    assert mine[0] == 500
    assert mine == ask(api, "POST", "/items", LAMP, ASIDE)


@pytest.fixture
def guarded(settings: Settings, valkey_url: str, redis: Any) -> Generator[Api]:
    with running_api(settings, valkey_url, guard=guard(settings)) as api:
        yield api


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (dict, 401),
        (lambda: bearer("items:write"), 202),
        (lambda: bearer("items:read"), 403),
        (lambda: {"Authorization": "Bearer x"}, 401),
    ],
    ids=["none", "writes", "reads", "forged"],
)
def test_who_may_not_is_refused_alike(
    guarded: Api, sent: Callable[[], Mapping[str, str]], status: int
) -> None:
    headers = sent()
    mine = ask(guarded, "PUT", "/items/lamp", LAMP, headers)
    assert mine == ask(guarded, "PUT", "/items/lamp", LAMP, {**headers, **ASIDE})
    assert mine[0] == status


def test_a_condition_is_wanted_on_both_ways(
    settings: Settings, valkey_url: str, redis: Any
) -> None:
    strict = settings.model_copy(update={"require_if_match": True})
    with running_api(strict, valkey_url) as api:
        assert ask(api, "PUT", "/items/lamp", LAMP, {})[0] == 428
        told_so = api.client.post("/items/batch", content=batch(*ROWS), headers=JSON).json()
        statuses = [each["status"] for each in told_so["results"]]
        assert statuses == ["rejected", *["accepted"] * 2, "rejected", "accepted", "rejected"]
        assert ask(api, "POST", "/items", LAMP, {})[0] == 202


def test_a_limit_holds_for_plain_commands_too(
    settings: Settings, valkey_url: str, redis: Any
) -> None:
    with running_api(settings, valkey_url, rate="2/hour") as api:
        codes = [ask(api, "PUT", "/items/lamp", LAMP, {})[0] for _ in range(3)]
    assert codes == [202, 202, 429]


def test_every_answer_is_counted(api: Api) -> None:
    for way in ({}, ASIDE):
        ask(api, "PUT", "/items/lamp", LAMP, way)
    page = api.client.get("/metrics").text
    counted = [
        line
        for line in page.splitlines()
        if line.startswith("itemledger_http_requests_total")
        and 'route="/items/{item_id}"' in line
        and 'status="202"' in line
    ]
    assert [line.rpartition(" ")[2] for line in counted] == ["2.0"]
