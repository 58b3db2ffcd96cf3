"""Files through the command API, onto a real log, and by the worker's hand into the ledger."""

import gzip
import threading
import time

import httpx
import pytest
from redis import Redis

from api.imports import feeder
from eventlog import keys
from eventlog.envelope import BadRow, Envelope, ImportMark, RevertRows, Rows
from eventlog.import_state import FED, ImportStates
from ledger import imports, tables
from runtime.keyed_ids import uuid8
from tests.api.conftest import Api, Service
from tests.api.importing import (
    CSV,
    KEY,
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
from tests.waiting import until


def test_rows_are_accepted_in_the_order_of_the_file_between_two_marks(
    api: Api, redis: "Redis"
) -> None:
    with applying(redis):
        answer = api.client.post("/imports?reason=spring", content=lines(1234), headers=NDJSON)
    told = taken(answer)
    entries = on_the_log(redis)
    assert marks_of(entries) == ["begun", "resumed", "received"]
    rows = rows_of(entries)
    assert [each.id for each in rows] == [f"{told['import_id']}.{n:09d}" for n in range(1, 1235)]
    assert all(len(each.rows) <= feeder.ENTRY_ROWS for each in entries if isinstance(each, Rows))
    assert {each.reason for each in rows if isinstance(each, Envelope)} == {"spring"}
    last = entries[-1]
    assert isinstance(last, ImportMark)
    assert last.rows == 1234
    url = f"http://query.test/imports/{told['import_id']}"
    assert answer.headers["Location"] == url
    assert told == {
        "import_id": told["import_id"],
        "status": "running",
        "rows": 1234,
        "links": {"import": url, "rows": f"{url}/rows"},
    }
    assert state_of(redis, told["import_id"]) == "received"


def test_bad_rows_stand_among_the_others_with_what_is_wrong(api: Api, redis: "Redis") -> None:
    body = b"id,name,price\na,A,1\nb,,2\nc,C,x\n"
    with applying(redis):
        told = taken(api.client.post("/imports", content=body, headers=CSV))
    rows = rows_of(on_the_log(redis))
    assert told["rows"] == 3
    assert [type(each) for each in rows] == [Envelope, BadRow, BadRow]
    assert [each.id[-4:] for each in rows] == ["0002", "0003", "0004"]


def test_a_dry_run_and_one_that_stops_say_so_with_every_entry(api: Api, redis: "Redis") -> None:
    with applying(redis):
        taken(
            api.client.post(
                "/imports?dry_run=true&on_error=stop",
                content=gzip.compress(lines(300)),
                headers=NDJSON | {"Content-Encoding": "gzip"},
            )
        )
    entries = on_the_log(redis)
    rows = [each for each in entries if isinstance(each, Rows)]
    assert len(rows_of(entries)) == 300
    assert all(each.dry and each.stop for each in rows)
    begun = entries[0]
    assert isinstance(begun, ImportMark)
    assert (begun.dry, begun.stop) == (True, True)


def test_what_the_file_is_called_goes_with_its_beginning_and_is_not_part_of_its_key(
    api: Api, redis: "Redis"
) -> None:
    names = [f"attachment; filename*=UTF-8''{each}.csv" for each in ("%C3%A4", "b")]
    with applying(redis):
        answers = [
            api.client.post(
                "/imports", content=lines(1), headers=NDJSON | KEY | {"Content-Disposition": each}
            )
            for each in names
        ]
    assert taken(answers[0]) == taken(answers[1])
    marks = [each for each in on_the_log(redis) if isinstance(each, ImportMark)]
    assert {(each.mark, each.file) for each in marks} == {
        *(("begun", "ä.csv"), ("resumed", None), ("received", None))
    }


def test_no_more_than_a_few_hundred_rows_wait_and_the_upload_waits_with_them(
    api: Api, redis: "Redis"
) -> None:
    answers: list[httpx.Response] = []
    upload = threading.Thread(
        target=lambda: answers.append(
            api.client.post("/imports", content=lines(3000), headers=NDJSON)
        )
    )
    upload.start()
    until(lambda: len(rows_of(on_the_log(redis))) >= 200, 30, "rows on the log")
    import_id = the_import(redis)
    # The feeder has had its time when it gives a sign of life with as many rows as before.
    before = -1

    def stands_still() -> bool:
        nonlocal before
        now = int(redis.hget(keys.import_state(import_id), "rows") or 0)
        still, before = now == before and now > 0, now
        time.sleep(1.1)  # longer than between two signs of life
        return still

    until(stands_still, 30, "the feeder standing still")
    assert len(rows_of(on_the_log(redis))) <= 500
    with applying(redis):
        upload.join(30)
    assert taken(answers[0])["rows"] == 3000
    assert len(rows_of(on_the_log(redis))) == 3000


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "code"),
    [
        ("/imports", {"Content-Type": "application/json"}, b"{}", 415, "unsupported-media-type"),
        ("/imports", {}, b"{}", 415, "unsupported-media-type"),
        ("/imports", CSV | {"Content-Encoding": "br"}, b"x", 415, "unsupported-media-type"),
        (
            "/imports",
            {"Content-Type": "text/csv; charset=hex"},
            b"x",
            415,
            "unsupported-media-type",
        ),
        (
            "/imports",
            CSV | {"Content-Disposition": "inline; filename"},
            b"x",
            400,
            "malformed-header",
        ),
        ("/imports?map=id", CSV, b"x", 400, "bad-parameter"),
        ("/imports?dry_run=yes", CSV, b"x", 400, "bad-parameter"),
        ("/imports?on_error=cry", CSV, b"x", 400, "bad-parameter"),
        ("/imports?atomic=true", CSV, b"x", 400, "bad-parameter"),
        (f"/imports?reason={'x' * 501}", CSV, b"x", 400, "bad-parameter"),
        ("/imports", CSV, b"title\nLamp\n", 422, "invalid-columns"),
        ("/imports", CSV, b"", 422, "invalid-columns"),
        ("/imports?map=id:Code", CSV, b"Title\nLamp\n", 422, "invalid-columns"),
        ("/imports", CSV | {"Content-Encoding": "gzip"}, b"id,name", 422, "unreadable-upload"),
        ("/imports", CSV, gzip.compress(b"id,name\n", mtime=0), 422, "unreadable-upload"),
    ],
)
def test_what_can_not_be_taken_at_all_is_refused_before_anything_is(
    api: Api,
    redis: "Redis",
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
    code: str,
) -> None:
    answer = api.client.post(path, content=body, headers=headers)
    refused(answer, status, code)
    assert on_the_log(redis) == []


