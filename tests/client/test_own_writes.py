"""Reads that carry the tokens of the client's own writes."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itemledger_client import CommandLost, NotFound, PreconditionFailed, ProjectionBehind
from tests.client.driving import KINDS, Driven, Kind, Reply, created, item, problem

both = pytest.mark.parametrize("kind", KINDS)

EMPTY = {"items": [], "next": None}


def of_items(tokens: dict[str, str], answer: Callable[[httpx.Request], Reply] | None = None) -> Any:
    """Play a service that gives each item's writes a token."""

    def play(request: httpx.Request) -> Reply:
        path = request.url.path
        if request.method != "GET":
            item_id = path.split("/")[2]
            return created(tokens[item_id], id=item_id)
        if answer is not None:
            return answer(request)
        return httpx.Response(200, json=EMPTY if path == "/items" else item(id=path.split("/")[2]))

    return play


def write(client: Driven, *item_ids: str) -> None:
    for each in item_ids:
        client("put", each, name="Lamp", price=1)


def carried(client: Driven) -> list[tuple[str, str | None]]:
    return [
        (each.url.path, each.headers.get("Consistency-Token"))
        for each in client.played.asked
        if each.method == "GET"
    ]


@both
def test_who_has_written_nothing_reads_without_a_token(kind: Kind) -> None:
    client = Driven(kind, of_items({}))
    client("item", "a")
    assert carried(client) == [("/items/a", None)]
    assert client.played.sent("Prefer") == [None]


@both
def test_an_item_is_read_with_the_last_token_of_its_partition(kind: Kind) -> None:
    client = Driven(kind, of_items({"a": "0.7.1", "b": "1.7.9", "c": "0.7.2"}))
    write(client, "a", "b", "c")
    client("item", "a")
    assert carried(client) == [("/items/a", "0.7.2")]
    assert client.played.sent("Prefer")[-1] == "wait=10, handling=strict"


@both
def test_a_list_has_the_writes_of_all_partitions_and_asks_for_each_once(kind: Kind) -> None:
    client = Driven(kind, of_items({"a": "0.7.1", "b": "1.7.9", "c": "2.7.3"}))
    write(client, "a", "b", "c")
    client("page", limit=50)
    client("page", limit=50)
    assert carried(client) == [("/items", each) for each in ("0.7.1", "1.7.9", "2.7.3", "2.7.3")]
    asked = [each.url.params["limit"] for each in client.played.asked if each.method == "GET"]
    assert asked == ["1", "1", "50", "50"]


@both
def test_no_kind_of_list_relies_on_what_another_has_seen(kind: Kind) -> None:
    client = Driven(kind, of_items({"a": "0.7.1", "b": "1.7.9"}))
    write(client, "a", "b")
    asked: list[dict[str, Any]] = [{}, {"q": "lamp"}]
    past = [{**each, "as_of": "2026-11-01T00:00:00Z"} for each in asked]
    for each in (*asked, *past):
        client("page", **each)
    assert [token for _, token in carried(client)] == ["0.7.1", "1.7.9"] * 4


@both
def test_an_earlier_token_does_not_take_the_place_of_a_later_one(kind: Kind) -> None:
    # A repeated write, or one of two threads: its token comes late.
    client = Driven(kind, of_items({"a": "0.10.2", "b": "0.9.77", "c": "0.10.1"}))
    write(client, "a", "b", "c")
    client("item", "b")
    assert carried(client) == [("/items/b", "0.10.2")]


@both
def test_a_refused_write_is_read_behind_too(kind: Kind) -> None:
    refused = problem(412, "precondition-failed", {"Consistency-Token": "0.7.5"})
    client = Driven(kind, [refused, httpx.Response(200, json=item())])
    with pytest.raises(PreconditionFailed):
        client("patch", "lamp-1", price=1, if_version=1)
    client("item", "lamp-1")
    assert carried(client) == [("/items/lamp-1", "0.7.5")]


@both
def test_tokens_are_handed_to_another_client(kind: Kind) -> None:
    client = Driven(kind, of_items({"a": "0.7.1", "b": "1.7.9"}))
    write(client, "a", "b")
    other = Driven(kind, of_items({}), tokens=client.catalogue.tokens)
    other("item", "a")
    # It does not know whose partition is whose, and asks for both.
    assert [token for _, token in carried(other)] == ["0.7.1", "1.7.9"]


