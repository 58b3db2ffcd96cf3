"""The import against a small service of our own that can be told to misbehave."""

import asyncio
import json
import signal
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from cli.import_file import plan_import, run_import
from cli.reach import Service
from cli.refusals import FAILED, INTERRUPTED, UNREACHABLE, WRONG_USAGE, Refusal

URL = "http://127.0.0.1:1"
Misbehave = Callable[[int, httpx.Request], httpx.Response | None]


class FakeService:
    """Takes batches as the command API does: each key once. `misbehave` may answer instead."""

    def __init__(self, misbehave: Misbehave = lambda _number, _request: None) -> None:
        self.calls: list[tuple[str, bytes]] = []
        self.taken: list[dict[str, Any]] = []
        self.pauses: list[float] = []
        self.at_once: dict[str, int] = defaultdict(int)
        self._answers: dict[str, list[dict[str, Any]]] = {}
        self._misbehave = misbehave
        self.transport = httpx.MockTransport(self._answer)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def take(self, request: httpx.Request) -> list[dict[str, Any]]:
        """Take a batch, under a known key only as a repetition."""
        key = request.headers["idempotency-key"]
        if key not in self._answers:
            commands = orjson.loads(request.content)["commands"]
            self._answers[key] = [self._row(n, command) for n, command in enumerate(commands)]
        return self._answers[key]

    def _row(self, number: int, command: dict[str, Any]) -> dict[str, Any]:
        if command["price"] == -1:
            errors = [
                {"pointer": f"/commands/{number}/price", "code": "minimum", "detail": "is too low"}
            ]
            problem = {"status": 422, "code": "invalid-body", "detail": "x", "errors": errors}
            return {"row": number, "status": "rejected", "problem": problem}
        if command["price"] == -2:
            problem = {"status": 409, "code": "effective-at-too-early", "detail": "it is later"}
            return {"row": number, "status": "rejected", "problem": problem}
        self.taken.append(command)
        return {"row": number, "status": "unchanged" if command["price"] == 0 else "applied"}

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/health/live":
            return httpx.Response(200, json={"status": "live"})
        assert request.headers["prefer"] == "wait=30"
        number = len(self.calls)
        self.calls.append((request.headers["idempotency-key"], request.content))
        # Lets the other lanes come in between, as a real service does.
        await asyncio.sleep(0)
        answer = self._misbehave(number, request)
        return answer or httpx.Response(200, json={"results": self.take(request)})


def written(folder: Path, rows: list[Any], name: str = "rows.ndjson") -> Path:
    file = folder / name
    file.write_text(
        "".join(each if isinstance(each, str) else json.dumps(each) + "\n" for each in rows)
    )
    return file


def row(item: str, price: int) -> dict[str, Any]:
    return {"id": item, "name": "Lamp", "price": price}


def run(file: Path, service: FakeService, key: str | None = "k", patience: float = 60.0) -> int:
    rejects = file.parent / "rejects.ndjson"
    plan = plan_import(file, Service("command", URL), key, rejects, patience)
    return run_import(plan, service.transport, service.pause)


def rejects(file: Path) -> list[dict[str, Any]]:
    told = file.parent / "rejects.ndjson"
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    return sorted(lines, key=lambda each: each["row"])


def problem(status: int, code: str, headers: dict[str, str] | None = None) -> httpx.Response:
    document = {"status": status, "code": code, "detail": "so it is"}
    return httpx.Response(status, json=document, headers=headers)


def test_every_row_is_taken_once_and_those_of_an_item_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row(f"item-{n % 23}", n + 1) for n in range(9000)]
    service = FakeService()
    assert run(written(tmp_path, rows), service) == 0
    by_item: dict[str, list[int]] = defaultdict(list)
    for command in service.taken:
        assert command["op"] == "put"
        by_item[command["id"]].append(command["price"])
    assert all(prices == sorted(prices) for prices in by_item.values())
    assert sum(map(len, by_item.values())) == 9000
    assert capsys.readouterr().out.startswith("9000 rows: 9000 applied, 0 unchanged, 0 rejected; ")
    assert not (tmp_path / "rejects.ndjson").exists()