def test_an_upload_that_turns_unreadable_keeps_what_came_before(api: Api, redis: "Redis") -> None:
    packed = gzip.compress(lines(20_000))
    headers = NDJSON | KEY | {"Content-Encoding": "gzip"}
    with applying(redis):
        answer = api.client.post("/imports", content=packed[:-20], headers=headers)
        refused(answer, 422, "unreadable-upload")
        entries = on_the_log(redis)
        assert marks_of(entries)[-1] == "failed"
        first = len(rows_of(entries))
        assert first > 10_000
        again = taken(api.client.post("/imports", content=packed, headers=headers))
    assert again["rows"] == 20_000
    entries = on_the_log(redis)
    assert marks_of(entries)[-2:] == ["resumed", "received"]
    known = {each.id for each in rows_of(entries)[:first]}
    assert known <= {each.id for each in rows_of(entries)[first:]}


def test_the_same_key_is_the_same_import(api: Api, redis: "Redis") -> None:
    with applying(redis):
        first = api.client.post("/imports", content=lines(5), headers=NDJSON | KEY)
        again = api.client.post("/imports", content=lines(5), headers=NDJSON | KEY)
        other = api.client.post("/imports", content=lines(5), headers=NDJSON)
    assert taken(first) == taken(again)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert taken(other)["import_id"] != taken(first)["import_id"]
    rows = rows_of(on_the_log(redis))
    assert rows[:5] == [
        each if isinstance(each, BadRow) else rows[n] for n, each in enumerate(rows[5:10])
    ]


def test_an_import_that_is_over_can_not_be_paused(api: Api, redis: "Redis") -> None:
    with applying(redis):
        import_id = taken(api.client.post("/imports", content=lines(1), headers=NDJSON))[
            "import_id"
        ]
        for step in ("pause", "resume", "cancel"):
            answer = api.client.post(f"/imports/{import_id}/{step}")
            refused(answer, 409, "import-over")


@pytest.mark.parametrize("name", ["nobody", uuid8("nobody")])
@pytest.mark.parametrize("step", ["pause", "resume", "cancel"])
def test_an_import_that_nobody_began_is_not_found(api: Api, name: str, step: str) -> None:
    answer = api.client.post(f"/imports/{name}/{step}")
    refused(answer, 404, "import-not-found")


