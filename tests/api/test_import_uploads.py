"""Uploads that go on while something else happens: through a real server, piece by piece."""

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Self

import httpx
import pytest
from redis import Redis

from eventlog import import_state, keys
from eventlog.envelope import ImportMark, RevertRows
from runtime.settings import Settings
from runtime.times import now_ms
from tests.api.importing import (
    KEY,
    LINE,
    NDJSON,
    applying,
    lines,
    marks_of,
    on_the_log,
    refused,
    rows_of,
    state_of,
    taken,
    the_import,
)
from tests.asking import is_ready
from tests.ports import free_port
from tests.runtime.waiting import clean_environment
from tests.waiting import until


@pytest.fixture(scope="module")
def started(valkey_server: Settings) -> Iterator[str]:
    """The URL of a command API of its own process; the log is emptied between tests."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "api"],
        env=clean_environment(
            ITEMLEDGER_REDIS_URL=valkey_server.log_url,
            ITEMLEDGER_PARTITIONS="1",
            ITEMLEDGER_COMMAND_PORT=str(port),
            ITEMLEDGER_LOG_LEVEL="error",
        ),
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def client(started: str, redis: "Redis") -> Iterator[httpx.Client]:
    until(lambda: is_ready(started), 60, "the api accepts")
    with httpx.Client(base_url=started, trust_env=False, timeout=60) as made:
        yield made


class Upload:
    """An upload that ends when it is told to; `sent` counts the rows that were taken of it, `piece`
    of them at once.
    """

    def __init__(
        self, client: httpx.Client, path: str = "/imports", piece: int = 1, **headers: str
    ) -> None:
        self.sent = 0
        self.piece = piece
        self.ending = threading.Event()
        self.answer: httpx.Response | None = None
        self._arguments = (client, path, headers)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        client, path, headers = self._arguments
        self.answer = client.post(path, content=self._pieces(), headers=NDJSON | headers)

    def _pieces(self) -> Iterator[bytes]:
        while not self.ending.wait(0.01):
            yield b"".join(LINE % (self.sent + n, 1) for n in range(self.piece))
            self.sent += self.piece


def test_rows_that_come_slowly_do_not_wait_for_others(client: httpx.Client, redis: "Redis") -> None:
    with applying(redis), Upload(client) as upload:
        until(lambda: len(rows_of(on_the_log(redis))) >= 3, 30, "the first rows on the log")
        assert upload.answer is None


def test_two_uploads_of_one_import_do_not_go_on_at_once(
    client: httpx.Client, redis: "Redis"
) -> None:
    with applying(redis), Upload(client, **KEY) as upload:
        import_id = the_import(redis)
        answer = client.post("/imports", content=lines(1), headers=NDJSON | KEY)
        told = refused(answer, 409, "import-running")
        assert told["import_id"] == import_id
        assert upload.answer is None
    assert upload.answer is not None
    taken(upload.answer)


def test_an_import_waits_while_it_is_paused_and_goes_on_when_it_is_resumed(
    client: httpx.Client, redis: "Redis"
) -> None:
    with applying(redis), Upload(client) as upload:
        import_id = the_import(redis)
        assert taken(client.post(f"/imports/{import_id}/pause"))["status"] == "paused"
        assert taken(client.post(f"/imports/{import_id}/pause"))["status"] == "paused"
        rows = -1

        def stands_still() -> bool:
            nonlocal rows
            before, rows = rows, len(rows_of(on_the_log(redis)))
            time.sleep(0.5)  # longer than a row takes
            return before == rows

        until(stands_still, 20, "no more rows")
        assert taken(client.post(f"/imports/{import_id}/resume"))["status"] == "receiving"
        until(lambda: len(rows_of(on_the_log(redis))) > rows, 30, "more rows")
        assert upload.answer is None
    assert upload.answer is not None
    assert taken(upload.answer)["rows"] == upload.sent
    marks = marks_of(on_the_log(redis))
    assert marks == ["begun", "resumed", "paused", "paused", "resumed", "received"]


@pytest.mark.parametrize("state", ["cancelled", "stopped"])
def test_an_import_that_is_over_ends_its_upload_with_an_answer_that_says_so(
    client: httpx.Client, redis: "Redis", state: str
) -> None:
    with applying(redis), Upload(client, **KEY) as upload:
        import_id = the_import(redis)
        if state == "cancelled":
            taken(client.post(f"/imports/{import_id}/cancel"))
        else:
            import_state.stop(redis, import_id)
        until(lambda: upload.answer is not None, 20, "the upload's end")
    assert upload.answer is not None
    told = taken(upload.answer)
    assert told["status"] == state
    last = on_the_log(redis)[-1]
    if state == "cancelled":
        assert isinstance(last, ImportMark)
        assert (last.mark, last.rows) == ("cancelled", told["rows"])
    # What was on its way when the upload ended arrives a moment later.
    until(lambda: told["rows"] == len(rows_of(on_the_log(redis))), 30, "all of its rows")
    assert state_of(redis, import_id) == state
    answer = client.post("/imports", content=lines(1), headers=NDJSON | KEY)
    refused(answer, 409, "import-over")


def test_an_import_is_not_reverted_while_it_comes_in(client: httpx.Client, redis: "Redis") -> None:
    with applying(redis), Upload(client):
        answer = client.post(f"/imports/{the_import(redis)}/revert")
        refused(answer, 409, "import-running")


def test_a_cancelled_upload_is_final_for_whom_waits(client: httpx.Client, redis: "Redis") -> None:
    with applying(redis), Upload(client, Prefer="wait=20") as upload:
        taken(client.post(f"/imports/{the_import(redis)}/cancel"))
        until(lambda: upload.answer is not None, 20, "the upload's end")
    assert upload.answer is not None
    assert taken(upload.answer, 200)["status"] == "cancelled"
    assert "Retry-After" not in upload.answer.headers


class Left(Exception):
    """The client is gone."""


def leave(client: httpx.Client, redis: "Redis", headers: dict[str, str]) -> ImportMark:
    """Begin an upload and leave; return the mark that says that it failed."""

    rows = len(rows_of(on_the_log(redis)))

    def pieces() -> Iterator[bytes]:
        yield lines(250)
        until(lambda: len(rows_of(on_the_log(redis))) > rows, 30, "rows on the log")
        raise Left

    before = marks_of(on_the_log(redis)).count("failed")
    with pytest.raises(Left):
        client.post("/imports", content=pieces(), headers=NDJSON | headers)
    until(lambda: marks_of(on_the_log(redis)).count("failed") > before, 30, "that it failed")
    failed = on_the_log(redis)[-1]
    assert isinstance(failed, ImportMark)
    return failed


def test_an_upload_that_ends_early_is_told_how_to_go_on_as_it_can(
    client: httpx.Client, redis: "Redis"
) -> None:
    with applying(redis):
        keyed, other = leave(client, redis, KEY).detail, leave(client, redis, {}).detail
    assert keyed is not None
    assert other is not None
    assert "under the same Idempotency-Key" in keyed
    assert "under the same" not in other
    assert "it had no Idempotency-Key" in other


def test_a_client_that_leaves_can_go_on_under_its_key(client: httpx.Client, redis: "Redis") -> None:
    with applying(redis):
        import_id = leave(client, redis, KEY).import_id
        assert state_of(redis, import_id) == "failed"
        again = taken(client.post("/imports", content=lines(400), headers=NDJSON | KEY))
    assert (again["import_id"], again["rows"]) == (import_id, 400)
    assert marks_of(on_the_log(redis))[-2:] == ["resumed", "received"]


def test_a_revert_right_after_a_cancel_stands_behind_all_rows(
    client: httpx.Client, redis: "Redis"
) -> None:
    with applying(redis), Upload(client, piece=60):
        import_id = the_import(redis)
        until(lambda: rows_of(on_the_log(redis)), 30, "the first rows on the log")
        taken(client.post(f"/imports/{import_id}/cancel"))
        taken(client.post(f"/imports/{import_id}/revert"))
        found = import_state.read(redis.hgetall(keys.import_state(import_id)))
        assert found is not None
        assert not found.held
    entries = on_the_log(redis)
    assert isinstance(entries[-1], RevertRows)
    assert state_of(redis, import_id) == "cancelled"


def test_a_revert_waits_for_no_feeder_that_is_silent(client: httpx.Client, redis: "Redis") -> None:
    import_id, name = str(uuid.uuid4()), keys.import_state

    def held_since(beat: int) -> None:
        redis.hset(name(import_id), mapping={"state": "cancelled", "feeder": "f", "beat": beat})

    # It lives for longer than this takes.
    held_since(now_ms() + 60_000)
    told = refused(client.post(f"/imports/{import_id}/revert"), 409, "import-running")
    assert "although it is cancelled" in told["detail"]
    held_since(now_ms() - import_state.SILENT_MS)
    taken(client.post(f"/imports/{import_id}/revert"))
