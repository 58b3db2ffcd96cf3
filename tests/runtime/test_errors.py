import pytest

from runtime.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError("the disk is full.\nSee to it."), "the disk is full"),
        (ValueError("\n  what is that: \n"), "what is that"),
        (TimeoutError(), "TimeoutError"),
        (ValueError(" \n"), "ValueError"),
    ],
)
def test_an_error_is_told_in_one_line(error: Exception, line: str) -> None:
    assert first_line(error) == line
