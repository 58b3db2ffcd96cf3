"""The import against two small services of our own that can be told to misbehave."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.import_file import Wishes, plan_import, run_import
from cli.import_watch import likely_ids
from cli.reach import Service
from cli.refusals import FAILED, INTERRUPTED, UNREACHABLE, WRONG_USAGE, Refusal
from tests.waiting import until

COMMAND, QUERY = "http://127.0.0.1:1", "http://127.0.0.1:2"
ID = "0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a"
FINE: dict[str, Any] = {
    "status": "done",
    "rows": 2,
    "applied": 2,
    "unchanged": 0,
    "rejected": 0,
    "skipped": 0,
    "other": 0,
}
Misbehave = Callable[[int, httpx.Request], httpx.Response | None]


class FakeService:
    """Takes files, and tells of them what it is told to; `misbehave` may answer an upload."""

    def __init__(
        self,
        *told: dict[str, Any],
        rejects: tuple[dict[str, Any], ...] = (),
        misbehave: Misbehave = lambda _number, _request: None,
    ) -> None:
        self.uploads: list[httpx.Request] = []
        self.pauses: list[float] = []
        self._told = list(told) or [FINE]
        self._rejects = rejects
        self._misbehave = misbehave
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/health/live":
            return httpx.Response(200, json={"status": "live"})
        if request.method == "POST":
            request.read()
            self.uploads.append(request)
            answer = self._misbehave(len(self.uploads) - 1, request)
            return answer or httpx.Response(202, json={"import_id": ID, "status": "running"})
        if request.url.path == f"/imports/{ID}/rows":
            assert request.url.params["status"] == "rejected"
            lines = [json.dumps(each, ensure_ascii=False) for each in self._rejects]
            return httpx.Response(200, text="".join(f"{each}\n" for each in lines))
        assert request.url.path == f"/imports/{ID}"
        told = self._told[0] if len(self._told) == 1 else self._told.pop(0)
        return httpx.Response(told.get("answers", 200), json=told)


def written(folder: Path, content: str = '{"id":"a"}\n{"id":"b"}\n') -> Path:
    file = folder / "rows.ndjson"
    file.write_text(content)
    return file


def run(folder: Path, service: FakeService, patience: float = 60.0, **wishes: Any) -> int:
    given = {"key": "k", "rejects": folder / "rejects.ndjson", "patience": patience, **wishes}
    services = (Service("command", COMMAND, token="t"), Service("query", QUERY, token="t"))  # noqa: S106
    plan = plan_import(Wishes(written(folder), **given), *services)
    return run_import(plan, service.transport, service.pauses.append)


def problem(status: int, code: str, headers: dict[str, str] | None = None) -> httpx.Response:
    document = {"status": status, "code": code, "detail": "so it is", "import_id": ID}
    return httpx.Response(status, json=document, headers=headers)


def test_a_file_is_sent_as_it_is_and_what_came_of_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = FakeService()
    assert run(tmp_path, service, columns="id:id", on_error="stop", reason="spring") == 0
    (upload,) = service.uploads
    assert upload.content == b'{"id":"a"}\n{"id":"b"}\n'
    assert upload.headers["Content-Type"] == "application/x-ndjson"
    assert upload.headers["Idempotency-Key"] == "k"
    assert upload.headers["Content-Disposition"] == "attachment; filename*=UTF-8''rows.ndjson"
    assert upload.headers["Authorization"] == "Bearer t"
    assert dict(upload.url.params) == {"map": "id:id", "on_error": "stop", "reason": "spring"}
    told = capsys.readouterr()
    assert told.out.startswith("2 rows: 2 applied, 0 unchanged, 0 rejected; ")
    assert "under the key k" in told.err
    assert not (tmp_path / "rejects.ndjson").exists()


def test_rows_that_are_final_are_told_while_the_file_is_still_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.import_watch._EVERY", 0.001)
    monkeypatch.setattr("cli.import_report._SAY_EVERY", 0)
    (import_id,) = likely_ids("k", None)
    # What stands in the way of one look is no trouble for the next.
    looks = [httpx.Response(503), httpx.Response(200, json={**FINE, "status": "receiving"})]
    said: list[str] = []

    def is_told() -> bool:
        said.append(capsys.readouterr().err)
        return "2 rows, 0 rejected" in "".join(said)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == f"/imports/{import_id}":
            return looks.pop(0) if looks else httpx.Response(200, json=FINE)
        if request.method == "POST":
            until(is_told, 30, "rows are told before all of the file is read")
        return httpx.Response(202, json={"import_id": import_id})

    service = FakeService()
    service.transport = httpx.MockTransport(answer)
    assert run(tmp_path, service) == 0


def test_a_dry_run_says_that_nothing_is_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = FakeService()
    assert run(tmp_path, service, dry=True) == 0
    assert dict(service.uploads[0].url.params) == {"dry_run": "true"}
    told = capsys.readouterr()
    assert told.out.startswith("Dry run, nothing is changed: 2 rows: ")
    assert "The first rows were read as:\n  a\n  b\n" in told.err


def test_it_looks_until_every_row_is_final(tmp_path: Path) -> None:
    unknown = {"answers": 404, "code": "import-not-found", "detail": "not yet"}
    away = {"answers": 503, "code": "database-unavailable", "detail": "away"}
    half = {**FINE, "status": "running", "applied": 1}
    service = FakeService(unknown, away, {**half, "rows": None}, half, FINE)
    assert run(tmp_path, service) == 0
    assert len(service.pauses) == 4


@pytest.mark.parametrize(
    "trouble",
    [
        lambda: problem(503, "upload-failed"),
        lambda: problem(504, "upload-failed"),
        lambda: problem(500, "internal-error"),
        lambda: problem(429, "too-many"),
        lambda: problem(409, "import-running"),
        lambda: httpx.Response(502, text="<html>"),
    ],
    ids=["503", "504", "500", "429", "409 running", "502 of a proxy"],
)
def test_a_file_that_was_not_taken_is_sent_again_under_its_key(
    tmp_path: Path, trouble: Callable[[], httpx.Response]
) -> None:
    service = FakeService(misbehave=lambda number, _: trouble() if number < 3 else None)
    assert run(tmp_path, service) == 0
    assert len({(each.headers["Idempotency-Key"], each.content) for each in service.uploads}) == 1
    assert len(service.uploads) == 4
    assert service.pauses == sorted(service.pauses)


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout, httpx.ConnectError, httpx.RemoteProtocolError, httpx.WriteError]
)
def test_a_file_is_sent_again_where_the_connection_breaks(
    tmp_path: Path, error: type[httpx.TransportError]
) -> None:
    def lose(number: int, _: httpx.Request) -> None:
        if number == 0:
            raise error("gone")

    service = FakeService(misbehave=lose)
    assert run(tmp_path, service) == 0
    assert len(service.uploads) == 2


def test_a_pause_the_service_asks_for_is_kept(tmp_path: Path) -> None:
    service = FakeService(
        misbehave=lambda number, _: problem(503, "x", {"Retry-After": "11"}) if not number else None
    )
    assert run(tmp_path, service) == 0
    assert service.pauses == [11]


def test_rejected_rows_are_written_and_the_first_few_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rejected = tuple(
        {
            "row": row,
            "status": "rejected",
            "item_id": None,
            "problem": {"status": 422, "code": "invalid-body", "detail": f"wrong {row}"},
        }
        for row in range(1, 8)
    )
    service = FakeService({**FINE, "rows": 9, "rejected": 7}, rejects=rejected)
    assert run(tmp_path, service, columns="id:id") == FAILED
    reasons = (tmp_path / "rejects.reasons.ndjson").read_text().splitlines()
    assert [json.loads(each)["row"] for each in reasons] == list(range(1, 8))
    assert (tmp_path / "rejects.ndjson").read_bytes() == (tmp_path / "rows.ndjson").read_bytes()
    told = capsys.readouterr()
    assert "row 5: invalid-body, wrong 5" in told.err
    assert "row 6" not in told.err
    assert f"Rejected rows: {tmp_path}/rejects.ndjson" in told.out
    assert f"What is wrong with each: {tmp_path}/rejects.reasons.ndjson" in told.out
    again = f"itemledger import {tmp_path}/rejects.ndjson --map id:id --patience 60"
    assert f"To send the mended ones: `{again}`" in told.out


def test_where_rejects_can_not_be_written_it_is_said_where_else_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cli.export_file.os.fsync", full)
    problem = {"status": 422, "code": "invalid-body", "detail": "wrong"}
    row = {"row": 1, "status": "rejected", "item_id": None, "problem": problem}
    with pytest.raises(Refusal) as refused:
        run(tmp_path, FakeService({**FINE, "rejected": 1}, rejects=(row,)))
    assert refused.value.code == FAILED
    assert "No space left on device; the import has ended" in str(refused.value)
    assert f"{QUERY}/imports/{ID}/rows?status=rejected" in str(refused.value)
    assert [each.name for each in tmp_path.iterdir()] == ["rows.ndjson"]


def test_rows_that_a_dry_run_rejects_are_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = {"status": 422, "code": "invalid-body", "detail": "wrong"}
    row = {"row": 1, "status": "rejected", "item_id": None, "problem": problem}
    assert run(tmp_path, FakeService({**FINE, "rejected": 1}, rejects=(row,)), dry=True) == FAILED
    again = f"itemledger import {tmp_path}/rejects.ndjson --dry-run --patience 60"
    assert f"To try the mended ones: `{again}`" in capsys.readouterr().out


def test_where_rows_were_skipped_the_whole_file_is_to_be_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = {"status": 422, "code": "invalid-body", "detail": "wrong"}
    row = {"row": 1, "status": "rejected", "item_id": None, "problem": problem}
    stopped = {**FINE, "status": "stopped", "rejected": 1, "skipped": 1}
    assert run(tmp_path, FakeService(stopped, rejects=(row,)), on_error="stop") == FAILED
    told = capsys.readouterr().out
    assert f"Mend them in {tmp_path}/rows.ndjson and import that again" in told
    assert "To send" not in told


def test_a_rejected_id_may_hold_what_separates_lines_elsewhere(tmp_path: Path) -> None:
    problem = {"status": 422, "code": "invalid-body", "detail": "no id"}
    row = {"row": 1, "status": "rejected", "item_id": "a\u2028b\x85c", "problem": problem}
    service = FakeService({**FINE, "rejected": 1}, rejects=(row,))
    assert run(tmp_path, service) == FAILED
    (line,) = (tmp_path / "rejects.reasons.ndjson").read_bytes().removesuffix(b"\n").split(b"\n")
    assert json.loads(line)["id"] == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"status": "cancelled"}, "the import was cancelled"),
        ({"status": "stopped", "skipped": 3}, "3 skipped"),
        ({"other": 1}, "1 set aside for a defect"),
    ],
)
def test_what_did_not_end_well_is_told_and_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], told: dict[str, Any], words: str
) -> None:
    assert run(tmp_path, FakeService({**FINE, **told})) == FAILED
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid-map"),
        (401, "unauthenticated"),
        (403, "insufficient-scope"),
        (409, "import-over"),
        (413, "too-large"),
        (415, "unsupported-media-type"),
        (421, "foreign-host"),
        (422, "invalid-columns"),
    ],
)
def test_a_file_that_is_refused_as_a_whole_is_not_one_with_rejected_rows(
    tmp_path: Path, status: int, code: str
) -> None:
    service = FakeService(misbehave=lambda _number, _: problem(status, code))
    with pytest.raises(Refusal) as refused:
        run(tmp_path, service)
    assert refused.value.code == WRONG_USAGE != FAILED
    (line,) = str(refused.value).splitlines()
    assert "does not take the file: " in line
    assert f"{code}, so it is" in line
    assert not (tmp_path / "rejects.ndjson").exists()
    assert len(service.uploads) == 1


def test_a_service_that_stays_away_ends_the_import_once_patience_is_at_its_end(
    tmp_path: Path,
) -> None:
    service = FakeService(misbehave=lambda _number, _: problem(503, "not-accepted"))
    with pytest.raises(Refusal, match="has not moved on for 0 s") as refused:
        run(tmp_path, service, patience=0)
    assert refused.value.code == UNREACHABLE
    assert "To go on: itemledger import" in str(refused.value)
    assert "--key k" in str(refused.value)


def test_an_import_that_stands_still_ends_once_patience_is_at_its_end(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="the import is running") as refused:
        run(tmp_path, FakeService({**FINE, "status": "running"}), patience=0)
    assert refused.value.code == UNREACHABLE


def test_without_a_service_the_import_ends_soon_and_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.import_file._FIRST_ANSWER", 0.05)

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    service = FakeService()
    service.transport = httpx.MockTransport(refuse)
    with pytest.raises(Refusal) as refused:
        run(tmp_path, service)
    assert refused.value.code == UNREACHABLE
    assert "`itemledger up`" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx.Response(200, text="hello"), "not as itemledger's command API"),
        (httpx.Response(200, json=[]), "not as itemledger's command API"),
        (problem(405, "method-not-allowed"), r"takes no commands \(405\), as the query API"),
    ],
    ids=["text", "another document", "the query API"],
)
def test_another_server_at_the_url_is_told(
    tmp_path: Path, answer: httpx.Response, told: str
) -> None:
    service = FakeService(misbehave=lambda _number, _: answer)
    with pytest.raises(Refusal, match=told) as refused:
        run(tmp_path, service)
    assert refused.value.code == UNREACHABLE
    assert "--command-url" in str(refused.value)
    assert "To go on" not in str(refused.value)


def test_a_charset_is_sent_and_named_as_the_option_where_it_is_not_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    why = "byte 5 of the row is not UTF-8; name another charset in Content-Type"
    row = {
        "row": 2,
        "status": "rejected",
        "item_id": None,
        "problem": {"status": 422, "code": "not-text", "detail": why},
    }
    service = FakeService({**FINE, "rejected": 1}, rejects=(row,))
    assert run(tmp_path, service, charset="windows-1252") == FAILED
    sent = service.uploads[0].headers["Content-Type"]
    assert sent == "application/x-ndjson; charset=windows-1252"
    plainly = why.replace("in Content-Type", "with --charset, such as windows-1252")
    assert f"row 2: not-text, {plainly}" in capsys.readouterr().err
    assert json.loads((tmp_path / "rejects.reasons.ndjson").read_text())["reason"] == plainly


def test_a_file_that_is_not_of_its_charset_is_refused_with_the_option_named(tmp_path: Path) -> None:
    why = "it is not utf-16: truncated data; name another charset in Content-Type"
    told = {"status": 422, "code": "unreadable-upload", "detail": why}
    service = FakeService(misbehave=lambda _number, _: httpx.Response(422, json=told))
    with pytest.raises(Refusal, match="name another charset with --charset"):
        run(tmp_path, service)


def test_more_rows_that_are_final_than_are_counted_are_not_told_as_a_part_of_fewer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.import_report._SAY_EVERY", 0)
    assert run(tmp_path, FakeService({**FINE, "rows": 1, "applied": 41_300})) == 0
    assert "41,300 of 41,300 rows" in capsys.readouterr().err


@pytest.fixture
def heard() -> Iterator[None]:
    """A process in which Ctrl-C does what it does at a terminal, whatever ran here before."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_ends_the_import_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(number: int, _: httpx.Request) -> httpx.Response | None:
        signal.raise_signal(signal.SIGINT)
        return None

    assert run(tmp_path, FakeService(misbehave=interrupt)) == INTERRUPTED
    told = capsys.readouterr().err
    assert "bytes are sent. To go on: " in told
    assert f"itemledger import {tmp_path}/rows.ndjson --key k --rejects" in told