@pytest.mark.parametrize(
    "trouble",
    [
        lambda: problem(503, "not-accepted"),
        lambda: problem(504, "outcome-unknown"),
        lambda: problem(500, "internal-error"),
        lambda: problem(429, "too-many"),
        lambda: httpx.Response(502, text="<html>"),
    ],
    ids=["503", "504", "500", "429", "502 of a proxy"],
)
def test_a_batch_that_was_not_answered_well_is_sent_again_as_it_was(
    tmp_path: Path, trouble: Callable[[], httpx.Response]
) -> None:
    service = FakeService(lambda number, _: trouble() if number < 3 else None)
    assert run(written(tmp_path, [row("a", 1), row("a", 2)]), service) == 0
    assert len(service.calls) == 4
    assert len(set(service.calls)) == 1
    assert [command["price"] for command in service.taken] == [1, 2]
    assert service.pauses == sorted(service.pauses)
    assert service.pauses[0] < service.pauses[-1]


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout, httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError]
)
def test_after_a_lost_answer_the_same_bytes_go_under_the_same_key_and_nothing_is_taken_twice(
    tmp_path: Path, error: type[httpx.TransportError]
) -> None:
    service = FakeService()

    def lose(number: int, request: httpx.Request) -> None:
        if number == 0:
            service.take(request)
            raise error("gone")

    service._misbehave = lose
    assert run(written(tmp_path, [row("a", 1), row("a", 2)]), service) == 0
    assert len(service.calls) == 2
    assert len(set(service.calls)) == 1
    assert [command["price"] for command in service.taken] == [1, 2]


@pytest.mark.parametrize(
    "result",
    [
        {"status": "accepted"},
        {"status": "unknown", "problem": {"status": 504, "code": "outcome-unknown", "detail": "?"}},
        {"status": "rejected", "problem": {"status": 503, "code": "not-accepted", "detail": "?"}},
    ],
)
def test_a_row_that_is_not_final_has_its_batch_sent_again_before_the_next_of_its_lane(
    tmp_path: Path, result: dict[str, Any]
) -> None:
    def half(number: int, request: httpx.Request) -> httpx.Response | None:
        if number > 1:
            return None
        count = len(orjson.loads(request.content)["commands"])
        results = [{"status": "applied"}] * (count - 1) + [result]
        return httpx.Response(200, json={"results": results}, headers={"Retry-After": "7"})

    service = FakeService(half)
    assert run(written(tmp_path, [row("a", n + 1) for n in range(1500)]), service) == 0
    assert [key for key, _ in service.calls[:3]] == [service.calls[0][0]] * 3
    assert len(service.calls) == 4
    assert service.calls[3] != service.calls[2]
    assert service.pauses == [7, 7]
    assert [command["price"] for command in service.taken] == list(range(1, 1501))


def test_a_pause_the_service_asks_for_is_kept(tmp_path: Path) -> None:
    service = FakeService(
        lambda number, _: problem(503, "x", {"Retry-After": "11"}) if number == 0 else None
    )
    assert run(written(tmp_path, [row("a", 1)]), service) == 0
    assert service.pauses == [11]


def test_rejected_rows_are_written_with_their_number_id_code_and_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, [row("a", 1), row("b", -1), "nonsense\n", row("c", -2), row("a", 0)])
    (tmp_path / "rejects.ndjson").write_text("of an earlier import\n")
    assert run(file, FakeService()) == FAILED
    bad_line = rejects(file)[1]
    assert rejects(file) == [
        {"row": 2, "id": "b", "code": "invalid-body", "reason": "price: is too low"},
        {"row": 3, "id": None, "code": "not-json", "reason": bad_line["reason"]},
        {"row": 4, "id": "c", "code": "effective-at-too-early", "reason": "it is later"},
    ]
    assert "5 rows: 1 applied, 1 unchanged, 3 rejected;" in capsys.readouterr().out


def test_an_import_under_the_key_of_another_sends_the_same_batches(tmp_path: Path) -> None:
    file = written(tmp_path, [row(f"item-{n % 7}", n + 1) for n in range(3000)])
    service = FakeService()
    assert run(file, service, key="again") == 0
    first, taken = set(service.calls), len(service.taken)
    assert run(file, service, key="again") == 0
    assert set(service.calls) == first
    assert len(service.taken) == taken


