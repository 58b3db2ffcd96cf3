"""What an import says on its way, where no terminal is."""

import time

import pytest

from cli.import_client import Told
from cli.import_report import Report
from cli.refusals import Refusal
from tests.cli.screens import on_screen


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.setattr("cli.import_report._SAY_EVERY", 0.0)
    made = Report(2048)
    made.begin()
    return made


def told(final: int, rows: int | None, status: str = "running") -> Told:
    counts = dict.fromkeys(("unchanged", "rejected", "skipped", "other"), 0) | {"applied": final}
    return Told("i-1", status, rows, counts)


def test_what_is_sent_is_not_told_as_applied(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.far(1024, 5)
    report.far(2048, 10)
    half, whole = capsys.readouterr().err.splitlines()
    assert half.startswith("1,024 of 2,048 bytes sent")
    assert whole == "all 2,048 bytes are sent, no row is final yet"


def test_rows_are_told_with_their_number_once_that_is_known(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.told(told(5, None))
    report.told(told(5, 10))
    before, after = capsys.readouterr().err.splitlines()
    assert before == "5 rows, 0 rejected"
    assert after == "5 of 10 rows, 0 rejected"


def test_while_the_file_is_sent_rows_are_told_of_as_many_as_it_is_likely_to_have(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.far(1024, 5)
    report.told(told(3, 4, "receiving"))
    report.far(2048, 11)
    report.told(told(7, 9, "paused"))
    sent, *lines = capsys.readouterr().err.splitlines()
    assert sent.startswith("1,024 of 2,048 bytes sent")
    assert lines == ["3 of 10 rows, 0 rejected", "7 of 11 rows, 0 rejected, paused"]


def test_where_all_is_final_before_the_file_was_read_no_end_of_it_is_told(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.far(2048, 11)
    for final in (10, 11, 11):
        report.told(told(final, 11, "receiving"))
    _, *lines, last = capsys.readouterr().err.splitlines()
    assert lines == ["10 of 11 rows, 0 rejected", "11 of 11 rows, 0 rejected"]
    assert last == "11 rows are final, 0 rejected; the file is looked through"


def test_rows_that_were_final_before_it_was_taken_up_again_make_it_no_faster(
    report: Report, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.monotonic()
    monkeypatch.setattr("cli.import_report.time.monotonic", lambda: now)
    report.told(told(80_000, 100_000))
    now += 2
    report.told(told(90_000, 100_000))
    assert "90,000 of 100,000 rows, 5,000/s" in capsys.readouterr().err


@pytest.mark.parametrize("error", [Refusal("no"), KeyboardInterrupt()])
def test_above_an_error_there_is_no_line_of_how_far_it_was(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")

    def fail() -> None:
        with Report(23) as made:
            made.far(23, 1)
            raise error

    with pytest.raises(type(error)):
        fail()
    left = "\n".join(on_screen(capsys.readouterr().err, 24))
    assert ("no row is final yet" in left) == isinstance(error, KeyboardInterrupt)


def test_why_a_file_is_sent_again_is_said_once(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    for why in ("the connection broke", "the connection broke", "an earlier upload comes in"):
        report.again(why)
    said = " ".join(capsys.readouterr().err.split())
    on = "the file is sent again, and goes on from where it was; no row is taken twice."
    assert said == f"The connection broke: {on} An earlier upload comes in: {on}"
