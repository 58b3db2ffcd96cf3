import io
import json
from typing import Any

import httpx
import pytest
from rich.cells import cell_len
from rich.console import Console

from cli.reach import Service
from cli.refusals import UNREACHABLE, WRONG_USAGE, Refusal
from cli.status import print_status, show_status
from cli.tables import Field, show_rows
from runtime.times import now_ms, rfc3339

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
    "pump": "ok",
    "projections": [
        {
            "projection": "items",
            "partition": 0,
            "offset": 12,
            "lag": 0,
            "lag_seconds": 0.0,
            "state": "in step",
            "error": None,
        }
    ],
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

AT_WORK = [
    {
        "name": "vm-1",
        "state": "working",
        "why": None,
        "since": "2026-11-22T08:00:00.000Z",
        "seen": "2026-11-22T08:00:01.000Z",
    }
]


def show(answer: httpx.Response, *, as_json: bool = False) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    show_status(Service("query", "http://127.0.0.1:1"), as_json=as_json, transport=transport)


def test_partitions_projections_and_totals_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show(httpx.Response(200, json=STATUS))
    lines = capsys.readouterr().out.splitlines()
    cells = [line.replace("│", " ").split() for line in lines]
    assert ["0", "1795338094487", "9", "7", "2", "1.2"] in cells
    assert ["1", "1795338094487", "3", "3", "0", "0.0"] in cells
    assert ["items", "0", "12", "0", "0.0", "in", "step", "-"] in cells
    assert "pump: ok" in lines
    assert "totals: events 12, outcomes 10" in lines


def test_what_an_operator_has_to_see_to_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show(httpx.Response(200, json=STATUS))
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "workers: none" in out
    assert "durability: everysec (fsync is required), AOF on, appendfsync everysec" in out
    assert "memory 5 of 1024 MiB, replicas 1" in out
    assert "no command is accepted: fsync is asked for: CONFIG SET appendfsync always" in out
    assert "dead: 2" in out
    assert "parked: 3" in out
    assert "0 1795338000000 4 6 lost 2026-11-22T08:00:00.000Z" in out


def test_nothing_is_cut_or_wrapped_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    worker = {
        "name": f"worker-{'long' * 20}",
        "state": "paused",
        "why": "the disk " * 20,
        "since": "2026-11-22T08:00:00.000Z",
        "seen": "2026-11-22T08:00:01.000Z",
    }
    show(httpx.Response(200, json=STATUS | {"workers": [worker]}))
    lines = capsys.readouterr().out.splitlines()

    assert "name\tstate\twhy\tsince\tseen" in lines
    assert "\t".join(worker.values()) in lines
    (durability,) = [line for line in lines if line.startswith("durability: ")]
    assert durability.endswith("replicas 1")


@pytest.mark.parametrize("width", [40, 80, 81, 200])
def test_on_a_terminal_a_value_that_may_not_fold_is_whole(width: int) -> None:
    name, error = "n" * 50, "[bold] " + "e" * 70
    console = Console(
        file=io.StringIO(), force_terminal=True, width=width, highlight=False, markup=False
    )
    show_rows(console, [Field("name"), Field("error", folds=True)], [(name, error)], "things")
    out = console.file.getvalue()  # type: ignore[attr-defined]

    assert name in out
    assert "…" not in out
    assert "[bold]" in out
    assert ("│" in out) == (width >= 80)


RED = "\x1b[1;31m"


def on_a_terminal(document: dict[str, Any], width: int = 200) -> list[str]:
    """Print it as on a terminal with colours, and return the lines that are red."""
    console = Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system="standard",
        width=width,
        highlight=False,
        markup=False,
    )
    print_status(console, document)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return [line for line in lines if RED in line]


def in_lines(document: dict[str, Any], lines: int | None, width: int = 80) -> list[str]:
    console = Console(
        file=io.StringIO(), force_terminal=True, color_system=None, width=width, highlight=False
    )
    print_status(console, document, lines)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_a_terminal_of_24_lines_has_all_that_an_operator_needs() -> None:
    (view,), partitions = STATUS["projections"], STATUS["partitions"]
    worker = {"name": "vm-1", "state": "working", "why": None} | dict.fromkeys(
        ("since", "seen"), rfc3339(now_ms())
    )
    whole = STATUS | {
        "workers": [worker],
        "partitions": [*partitions, *partitions],
        "projections": [view | {"projection": name} for name in "abcdefgh"],
    }
    assert len(in_lines(whole, None)) > 40
    shown = in_lines(whole, 22)
    assert len(shown) <= 22
    text = "\n".join(shown)
    assert shown[0].startswith("Not well: no command is accepted; 2 dead")
    for each in ("dead: 2", "parked: 3", "durability: ", "totals: ", "│ lost │"):
        assert each in text
    assert "backlog: 4 commands wait, the first for 1.2 s" in shown
    assert shown[-3:] == [
        "workers: 1, all working",
        "partitions: 4, commands wait in 2 of them",
        "views: 8, all in step",
    ]


def test_tables_stay_where_there_is_room_for_them() -> None:
    assert in_lines(STATUS, 40) == in_lines(STATUS, None)


def test_what_is_well_is_not_red() -> None:
    durability = STATUS["durability"] | {"lack": None}
    assert on_a_terminal(STATUS | {"dead": 0, "durability": durability, "workers": AT_WORK}) == []


def test_that_nobody_works_is_red() -> None:
    durability = STATUS["durability"] | {"lack": None}
    red = on_a_terminal(STATUS | {"dead": 0, "durability": durability})
    assert [line.replace(RED, "").removesuffix("\x1b[0m").strip() for line in red] == [
        "Not well: no worker is running",
        "workers: none",
    ]


