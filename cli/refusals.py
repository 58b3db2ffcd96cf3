"""An operator's mistake is answered with one line that says how to mend it."""

from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runtime.settings import PREFIX, Settings

FAILED = 1
WRONG_USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130  # what a shell answers for a command that Ctrl-C has ended

_LONGEST_VALUE = 60


class Refusal(Exception):
    """The command cannot do what was asked; `str()` is the line, `code` the exit code."""

    def __init__(self, line: str, code: int = FAILED) -> None:
        super().__init__(line)
        self.code = code


@contextmanager
def refusing() -> Generator[None]:
    """Print a Refusal of the block on standard error and exit with its code."""
    try:
        yield
    except Refusal as refusal:
        typer.echo(f"itemledger: {refusal}", err=True)
        raise typer.Exit(refusal.code) from None


def read_settings(**given: object) -> Settings:
    """Read the settings; what was given as an option goes before the environment and `.env`.

    Raises Refusal with one line for each setting that is wrong.
    """
    try:
        return Settings.model_validate(
            {name: value for name, value in given.items() if value is not None}
        )
    except ValidationError as error:
        lines = [_line(problem) for problem in error.errors(include_url=False)]
        raise Refusal("\nitemledger: ".join(lines), WRONG_USAGE) from None


def without_password(url: str) -> str:
    """Write a URL so that it can be shown."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(not a URL)"
    if parts.password is None:
        return url
    place = parts.netloc.rpartition("@")[2]
    user = f"{parts.username or ''}:***@"
    return urlunsplit(parts._replace(netloc=user + place))


def first_line(error: BaseException) -> str:
    """Cut what a driver says down to its first line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def database_refusal(url: str, error: Exception) -> Refusal:
    """Say which database cannot be used and why, without its password."""
    if isinstance(error, ModuleNotFoundError):
        return Refusal(
            f"the driver of {without_password(url)} is not installed ({error.name}): "
            "pip install 'itemledger[postgres]' brings PostgreSQL's"
        )
    return Refusal(
        f"cannot use the database {without_password(url)}: {first_line(error)}; "
        f"start it, or mend --database-url ({PREFIX}DATABASE_URL)",
        UNREACHABLE,
    )


def _line(problem: ErrorDetails) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    value = str(problem["input"])
    secret = name.endswith(("_url", "_secret"))  # a URL may hold a password
    shown = "" if secret or len(value) > _LONGEST_VALUE else f", not {value!r}"
    return f"{PREFIX}{name.upper()}: {problem['msg']}{shown}"
