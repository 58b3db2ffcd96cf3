"""The settings: names that are none, secrets that others read, services that others reach."""

import os
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.doctor.finding import Check, Doubt, Fault, Finding, Fine, Told, told
from cli.exposure import is_readable_by_others
from cli.misspelt import is_a_setting_s, tell_unknown
from cli.read_settings import secret_files, settings_file
from runtime.auth.exposure import exposed_without_keys, names_only_itself
from runtime.settings import PREFIX, Settings


@dataclass(frozen=True, slots=True)
class SettingsFacts:
    """`unknown` tells of names that are no setting's, `open_files` are files with secrets in them
    that others on this machine can read.
    """

    settings: Settings
    file: Path
    unknown: str | None
    open_files: tuple[Path, ...]


def _names(facts: SettingsFacts) -> Finding:
    if facts.unknown is None:
        read = facts.file if facts.file.is_file() else "no file of settings"
        return Fine(f"all known ({read})")
    return Doubt(facts.unknown, "mend the name, or take it out: as it stands it changes nothing")


def _open_to(facts: SettingsFacts) -> Finding:
    why = exposed_without_keys(facts.settings)
    if why is not None:
        return Fault("others reach the services and no token is asked of them", why)
    if not facts.settings.has_keys:
        return Fine("this machine alone, without tokens")
    return Fine(f"whoever has a token; listens on {facts.settings.host or 'all addresses'}")


def _links(facts: SettingsFacts) -> Finding:
    why = names_only_itself(facts.settings)
    if why is None:
        return Fine(facts.settings.public_query_url)
    seen, _, mend = why.rpartition(": ")
    return Doubt(seen, mend)


def _secrets(facts: SettingsFacts) -> Finding | None:
    if facts.open_files:
        names = " ".join(map(str, facts.open_files))
        return Doubt(f"others on this machine can read {names}", f"chmod 600 {names}")
    return Fine("for their owner alone") if facts.settings.has_keys else None


def _workers(facts: SettingsFacts) -> Finding | None:
    settings = facts.settings
    if settings.is_sqlite and settings.workers > 1:
        return Fault(
            f"{settings.workers} workers on SQLite, which lets one process write",
            f"set {PREFIX}WORKERS=1, or {PREFIX}DATABASE_URL to a PostgreSQL",
        )
    return None


CHECKS = (
    Check("settings: names", _names),
    Check("settings: open to", _open_to),
    Check("settings: links", _links),
    Check("settings: secrets", _secrets),
    Check("settings: workers", _workers),
)


def look(settings: Settings, environ: Mapping[str, str] = os.environ) -> Generator[Told]:
    """Look at the settings and where they come from."""
    file, secrets = settings_file(), secret_files()
    facts = SettingsFacts(
        settings, file, tell_unknown(environ, file, secrets), _open(settings, file, secrets)
    )
    yield from told(CHECKS, facts)


def _open(settings: Settings, file: Path, secrets: Iterable[Path]) -> tuple[Path, ...]:
    found = [each for each in secrets if is_a_setting_s(each) and is_readable_by_others(each)]
    secret = settings.token_secret_file
    if settings.token_secret is None and secret is not None and is_readable_by_others(secret):
        found.append(secret)
    if file.is_file() and _holds_secret(file) and is_readable_by_others(file):
        found.append(file)
    return tuple(found)


def _holds_secret(file: Path) -> bool:
    lines = file.read_text("utf-8", "replace").upper().splitlines()
    words = (f"{PREFIX}TOKEN_SECRET=", f"{PREFIX}TOKEN=")
    return any(
        line.removeprefix("EXPORT ").startswith(words) and line.partition("=")[2].strip()
        for line in map(str.strip, lines)
    )
