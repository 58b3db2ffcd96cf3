import traceback

import pytest

from runtime.errors import first_line, headline


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


def trace_of(error: Exception, cause: Exception | None = None) -> str:
    with pytest.raises(type(error)):
        raise error from cause
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("trace", "line"),
    [
        (trace_of(KeyError("x")), "KeyError: 'x'"),
        # As SQLAlchemy writes them.
        (
            trace_of(RuntimeError("no such table\n[SQL: x]\n(Background)")),
            "RuntimeError: no such table",
        ),
        (trace_of(ValueError("second\nmore"), KeyError("first")), "ValueError: second"),
        (f"Traceback (most recent call last):\n  File\n[…]\n{'p' * 9}\n", "p" * 9),
        ("somebody said\nno\n", "no"),
        (" \n", "unknown"),
    ],
)
def test_what_went_wrong_is_found_in_a_traceback(trace: str, line: str) -> None:
    assert headline(trace) == line
