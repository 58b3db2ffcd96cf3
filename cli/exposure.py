"""Refuse to serve where others could come in without saying who they are, and warn where what they
are told, or who may read the secret, is most likely not meant.
"""

import os
import stat
from collections.abc import Generator
from pathlib import Path

from cli.refusals import WRONG_USAGE, Refusal, warn
from runtime.auth.exposure import names_only_itself
from runtime.auth.guard import Unguarded, guard_of
from runtime.settings import PREFIX, Settings

# Where containers are given their secrets: as files for everybody, in a container of their own.
_MOUNTED = Path("/run/secrets")
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH


def require_guard(settings: Settings) -> None:
    """Warn of what is exposed without anybody meaning it. Raises Refusal where the services would
    be open to others, or could not judge a token.
    """
    try:
        guard_of(settings)
    except Unguarded as error:
        raise Refusal(str(error), WRONG_USAGE) from None
    # What `up` has started, it has warned of.
    if not settings.is_started_by_up:
        for line in _doubts(settings):
            warn(line)


def _doubts(settings: Settings) -> Generator[str]:
    unnamed = names_only_itself(settings)
    if unnamed is not None:
        yield unnamed
    file = settings.token_secret_file
    if settings.token_secret is None and file is not None and is_readable_by_others(file):
        yield (
            f"others on this machine can read {file} ({PREFIX}TOKEN_SECRET_FILE), and with what is "
            "in it make tokens: chmod 600 it"
        )


def is_readable_by_others(file: Path) -> bool:
    """Say whether others on this machine can read a file; those that a container is given do not
    count. What lies in a folder that its owner alone can enter is read by nobody else, whatever its
    own mode is: engines want such files, as they hand them to processes of other users.
    """
    real = file.resolve()
    if any(each.is_relative_to(_MOUNTED) for each in (file, real)):
        return False
    found = real.stat()
    # A folder of somebody else's shuts out all but them.
    trusted = {0, found.st_uid, os.geteuid()}
    return bool(found.st_mode & _OTHERS_READ) and not any(
        not folder.st_mode & _OTHERS_ENTER and folder.st_uid in trusted
        for folder in (each.stat() for each in real.parents)
    )
