"""The export against a small service of our own that can be told to misbehave."""

import io
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli import export_file
from cli.export import Items, Wishes, run_export
from cli.reach import Service
from cli.refusals import FAILED, INTERRUPTED, UNREACHABLE, WRONG_USAGE, Refusal

URL = "http://127.0.0.1:2"
CHANGES = f"{URL}/changes?after=7-9.sig"
LINES = b'{"id":"a"}\n{"id":"b"}\n'
RECORDS = b'id,name\r\na,"A ""1"",\r\n2"\r\nb,B\r\n'
Pieces = Callable[[], Iterator[bytes]]


class Body(httpx.SyncByteStream):
    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces()


def serving(
    *pieces: bytes, count: int = 2, asked: list[httpx.Request] | None = None, fails: Any = None
) -> httpx.MockTransport:
    """Serve an export piece by piece; then it may fail."""

    def body() -> Iterator[bytes]:
        yield from pieces
        if fails is not None:
            raise fails

    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        headers = {"Export-Items": str(count), "Link": f'<{CHANGES}>; rel="changes"'}
        return httpx.Response(200, headers=headers, stream=Body(body))

    return httpx.MockTransport(answer)


def export(transport: httpx.BaseTransport, wishes: Wishes, **service: Any) -> int:
    return run_export(Service("query", URL, **service), wishes, transport)


def refused(transport: httpx.BaseTransport, wishes: Wishes, code: int) -> str:
    with pytest.raises(Refusal) as caught:
        export(transport, wishes)
    assert caught.value.code == code
    line = str(caught.value)
    assert "\n" not in line
    return line