def test_without_a_key_every_import_is_a_new_one(tmp_path: Path) -> None:
    file = written(tmp_path, [row("a", 1)])
    service = FakeService()
    assert run(file, service, key=None) == run(file, service, key=None) == 0
    assert len({key for key, _ in service.calls}) == 2


def test_the_key_is_told_at_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(written(tmp_path, [row("a", 1)]), FakeService(), key="my-key")
    assert "under the key my-key" in capsys.readouterr().err


def test_what_the_service_does_not_want_at_all_ends_the_import_and_says_how_to_go_on(
    tmp_path: Path,
) -> None:
    service = FakeService(lambda _number, _: problem(401, "unauthorized"))
    with pytest.raises(Refusal) as refused:
        run(written(tmp_path, [row("a", 1)]), service)
    assert refused.value.code == FAILED
    first, second = str(refused.value).splitlines()
    assert "does not take rows 1 to 1: 401 unauthorized, so it is" in first
    assert f"itemledger import {tmp_path}/rows.ndjson --key k" in second
    assert len(service.calls) == 1


def test_a_service_that_stays_away_ends_the_import_once_patience_is_at_its_end(
    tmp_path: Path,
) -> None:
    service = FakeService(lambda _number, _: problem(503, "not-accepted"))
    with pytest.raises(Refusal, match=r"has not moved on for 0\.05 s") as refused:
        run(written(tmp_path, [row("a", 1)]), service, patience=0.05)
    assert refused.value.code == UNREACHABLE
    assert "--key k" in str(refused.value)


def test_without_a_service_the_import_ends_soon_and_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.import_file._FIRST_ANSWER", 0.05)

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    service = FakeService()
    service.transport = httpx.MockTransport(refuse)
    with pytest.raises(Refusal) as refused:
        run(written(tmp_path, [row("a", 1)]), service)
    assert refused.value.code == UNREACHABLE
    assert URL in str(refused.value)
    assert "`itemledger up`" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, text="hello"), httpx.Response(200, json={"results": []})]
)
def test_another_server_at_the_url_is_told(tmp_path: Path, answer: httpx.Response) -> None:
    service = FakeService(lambda _number, _: answer)
    with pytest.raises(Refusal, match="not as itemledger's command API") as refused:
        run(written(tmp_path, [row("a", 1)]), service)
    assert refused.value.code == UNREACHABLE


def test_the_query_api_at_the_url_is_told(tmp_path: Path) -> None:
    service = FakeService(lambda _number, _: problem(405, "method-not-allowed"))
    with pytest.raises(Refusal, match=r"takes no commands \(405\), as the query API") as refused:
        run(written(tmp_path, [row("a", 1)]), service)
    assert refused.value.code == UNREACHABLE
    assert "--command-url" in str(refused.value)


def test_ctrl_c_ends_the_import_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(number: int, _: httpx.Request) -> httpx.Response | None:
        if number == 2:
            signal.raise_signal(signal.SIGINT)
            return problem(503, "not-accepted")
        return None

    assert threading.current_thread() is threading.main_thread()
    rows = [row("a", n + 1) for n in range(5000)]
    assert run(written(tmp_path, rows), FakeService(interrupt)) == INTERRUPTED
    told = capsys.readouterr().err
    assert "2,000 rows are final" in told
    assert f"itemledger import {tmp_path}/rows.ndjson --key k --rejects" in told


@pytest.mark.parametrize(
    ("url", "key"), [("ftp://127.0.0.1", None), ("127.0.0.1:8000", None), (URL, " ")]
)
def test_wrong_usage_is_told_in_one_line(tmp_path: Path, url: str, key: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        plan_import(tmp_path / "rows", Service("command", url), key, None, 1)
    assert refused.value.code == WRONG_USAGE
    assert len(str(refused.value).splitlines()) == 1


def test_a_folder_is_no_file_to_import(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="is a folder"):
        plan_import(tmp_path, Service("command", URL), None, None, 1)


def test_the_command_to_go_on_repeats_what_was_given(tmp_path: Path) -> None:
    file = tmp_path / "my rows"
    plan = plan_import(file, Service("command", URL, given=True), "k", Path("bad"), 5)
    assert plan.resume == (
        f"itemledger import '{file}' --key k --command-url {URL} --rejects bad --patience 5"
    )
