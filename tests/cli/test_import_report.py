"""What an import says on its way, where no terminal is."""

import pytest

from cli.import_client import Told
from cli.import_report import Report


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.setattr("cli.import_report._SAY_EVERY", 0.0)
    made = Report(2048)
    made.begin()
    return made


def told(final: int, rows: int | None) -> Told:
    counts = dict.fromkeys(("unchanged", "rejected", "skipped", "other"), 0) | {"applied": final}
    return Told("i-1", "running", rows, counts)


def test_what_is_sent_is_not_told_as_applied(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.far(1024)
    report.far(2048)
    half, whole = capsys.readouterr().err.splitlines()
    assert half.startswith("1,024 of 2,048 bytes sent")
    assert whole == "all 2,048 bytes are sent, and rows are being applied"


def test_rows_are_told_with_their_number_once_that_is_known(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.told(told(5, None))
    report.told(told(5, 10))
    before, after = capsys.readouterr().err.splitlines()
    assert before.startswith("5 rows, running, ")
    assert after.startswith("5 of 10 rows, running, ")


def test_a_file_that_is_sent_again_is_said_to_go_on(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.far(2048)
    report.far(1024)
    assert "goes on from where it was" in " ".join(capsys.readouterr().err.split())