@pytest.mark.parametrize("width", [200, 40])
def test_a_detached_projection_a_dead_pump_and_dead_commands_are_red(width: int) -> None:
    (sound,) = STATUS["projections"]
    detached = sound | {"projection": "stats", "state": "detached", "error": "KeyError: 'x'"}
    stands = "commands wait in partition 0 and nothing has moved there for 12 s"
    durability = STATUS["durability"] | {"lack": None}
    red = on_a_terminal(
        STATUS
        | {
            "projections": [sound, detached],
            "pump": stands,
            "durability": durability,
            "workers": AT_WORK,
        },
        width,
    )

    told = " ".join(line.replace(RED, "").removesuffix("\x1b[0m").strip() for line in red)
    assert told.startswith(f"Not well: {stands}; 2 dead, 3 more are parked behind ")
    assert "dead: 2 pump: commands wait" in told
    assert "stats" in told
    assert "KeyError: 'x'" in told
    assert "items" not in told


def test_that_memory_is_short_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    short = STATUS["durability"] | {"lack": None, "short_of_memory": True}
    show(httpx.Response(200, json=STATUS | {"durability": short}))
    out = capsys.readouterr().out
    assert "no command is accepted: the memory of the log's Redis is nearly full" in out
    assert "workers: none" in out

    full = short | {"used_memory": 2 << 30}
    show(httpx.Response(200, json=STATUS | {"durability": full}))
    assert "workers: not heard of (Redis is full)" in capsys.readouterr().out


def test_a_service_that_is_there_is_not_told_to_be_started() -> None:
    trouble = {"code": "log-unavailable", "detail": "the log does not answer", "status": 503}
    with pytest.raises(Refusal) as refused:
        show(httpx.Response(503, json=trouble))
    assert str(refused.value) == (
        "http://127.0.0.1:1 answers 503 to /status: the log does not answer"
    )


@pytest.mark.parametrize(
    ("status", "token", "says", "mend"),
    [
        (401, None, "it asks for a token", "set"),
        (401, "eyJ", "the token has expired", "mend"),
        (403, None, "the token has expired", "set"),
        (403, "eyJ", "the token has expired", "mend"),
    ],
)
def test_a_token_that_is_not_taken_is_wrong_usage(
    status: int, token: str | None, says: str, mend: str
) -> None:
    trouble = {"code": "unauthenticated", "detail": "the token has expired", "status": status}
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=trouble))
    service = Service("query", "http://127.0.0.1:1", token=token)
    with pytest.raises(Refusal) as refused:
        show_status(service, as_json=False, transport=transport)
    assert refused.value.code == WRONG_USAGE
    assert str(refused.value) == (
        f"http://127.0.0.1:1 answers {status} to /status: {says}; "
        f"{mend} ITEMLEDGER_TOKEN (`itemledger token create` makes one)"
    )


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


def test_what_is_red_is_no_success() -> None:
    durability = STATUS["durability"] | {"lack": None}
    sound = STATUS | {"dead": 0, "durability": durability, "workers": AT_WORK}

    def code(document: dict[str, Any]) -> int:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=document))
        return show_status(
            Service("query", "http://127.0.0.1:1"), as_json=True, transport=transport
        )

    (view,) = STATUS["projections"]
    assert code(sound) == 0
    assert code(sound | {"dead": 1}) == 1
    assert code(sound | {"pump": "stands still"}) == 1
    assert code(sound | {"projections": [view | {"state": "detached"}]}) == 1
    assert code(sound | {"workers": []}) == 1
    assert code(sound | {"builds": [{"view": "items", "state": "failed"}]}) == 1
    assert code(sound | {"durability": STATUS["durability"]}) == 1


def test_a_terminal_of_80_columns_shows_workers_and_views_as_tables() -> None:
    moment = rfc3339(now_ms() - 150_000)
    worker = {
        "name": "vm-12795-5ccda1",
        "state": "working",
        "why": None,
        "since": moment,
        "seen": moment,
    }
    console = Console(
        file=io.StringIO(), force_terminal=True, width=80, highlight=False, markup=False
    )
    print_status(console, STATUS | {"workers": [worker]})
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "\t" not in shown
    assert "│ vm-12795-5ccda1 │ working │ -   │ 2 min ago │ 2 min ago │" in shown
    assert "│ items      │" in shown


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_broken_by_the_terminal_and_no_word_by_us(width: int) -> None:
    console = Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system=None,
        width=width,
        highlight=False,
        markup=False,
    )
    durability = STATUS["durability"] | {"maxmemory": 6026 << 20}
    (view,) = STATUS["projections"]
    many = STATUS | {
        "durability": durability,
        "projections": [view | {"offset": 1_000_000}],
        "totals": {"events": 1_000_000, "outcomes": 2_000_000},
    }
    print_status(console, many)
    shown = console.file.getvalue()  # type: ignore[attr-defined]

    assert max(map(cell_len, shown.splitlines())) <= width
    words = " ".join(shown.split())
    assert "AOF on, appendfsync everysec, eviction noeviction, memory 5 of 6,026 MiB" in words
    assert "events 1,000,000, outcomes 2,000,000" in words
    assert "1795338094487" in words
    assert ("┃" in shown) == (width >= 80)


def test_numbers_are_as_programs_read_them_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    show(httpx.Response(200, json=STATUS | {"totals": {"events": 1_000_000}}))
    assert "totals: events 1000000" in capsys.readouterr().out.splitlines()
