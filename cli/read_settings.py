"""The settings as a command of the console reads them: what is wrong with them is one line each."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cli.misspelt import is_a_setting_s, tell_unknown
from cli.plainly import plainly, told
from cli.refusals import WRONG_USAGE, Refusal, warn
from domain import rules
from domain.refusals import RuleBroken
from runtime.settings import (
    DEFAULT_ENV_FILE,
    ENV_FILE_VARIABLE,
    PREFIX,
    SECRETS_VARIABLE,
    Settings,
)


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


def _line(problem: ErrorDetails, options: Mapping[str, object]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    secret = name.endswith(("_url", "_secret", "token"))  # a URL may hold a password
    variable = f"{PREFIX}{name.upper()}"
    setting = f"--{name.replace('_', '-')} ({variable})" if name in options else variable
    says = told(problem) if secret else plainly(problem)
    # What is no order is a sentence about the setting.
    colon = "" if says.startswith(("is ", "has ")) else ":"
    return f"{setting}{colon} {says}"
