"""An operator's mistake is answered with one line that says how to mend it."""

import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cli.misspelt import is_a_setting_s, tell_unknown
from domain import rules
from domain.refusals import RuleBroken
from runtime.errors import first_line
from runtime.settings import (
    DEFAULT_ENV_FILE,
    ENV_FILE_VARIABLE,
    PREFIX,
    SECRETS_VARIABLE,
    Settings,
)

FAILED = 1
WRONG_USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130  # what a shell answers for a command that Ctrl-C has ended

_LONGEST_VALUE = 60
# What pydantic says in words of its own, by its kinds of error.
_PLAINLY: Mapping[str, str] = {
    "bool_parsing": "is no yes or no: write true or false",
    "float_parsing": "must be a number",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_from_float": "must be a whole number",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}
# How SQLite says that a file is not, or not any more, a database.
_DAMAGED = ("malformed", "not a database")
_RESTORE = "the file is damaged: restore a backup"
_PASSWORD = re.compile(r"://([^:@/]*):(.*)@", re.DOTALL)
_PASSWORD_OPTION = re.compile(r"([?&](?:ssl)?password=)[^&#]*")


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


def warn(line: str) -> None:
    """Print what an operator should know, and what stops nothing."""
    typer.echo(f"itemledger: warning: {line}", err=True)


def read_settings(**given: object) -> Settings:
    """Read the settings; what was given as an option goes before the environment and `.env`. Warn
    of names that are no setting's.

    Raises Refusal with one line for each setting that is wrong.
    """
    path = settings_file()
    _require_text(path)
    unknown = tell_unknown(os.environ, path, secret_files())
    if unknown is not None:
        warn(unknown)
    return judged_settings(**given)


def settings_file() -> Path:
    """Name the file of settings; the folder where none is to be read. Raises Refusal where one is
    named that is not there.
    """
    file = os.environ.get(ENV_FILE_VARIABLE)
    if file and not Path(file).is_file():
        raise Refusal(f"{ENV_FILE_VARIABLE} names {file}, and there is no such file", WRONG_USAGE)
    return Path(DEFAULT_ENV_FILE if file is None else file)


def secret_files() -> list[Path]:
    """List what is in the folder of secrets. Raises Refusal where one is named that is not there or
    can not be read.
    """
    named = os.environ.get(SECRETS_VARIABLE)
    if not named:
        return []
    try:
        return sorted(Path(named).iterdir())
    except OSError as error:
        raise Refusal(
            f"{SECRETS_VARIABLE} names {named}, which can not be read ({error.strerror}): "
            "name the folder with the secrets, or unset it",
            WRONG_USAGE,
        ) from None


def judged_settings(**given: object) -> Settings:
    """Read the settings as `read_settings` does, and say nothing of names that are no setting's."""
    for file in (settings_file(), *filter(is_a_setting_s, secret_files())):
        _require_text(file)
    options = {name: value for name, value in given.items() if value is not None}
    try:
        settings = Settings.model_validate(options)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        lines = dict.fromkeys(_line(problem, options) for problem in problems)
        raise Refusal("\nitemledger: ".join(lines), WRONG_USAGE) from None
    try:
        rules.currency(settings.default_currency)
    except RuleBroken as broken:
        raise Refusal(
            f"{PREFIX}DEFAULT_CURRENCY: {broken}, not {settings.default_currency!r}",
            WRONG_USAGE,
        ) from None
    return settings


def _require_text(file: Path) -> None:
    try:
        if file.is_file():
            file.read_text("utf-8")
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise Refusal(f"{file}, line {line}, is not UTF-8: save it as that", WRONG_USAGE) from None
    except OSError as error:
        raise Refusal(f"cannot read {file}: {error.strerror}", WRONG_USAGE) from None


def without_password(url: str) -> str:
    """Write a URL so that it can be shown: whatever may be of a password is masked."""
    return _PASSWORD_OPTION.sub(r"\1***", _PASSWORD.sub(r"://\1:***@", url))


def reason(url: str, error: BaseException) -> str:
    """Say what a driver says of a URL, unless that may hold a part of its password."""
    before, at, _ = url.partition("://")[2].rpartition("@")
    if at and re.search("[@/?#]", before):
        return "`@`, `/` and `:` in a password must be percent-encoded (%40, %2F, %3A)"
    return first_line(error)


def database_refusal(url: str, error: Exception) -> Refusal:
    """Say which database cannot be used and why, without its password."""
    if isinstance(error, ModuleNotFoundError):
        return _driver_refusal(url, error)
    elsewhere = f"mend --database-url ({PREFIX}DATABASE_URL)"
    if not url.startswith("sqlite"):
        return _unusable(url, error, f"start it, or {elsewhere}")
    if any(sign in str(error) for sign in _DAMAGED):
        return _unusable(url, error, f"{_RESTORE}, or {elsewhere}")
    mend = "make room on its disk" if "full" in str(error) else "see that the file can be written"
    folder = f"choose another folder with --data ({PREFIX}DATA)"
    return _unusable(url, error, f"{mend}, {folder}, or {elsewhere}")


def reading_refusal(url: str, error: Exception, use: str = "read") -> Refusal:
    """Say the same for a command that takes what is there, and has no such option."""
    if isinstance(error, ModuleNotFoundError):
        return _driver_refusal(url, error)
    variable = f"{PREFIX}DATABASE_URL"
    scheme, _, place = url.partition(":///")
    if not scheme.startswith("sqlite"):
        return _unusable(url, error, f"start it, or mend {variable}")
    if not Path(place.partition("?")[0]).is_file():
        mend = (
            "`itemledger up` makes it, or name its folder with "
            f"{PREFIX}DATA, or the database with {variable}"
        )
        return _unusable(url, FileNotFoundError("there is no such file"), mend)
    if any(sign in str(error) for sign in _DAMAGED):
        return _unusable(url, error, _RESTORE)
    mend = f"see that the file can be {use}"
    return _unusable(url, error, f"{mend}, or mend {PREFIX}DATA or {variable}")


def _driver_refusal(url: str, error: ModuleNotFoundError) -> Refusal:
    return Refusal(
        f"the driver of {without_password(url)} is not installed ({error.name}): "
        "pip install 'itemledger[postgres]' brings PostgreSQL's"
    )


def _unusable(url: str, error: Exception, mend: str) -> Refusal:
    return Refusal(
        f"cannot use the database {without_password(url)}: {reason(url, error)}; {mend}",
        UNREACHABLE,
    )


def plainly(problem: ErrorDetails) -> str:
    """Say in words for people what pydantic finds wrong with a value, and which one it is."""
    value = str(problem["input"])
    told = _told(problem)
    return told if len(value) > _LONGEST_VALUE or repr(value) in told else f"{told}, not {value!r}"


def _told(problem: ErrorDetails) -> str:
    words = _PLAINLY.get(problem["type"])
    return words.format_map(problem.get("ctx", {})) if words else problem["msg"]


def _line(problem: ErrorDetails, options: Mapping[str, object]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    secret = name.endswith(("_url", "_secret", "token"))  # a URL may hold a password
    variable = f"{PREFIX}{name.upper()}"
    setting = f"--{name.replace('_', '-')} ({variable})" if name in options else variable
    told = _told(problem) if secret else plainly(problem)
    # What is no order is a sentence about the setting.
    colon = "" if told.startswith(("is ", "has ")) else ":"
    return f"{setting}{colon} {told}"