@both
def test_changes_are_asked_for_again_and_not_waited_for_at_the_head(kind: Kind) -> None:
    behind = iter([problem(503, "projection-behind", {"Retry-After": "1"})])
    page = httpx.Response(200, json={"changes": [], "next": "n", "behind": 0})
    client = Driven(kind, of_items({"a": "0.7.1"}, lambda _: next(behind, page)))
    write(client, "a")
    assert client("changes") == []
    assert client.played.sent("Prefer") == [None, "handling=strict", "handling=strict"]
    assert client.played.sent("Consistency-Token") == [None, "0.7.1", "0.7.1"]


@both
def test_what_is_not_there_in_time_is_asked_for_again_and_then_told(kind: Kind) -> None:
    behind = problem(503, "projection-behind", {"Retry-After": "1", "Projection-Lag": "2.000"})
    client = Driven(kind, of_items({"a": "0.7.1"}, lambda _: behind), patience=5)
    write(client, "a")
    with pytest.raises(ProjectionBehind):
        client("item", "a")
    assert len(carried(client)) > 2


@both
def test_lenient_reads_take_what_is_older_and_do_not_count_it_as_seen(kind: Kind) -> None:
    def answer(request: httpx.Request) -> Reply:
        return httpx.Response(200, json=EMPTY, headers={"Projection-Lag": "0.500"})

    tokens = {"a": "0.7.1", "b": "1.7.9"}
    client = Driven(kind, of_items(tokens, answer), own_writes="lenient")
    write(client, "a", "b")
    assert client("page").members == ()
    client("page")
    assert [token for _, token in carried(client)] == ["0.7.1", "1.7.9"] * 2
    assert client.played.sent("Prefer")[-1] == "wait=10, handling=lenient"


@both
def test_who_does_not_care_sends_none(kind: Kind) -> None:
    client = Driven(kind, of_items({"a": "0.7.1"}), own_writes="ignore")
    write(client, "a")
    client("item", "a")
    assert carried(client) == [("/items/a", None)]


@both
def test_a_lost_write_is_told_once_and_then_reads_go_on(kind: Kind) -> None:
    def answer(request: httpx.Request) -> Reply:
        lost = "Consistency-Token" in request.headers
        return problem(409, "command-lost") if lost else httpx.Response(200, json=item())

    client = Driven(kind, of_items({"a": "0.7.1"}, answer))
    write(client, "a")
    with pytest.raises(CommandLost):
        client("item", "a")
    assert client("item", "a").name == "Lamp"
    assert client.catalogue.tokens == ()


@both
def test_an_item_that_is_not_there_is_no_reason_to_forget(kind: Kind) -> None:
    client = Driven(kind, of_items({"a": "0.7.1"}, lambda _: problem(404, "item-not-found")))
    write(client, "a")
    with pytest.raises(NotFound):
        client("item", "a")
    assert client.catalogue.tokens == ("0.7.1",)


STEP = st.tuples(st.sampled_from(["write", "item", "list", "search"]), st.integers(0, 11))


@given(st.lists(STEP, max_size=30), st.integers(1, 5))
def test_no_read_is_behind_the_writes_before_it(steps: list[tuple[str, int]], count: int) -> None:
    """The service has several partitions, each of which has taken nothing but what a read has
    waited for.
    """
    last: dict[int, int] = defaultdict(int)
    taken: dict[tuple[str, int], int] = defaultdict(int)

    def play(request: httpx.Request) -> Reply:
        path, token = request.url.path, request.headers.get("Consistency-Token")
        if request.method == "PUT":
            item_id = path.split("/")[2]
            partition = int(item_id) % count
            last[partition] += 1
            return created(f"{partition}.1.{last[partition]}", id=item_id)
        what = "item" if path != "/items" else "search" if "q" in request.url.params else "list"
        if token is not None:
            partition, _, place = map(int, token.split("."))
            taken[what, partition] = max(place, taken[what, partition])
        return httpx.Response(200, json=EMPTY if path == "/items" else item())

    client, wrote = Driven("blocking", play), dict[int, int]()
    for kind, number in steps:
        match kind:
            case "write":
                client("put", str(number), name="Lamp", price=1)
                wrote[number] = last[number % count]
            case "item":
                client("item", str(number))
                if number in wrote:
                    token = client.played.sent("Consistency-Token")[-1] or ""
                    partition, _, place = map(int, token.split("."))
                    assert partition == number % count
                    assert place >= wrote[number]
            case _:
                client("page", **({"q": "lamp"} if kind == "search" else {}))
                assert all(taken[kind, each] == place for each, place in last.items())
