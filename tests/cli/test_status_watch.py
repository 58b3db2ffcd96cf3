import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from rich.console import Console

from cli.reach import Service
from cli.refusals import UNREACHABLE, WRONG_USAGE, Refusal
from cli.status_watch import watch_status
from tests.cli.screens import on_screen

SERVICE = Service("query", "http://127.0.0.1:1", token="eyJ")  # noqa: S106


def status(dead: int) -> httpx.Response:
    return httpx.Response(200, json={"partitions": [], "dead": dead})


def away() -> httpx.Response:
    raise httpx.ConnectError("connection refused")


def watch(
    *answers: Callable[[], httpx.Response], as_json: bool = False, console: Console | None = None
) -> None:
    """Watch until all answers are given; whoever watches ends it then."""
    left = list(answers)
    transport = httpx.MockTransport(lambda _: left.pop(0)())

    def wait(_: float) -> None:
        if not left:
            raise KeyboardInterrupt

    watch_status(SERVICE, as_json=as_json, transport=transport, console=console, wait=wait)
    assert left == []


def test_in_a_pipe_every_look_follows_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    watch(lambda: status(0), lambda: status(1), lambda: status(2))
    lines = capsys.readouterr().out.splitlines()

    assert [line for line in lines if line.startswith("dead")] == ["dead: 0", "dead: 1", "dead: 2"]
    assert sum(line.startswith(f"{SERVICE.url} at ") for line in lines) == 3
    assert not any("\x1b" in line for line in lines)


def test_a_service_that_goes_away_is_said_to_be_and_watched_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trouble = httpx.Response(503, json={"code": "log-unavailable", "detail": "the log is away"})
    watch(lambda: status(4), away, lambda: trouble, lambda: status(5))
    blocks = capsys.readouterr().out.strip().split("\n\n")

    assert len(blocks) == 4
    assert f"cannot reach {SERVICE.url} (connection refused)" in blocks[1]
    assert "What follows is of " in blocks[1]
    assert "dead: 4" in blocks[1]
    assert "answers 503 to /status: the log is away" in blocks[2]
    assert "dead: 5" in blocks[3]


def test_on_a_terminal_it_is_shown_in_one_place_and_the_last_of_it_stays_whole() -> None:
    console = Console(
        file=io.StringIO(),
        force_terminal=True,
        width=80,
        height=6,
        highlight=False,
        markup=False,
    )
    gaps = [{"first": n} for n in range(1, 10)]
    long: Any = {"partitions": [], "dead": 1, "gaps": gaps}
    watch(lambda: status(0), lambda: httpx.Response(200, json=long), console=console)
    written = console.file.getvalue()  # type: ignore[attr-defined]
    begin_of_line_above = "\x1b[1A"

    assert written.count("dead: 0") == 1
    assert begin_of_line_above in written
    last = written[written.rindex(SERVICE.url) :]
    assert all(f" {n} " in last for n in range(1, 10))
    assert "…" not in last


def test_on_a_terminal_nothing_is_left_above_the_last_of_it() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=8)
    gaps = [{"first": n} for n in range(1, 30)]
    document: Any = {"partitions": [], "dead": 1, "gaps": gaps}
    watch(lambda: httpx.Response(200, json=document), console=console)
    left = on_screen(console.file.getvalue(), console.height)  # type: ignore[attr-defined]
    assert sum(SERVICE.url in line for line in left) == 1
    assert left[0].startswith(SERVICE.url)
    assert sum("dead: 1" in line for line in left) == 1
    assert any(" 29 " in line for line in left)
    assert not any("…" in line for line in left)


def test_as_json_every_look_is_a_line_and_trouble_is_told_beside_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    watch(lambda: status(0), away, lambda: status(1), as_json=True)
    told = capsys.readouterr()

    assert [json.loads(line)["dead"] for line in told.out.splitlines()] == [0, 1]
    assert "cannot reach" in told.err


def test_what_can_not_be_reached_at_first_is_not_waited_for() -> None:
    with pytest.raises(Refusal, match="itemledger up") as refused:
        watch(away)
    assert refused.value.code == UNREACHABLE


def test_a_token_that_is_not_taken_any_more_ends_it() -> None:
    expired = httpx.Response(401, json={"code": "unauthenticated", "detail": "it has expired"})
    with pytest.raises(Refusal, match="it has expired") as refused:
        watch(lambda: status(0), lambda: expired)
    assert refused.value.code == WRONG_USAGE