def test_a_revert_is_an_import_of_its_own(api: Api, redis: "Redis") -> None:
    with applying(redis):
        import_id = taken(api.client.post("/imports", content=lines(1), headers=NDJSON))[
            "import_id"
        ]
        answers = [
            api.client.post(f"/imports/{import_id}/revert?reason=wrong", headers=KEY)
            for _ in range(2)
        ]
    (new_id,) = {taken(each)["import_id"] for each in answers}
    assert new_id != import_id
    assert "Idempotent-Replayed" not in answers[0].headers
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert answers[0].headers["Location"] == f"http://query.test/imports/{new_id}"
    begun, revert = on_the_log(redis)[-2:]
    assert isinstance(begun, ImportMark)
    assert isinstance(revert, RevertRows)
    assert (begun.import_id, begun.reverts) == (new_id, import_id)
    assert (revert.import_id, revert.reverts, revert.reason) == (new_id, import_id, "wrong")


def test_an_import_comes_out_as_the_ledger_says(service: Service) -> None:
    body = b'id,name,price\na,A,1\nb,B,2\n"c d",C,3\na,A,4\n'
    answer = service.client.post(
        "/imports", content=body, headers=CSV | KEY | {"Prefer": "wait=20"}
    )
    told = taken(answer, 200)
    assert (told["status"], told["rows"]) == ("done", 4)
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert "Retry-After" not in answer.headers
    with service.world.engine.connect() as connection:
        found = imports.find(connection, told["import_id"])
        counts = imports.total(connection, told["import_id"])
    assert found is not None
    assert (found.status, found.rows) == ("received", 4)
    assert (counts.applied, counts.rejected) == (3, 1)
    outcomes = service.world.rows(tables.outcomes, "command_id")
    mine = [each for each in outcomes if each["command_id"].startswith(f"{told['import_id']}.")]
    assert [each["status"] for each in mine] == ["applied", "applied", "rejected", "applied"]
    assert mine[2]["code"] == "invalid-body"

    again = service.client.post("/imports", content=body, headers=CSV | KEY | {"Prefer": "wait=20"})
    assert taken(again, 200) == told
    assert len(service.world.rows(tables.outcomes)) <= len(outcomes) + 2  # its marks


def test_a_dry_run_rejects_the_same_rows_and_changes_nothing(service: Service) -> None:
    body = (
        b'{"id": "a", "name": "A", "price": 1, "effective_at": "2020-01-02T00:00:00Z"}\n'
        b'{"op": "patch", "id": "b", "price": 1}\n'
        b'{"op": "patch", "id": "a", "price": 2, "effective_at": "2020-01-01T00:00:00Z"}\n'
        b"nonsense\n"
        b'{"op": "patch", "id": "a", "price": 2, "effective_at": "2020-01-03T00:00:00Z"}\n'
    )

    def run(query: str) -> list[tuple[str, str | None]]:
        answer = service.client.post(
            f"/imports{query}", content=body, headers=NDJSON | {"Prefer": "wait=20"}
        )
        import_id = taken(answer, 200)["import_id"]
        return [
            (each["status"], each["code"])
            for each in service.world.rows(tables.outcomes, "command_id")
            if each["command_id"].startswith(f"{import_id}.")
        ]

    dry = run("?dry_run=true")
    assert service.world.rows(tables.events) == []
    assert run("") == dry
    assert [status for status, _ in dry] == [
        "applied",
        "rejected",
        "rejected",
        "rejected",
        "applied",
    ]
    assert len(service.world.rows(tables.events)) == 2


def test_states_move_only_as_they_may(api: Api, redis: "Redis", valkey_url: str) -> None:
    """Whoever takes an import over has it; the one before is told so."""

    async def play() -> None:
        from redis.asyncio import Redis as AsyncRedis  # noqa: PLC0415  of this test alone

        async with AsyncRedis.from_url(valkey_url) as client:
            states = ImportStates(client)
            assert (await states.begin("i", "one", 1000)).done
            assert not (await states.begin("i", "two", 5999)).done
            assert (await states.begin("i", "two", 6000)).before == "receiving"
            assert not (await states.beat("i", "one", 6000, 5)).done
            assert (await states.beat("i", "two", 6000, 5)).done
            assert (await states.move("i", "paused", *FED)).done
            assert (await states.begin("i", "three", 20_000)).before == "paused"
            assert state_of(redis, "i") == "paused"
            assert not (await states.move("i", "received", *FED, feeder="two")).done
            assert (await states.move("i", "received", *FED, feeder="three")).done
            assert not (await states.move("i", "paused", *FED)).done
            assert (await states.move("nobody", "paused", *FED)).before is None
            await client.aclose()

    api.client.portal.call(play)  # type: ignore[union-attr]
