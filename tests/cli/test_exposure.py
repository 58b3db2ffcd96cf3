import pytest

from cli.exposure import warn_of_exposure
from runtime.settings import Settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "a.localhost"])
def test_on_this_machine_alone_there_is_no_warning(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_of_exposure(Settings(host=host))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_beyond_this_machine_one_line_warns_that_there_is_no_authentication(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_of_exposure(Settings(host=host))
    (line,) = capsys.readouterr().err.splitlines()
    assert host in line
    assert "there is no authentication yet" in line


def test_a_child_does_not_repeat_what_up_has_said(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_exposure(Settings(host="0.0.0.0", fresh_partitions=1))
    assert capsys.readouterr().err == ""
