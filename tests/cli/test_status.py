import json
from typing import Any

import httpx
import pytest

from cli.reach import Service
from cli.refusals import UNREACHABLE, Refusal
from cli.status import show_status

STATUS: dict[str, Any] = {
    "partitions": [
        {
            "partition": 0,
            "epoch": 1795338094487,
            "head": 9,
            "checkpoint": 7,
            "lag": 2,
            "lag_seconds": 1.25,
        },
        {
            "partition": 1,
            "epoch": 1795338094487,
            "head": 3,
            "checkpoint": 3,
            "lag": 0,
            "lag_seconds": 0.0,
        },
    ],
    "projections": [{"projection": "items", "partition": 0, "offset": 12, "lag": 0}],
    "workers": [],
    "totals": {"events": 12, "outcomes": 10},
    "durability": {
        "level": "everysec",
        "required": "fsync",
        "lack": "fsync is asked for: CONFIG SET appendfsync always",
        "appendonly": True,
        "appendfsync": "everysec",
        "eviction": "noeviction",
        "used_memory": 5 << 20,
        "maxmemory": 1 << 30,
        "replicas": 1,
        "wait_replicas": 0,
    },
    "dead": 2,
    "parked": 3,
    "gaps": [
        {
            "partition": 0,
            "epoch": 1795338000000,
            "first": 4,
            "last": 6,
            "kind": "lost",
            "noticed_at": "2026-11-22T08:00:00.000Z",
        }
    ],
}


def show(answer: httpx.Response, *, as_json: bool = False) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    show_status(Service("query", "http://127.0.0.1:1"), as_json=as_json, transport=transport)


def test_partitions_projections_and_totals_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show(httpx.Response(200, json=STATUS))
    lines = capsys.readouterr().out.splitlines()
    cells = [line.replace("│", " ").split() for line in lines]
    assert ["0", "1795338094487", "9", "7", "2", "1.2"] in cells
    assert ["1", "1795338094487", "3", "3", "0", "0.0"] in cells
    assert ["items", "0", "12", "0"] in cells
    assert "totals: events 12, outcomes 10" in lines


def test_what_an_operator_has_to_see_to_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show(httpx.Response(200, json=STATUS))
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "workers: none" in out
    assert "durability: everysec (fsync is required), AOF on, appendfsync everysec" in out
    assert "memory 5 of 1024 MiB, replicas 1" in out
    assert "not enough: fsync is asked for: CONFIG SET appendfsync always" in out
    assert "dead: 2" in out
    assert "parked: 3" in out
    assert "0 1795338000000 4 6 lost 2026-11-22T08:00:00.000Z" in out


def test_as_json_the_document_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show(httpx.Response(200, json=STATUS), as_json=True)
    assert json.loads(capsys.readouterr().out) == STATUS


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(404), httpx.Response(503), httpx.Response(200, text="hello")],
    ids=["404", "503", "no document"],
)
def test_another_answer_is_told_in_one_line(answer: httpx.Response) -> None:
    with pytest.raises(Refusal) as refused:
        show(answer)
    assert refused.value.code == UNREACHABLE
    assert "http://127.0.0.1:1 answers" in str(refused.value)


def test_without_a_service_it_says_how_to_start_one() -> None:
    with pytest.raises(Refusal, match="`itemledger up`") as refused:
        show_status(Service("query", "http://127.0.0.1:1"), as_json=False)
    assert refused.value.code == UNREACHABLE
