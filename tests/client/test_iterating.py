"""Pages, the feed, the stream and the export: everything once, in order, and no more than asked."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itemledger_client import BrokenOff, Invalid, NotUnderstood, TooManyRequests, Unreachable
from itemledger_client.transport import Lines
from tests.client.driving import KINDS, Driven, Kind, Pieces, Reply, item, problem

both = pytest.mark.parametrize("kind", KINDS)
CHANGES = "http://query.test/changes?after=7-9.sig%2B"


def change(number: int, **members: Any) -> dict[str, Any]:
    return {
        "cursor": f"c{number}",
        "partition": 0,
        "offset": number,
        "item_id": f"item-{number}",
        "version": 1,
        "type": "ItemRenamed",
        "data": {"name": "A\u2028B\x85C"},
        "command_id": "c",
        "actor": "rosa",
        "reason": None,
        "recorded_at": "2026-11-22T08:00:00.000Z",
        "effective_at": "2026-11-22T08:00:00.000Z",
        "schema": None,
        **members,
    }


def frames(*numbers: int) -> bytes:
    """Write changes as the service streams them, with a heartbeat between them."""
    heartbeat = ":\n\nid: h\n\n"
    told = [f"id: c{n}\ndata: {json.dumps(change(n), ensure_ascii=False)}\n\n" for n in numbers]
    return f"retry: 1000\n\n{heartbeat.join(told)}".encode()


def streamed(*pieces: bytes, breaks: Exception | None = None) -> httpx.Response:
    return httpx.Response(200, stream=Pieces(pieces, breaks))


@both
def test_a_list_is_read_to_its_end_page_by_page(kind: Kind) -> None:
    pages = [(["a", "b"], "n1"), ([], "n2"), (["c"], None)]
    told = [{"items": [item(id=each) for each in ids], "next": after} for ids, after in pages]
    client = Driven(kind, [httpx.Response(200, json=each) for each in told])
    found = client("items", price_min=100, include_deleted=True, sort="-price", limit=2)
    assert [each.id for each in found] == ["a", "b", "c"]
    asked = [dict(each.url.params) for each in client.played.asked]
    filters = {"price_min": "100", "include_deleted": "true", "sort": "-price", "limit": "2"}
    assert asked == [filters, filters | {"cursor": "n1"}, filters | {"cursor": "n2"}]


@both
def test_a_page_is_asked_for_when_it_is_needed(kind: Kind) -> None:
    page = {"items": [item(id="a"), item(id="b")], "next": "n"}
    client = Driven(kind, lambda _: httpx.Response(200, json=page))
    assert len(client("items", first=2)) == 2
    assert len(client.played.asked) == 1
    assert len(client("items", first=3)) == 3
    assert len(client.played.asked) == 3


@both
def test_a_page_that_fails_in_passing_is_asked_for_again(kind: Kind) -> None:
    one = httpx.Response(200, json={"items": [item(id="a")], "next": "n"})
    other = httpx.Response(200, json={"items": [item(id="b")], "next": None})
    busy = problem(503, "database-unavailable", {"Retry-After": "1"})
    client = Driven(kind, [one, busy, httpx.ReadTimeout(""), other])
    assert [each.id for each in client("items")] == ["a", "b"]


@both
def test_changes_are_read_up_to_the_head(kind: Kind) -> None:
    def page(*numbers: int, after: str, behind: int) -> httpx.Response:
        told = [change(each) for each in numbers]
        return httpx.Response(200, json={"changes": told, "next": after, "behind": behind})

    pages = [
        page(1, after="n1", behind=9),
        page(after="n2", behind=1),
        page(2, after="e", behind=0),
    ]
    client = Driven(kind, pages)
    found = client("changes", after="n0", types=["ItemRenamed"])
    assert [each.offset for each in found] == [1, 2]
    asked = [each.url.params["after"] for each in client.played.asked]
    assert asked == ["n0", "n1", "n2"]


@both
def test_who_polls_waits_at_the_head_and_rests_where_too_many_wait(kind: Kind) -> None:
    def play(request: httpx.Request) -> Reply:
        number = len(client.played.asked)
        found = [change(number)] if number == 4 else []
        heeded = {} if number == 2 else {"Preference-Applied": "wait=20"}
        document = {"changes": found, "next": f"n{number}", "behind": 0}
        return httpx.Response(200, json=document, headers=heeded)

    client = Driven(kind, play)
    assert [each.offset for each in client("poll", after="head", first=1)] == [4]
    assert client.played.sent("Prefer") == ["wait=20"] * 4
    assert [each.url.params["after"] for each in client.played.asked] == ["head", "n1", "n2", "n3"]
    assert client.pauses == [1.0]


@both
def test_a_stream_that_breaks_goes_on_where_it_was(kind: Kind) -> None:
    broken = frames(1, 2) + b'id: c3\ndata: {"cursor'
    client = Driven(
        kind,
        [
            streamed(broken, breaks=httpx.ReadError("cut")),
            httpx.ConnectError("refused"),
            problem(503, "too-many-followers", {"Retry-After": "5"}),
            streamed(frames(3), b"id: h3\n\n"),
            streamed(frames(4)),
        ],
    )
    found = client("follow", after="c0", first=4)
    assert [each.offset for each in found] == [1, 2, 3, 4]
    assert found[0].data == {"name": "A\u2028B\x85C"}
    # A heartbeat moves it past what a filter leaves out.
    assert client.played.sent("Last-Event-ID") == [None, "c2", "c2", "c2", "h3"]


@both
def test_a_stream_that_is_refused_ends(kind: Kind) -> None:
    client = Driven(kind, [problem(400, "bad-parameter")])
    with pytest.raises(Invalid):
        client("follow", after="nonsense")
    with pytest.raises(NotUnderstood):
        Driven(kind, [streamed(b"id: c1\ndata: {}\n\n")])("follow")
    away = Driven(kind, lambda _: httpx.ConnectError("refused"), patience=3)
    with pytest.raises(Unreachable):
        away("follow")


@given(
    cuts=st.lists(st.integers(0, 2500), max_size=6),
    size=st.integers(1, 700),
    numbers=st.integers(1, 9),
)
def test_wherever_a_stream_is_cut_nothing_is_missed_and_nothing_comes_twice(
    cuts: list[int], size: int, numbers: int
) -> None:
    left = iter([*cuts, None])

    def play(request: httpx.Request) -> Reply:
        last = request.headers.get("Last-Event-ID", "c0")
        # A heartbeat of the middle does not say where it is: whoever has it has what is before it.
        begins = int(last[1:])
        whole = b"".join(
            b"id: c%d\ndata: %b\n\n:\n\n" % (n, json.dumps(change(n), ensure_ascii=False).encode())
            for n in range(begins + 1, numbers + 1)
        )
        cut = whole[: next(left, None)]
        pieces = [cut[at : at + size] for at in range(0, len(cut), size)]
        return streamed(*pieces, breaks=httpx.ReadError("cut"))

    client = Driven("blocking", play)
    found = client("follow", first=numbers)
    assert [each.offset for each in found] == list(range(1, numbers + 1))


@given(st.lists(st.text(alphabet="a\u2028\x85\x0b\r☀", max_size=5), max_size=6), st.integers(1, 7))
def test_lines_are_cut_at_line_feeds_alone_however_they_come(texts: list[str], size: int) -> None:
    whole = "".join(f"{each}\n" for each in texts).encode() + b"cut o"
    cutter, found = Lines(), list[bytes]()
    for at in range(0, len(whole), size):
        cutter.take(whole[at : at + size])
        while (line := cutter.next()) is not None:
            found.append(line)
    assert found == [each.removesuffix("\r").encode() for each in texts]


def exporting(
    count: int, *items: dict[str, Any], breaks: Exception | None = None
) -> httpx.Response:
    lines = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in items).encode()
    headers = {"Export-Items": str(count), "Link": f'<{CHANGES}>; rel="changes"'}
    return httpx.Response(200, headers=headers, stream=Pieces([lines], breaks))


@both
def test_an_export_says_how_many_there_are_and_where_the_feed_goes_on(kind: Kind) -> None:
    client = Driven(kind, [exporting(2, item(id="a", name="A\u2028B"), item(id="b"))])
    count, cursor, found = client.exported()
    assert (count, cursor) == (2, "7-9.sig+")
    assert [each.id for each in found] == ["a", "b"]
    assert found[0].name == "A\u2028B"


@both
@pytest.mark.parametrize("breaks", [None, httpx.ReadError("cut")])
def test_an_export_that_ends_early_is_not_taken_for_whole(
    kind: Kind, breaks: Exception | None
) -> None:
    client = Driven(kind, [exporting(3, item(id="a"), breaks=breaks)])
    with pytest.raises(BrokenOff, match="after 1 of 3 items"):
        client.exported()


@both
def test_an_export_waits_for_its_turn_and_is_refused_as_anything_else(kind: Kind) -> None:
    busy = problem(503, "too-many-exports", {"Retry-After": "5"})
    client = Driven(kind, [busy, exporting(0)])
    assert client.exported() == (0, "7-9.sig+", [])
    with pytest.raises(TooManyRequests):
        Driven(kind, [problem(429, "rate-limited")], patience=0).exported()
    with pytest.raises(NotUnderstood):
        Driven(kind, [httpx.Response(200, text="<html>")]).exported()
