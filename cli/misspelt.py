"""Names that look like those of settings and are none: most often they are misspelt."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from runtime.settings import ENV_FILE_VARIABLE, PREFIX, SECRETS_VARIABLE, Settings

# What our own tests set for each other.
_OF_TESTS = f"{PREFIX}TEST_"
# Where settings come from.
_SOURCES = frozenset({ENV_FILE_VARIABLE, SECRETS_VARIABLE})
_LINE = re.compile(rf"\s*(?:export\s+)?({PREFIX}\w+)\s*=\s*\S", re.IGNORECASE)


def tell_unknown(
    environ: Mapping[str, str], file: Path, secrets: Iterable[Path] = ()
) -> str | None:
    """Say which names of the environment, of the file of settings and of files of secrets are none
    of a setting, each with the nearest that is one; `None` where there are none.
    """
    known = {name.upper() for name in Settings.model_fields}
    given = {name for name, value in environ.items() if value} | _names_in(file)
    given |= {each.name for each in secrets}
    # pydantic-settings does not care about case.
    found = {name: name.upper().removeprefix(PREFIX) for name in sorted(given) if _is_ours(name)}
    unknown = [_told(name, short, known) for name, short in found.items() if short not in known]
    if not unknown:
        return None
    return f"there is no setting {', '.join(unknown)}: see docs/configuration.md"


def is_a_setting_s(file: Path) -> bool:
    """Say whether a file of secrets is read as a setting's value."""
    return file.name.upper().startswith(PREFIX) and file.is_file()


def _is_ours(name: str) -> bool:
    upper = name.upper()
    return upper.startswith(PREFIX) and upper not in _SOURCES and not upper.startswith(_OF_TESTS)


def _names_in(file: Path) -> set[str]:
    # `Path("")` is the folder: no file is to be read.
    if not file.is_file():
        return set()
    lines = file.read_text("utf-8", "replace").splitlines()
    return {match[1] for match in map(_LINE.match, lines) if match}


def _told(name: str, short: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(short, known, n=1)
    return f"{name} ({PREFIX}{nearest[0]}?)" if nearest else name