def left_in(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_a_file_gets_all_items_and_the_feed_is_named_on_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[httpx.Request] = []
    wishes = Wishes(output=tmp_path / "items.ndjson", include_deleted=True)
    assert export(serving(LINES[:5], LINES[5:], asked=asked), wishes, token="t-1") == 0  # noqa: S106  of nobody
    assert left_in(tmp_path) == {"items.ndjson": LINES}
    (request,) = asked
    assert dict(request.url.params) == {"format": "ndjson", "include_deleted": "true"}
    assert request.headers["Authorization"] == "Bearer t-1"
    assert request.headers["Accept-Encoding"] == "identity"
    told = capfd.readouterr()
    assert told.out == ""
    assert f"2 items to {wishes.output}. What happens after them: {CHANGES}" in told.err


def test_standard_output_gets_the_items_and_nothing_else(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert export(serving(RECORDS), Wishes("csv")) == 0
    told = capfdbinary.readouterr()
    assert told.out == RECORDS
    assert CHANGES.encode() in told.err


def test_a_file_has_the_rights_that_files_have_here(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        export(serving(LINES), Wishes(output=tmp_path / "items"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "items").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    "fails", [httpx.RemoteProtocolError("peer closed"), httpx.ReadTimeout("late"), None]
)
def test_an_export_that_breaks_off_leaves_the_file_that_was_there(
    tmp_path: Path, fails: httpx.TransportError | None
) -> None:
    (tmp_path / "items").write_bytes(b"before")
    transport = serving(LINES[:11], count=2, fails=fails)
    line = refused(transport, Wishes(output=tmp_path / "items"), UNREACHABLE)
    assert "broke off after 1 of 2 items" in line
    assert "nothing was written to" in line
    assert left_in(tmp_path) == {"items": b"before"}


def test_records_that_end_in_an_open_quote_are_not_all(tmp_path: Path) -> None:
    broken = RECORDS + b'"the export broke off here'
    line = refused(serving(broken, count=3), Wishes("csv", tmp_path / "items"), UNREACHABLE)
    assert "after 2 of 3 items" in line
    assert left_in(tmp_path) == {}


def test_an_interrupted_export_leaves_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    transport = serving(LINES[:11], fails=KeyboardInterrupt())
    assert export(transport, Wishes(output=tmp_path / "items")) == INTERRUPTED
    assert left_in(tmp_path) == {}
    assert f"Nothing was written to {tmp_path / 'items'}" in capfd.readouterr().err


def test_a_disk_that_is_full_leaves_the_file_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "items").write_bytes(b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_file.os, "fsync", full)
    line = refused(serving(LINES), Wishes(output=tmp_path / "items"), FAILED)
    assert "No space left on device" in line
    assert left_in(tmp_path) == {"items": b"before"}


def test_what_a_link_points_to_is_replaced_not_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"before")
    (tmp_path / "link").symlink_to("real")
    export(serving(LINES), Wishes(output=tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == LINES


def test_what_is_no_file_is_written_to_and_stays_what_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        export(serving(LINES), Wishes(output=pipe))
        assert reader.communicate()[0] == LINES
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_place_that_can_not_be_written_is_refused_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    asked: list[httpx.Request] = []
    for output, why in ((tmp_path, "folder"), (tmp_path / "none" / "items", "no such folder")):
        assert why in refused(serving(LINES, asked=asked), Wishes(output=output), WRONG_USAGE)
    assert asked == []


def answering(status: int, document: Any = None, **headers: str) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(status, json=document, headers=headers))


@pytest.mark.parametrize(
    ("transport", "code", "says"),
    [
        (
            answering(503, {"code": "too-many-exports", "detail": "4 exports are running"}),
            UNREACHABLE,
            "4 exports are running",
        ),
        (
            answering(401, {"code": "unauthorized", "detail": "no token"}),
            WRONG_USAGE,
            "set ITEMLEDGER_TOKEN",
        ),
        (answering(404), UNREACHABLE, "mend --query-url"),
        (
            answering(404, {"code": "not-found", "detail": "no such path: /exports/items"}),
            UNREACHABLE,
            "mend --query-url",
        ),
        (answering(500), UNREACHABLE, "Internal Server Error"),
        (answering(200, {}), UNREACHABLE, "mend --query-url (ITEMLEDGER_QUERY_URL)"),
        (answering(200, {}, **{"Export-Items": "☀".encode().hex()}), UNREACHABLE, "mend"),
    ],
)
def test_a_service_that_does_not_export_is_told_in_one_line(
    transport: httpx.MockTransport, code: int, says: str
) -> None:
    assert says in refused(transport, Wishes(), code)


def test_a_service_that_is_not_there_is_told_with_how_to_start_it() -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    line = refused(httpx.MockTransport(nobody), Wishes(), UNREACHABLE)
    assert "itemledger up" in line


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(Refusal, match="no URL of a service") as caught:
        run_export(Service("query", "nonsense"), Wishes())
    assert caught.value.code == WRONG_USAGE


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_items_are_counted_however_they_are_cut(size: int) -> None:
    for form, body in (("csv", RECORDS), ("ndjson", LINES)):
        items = Items(form)  # type: ignore[arg-type]
        for begin in range(0, len(body), size):
            items.see(body[begin : begin + size])
        assert items.count == 2


def test_nothing_is_counted_as_nothing() -> None:
    for form in ("csv", "ndjson"):
        assert Items(form).count == 0  # type: ignore[arg-type]


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from cli.export_file import standard_output\n"
        "from cli.refusals import Refusal\n"
        "try:\n"
        "    with standard_output() as out:\n"
        "        while True:\n"
        "            out.write(b'x' * 65536)\n"
        "except Refusal as refusal:\n"
        "    sys.stderr.write(str(refusal))\n"
        "    sys.exit(refusal.code)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, program],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(5) == b"xxxxx"
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait(30) == FAILED
    assert said == "standard output was closed: not all of it was read"


def test_standard_output_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(_Raw(buffer))))
    with export_file.standard_output() as out:
        out.write(b"x")
    assert buffer.getvalue() == b"x"


class _Raw(io.RawIOBase):
    def __init__(self, to: io.BytesIO) -> None:
        self._to = to

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._to.write(data)
