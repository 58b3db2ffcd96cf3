"""A database that can not be used is answered with one line that says how to mend it."""

from pathlib import Path

from cli.refusals import UNREACHABLE, Refusal, reason, without_password
from runtime.settings import PREFIX

# How SQLite says that a file is not, or not any more, a database.
_DAMAGED = ("malformed", "not a database")
_RESTORE = "the file is damaged: restore a backup"


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
