"""A log's file that is damaged in its middle: where, what that means, and what can be done.

What is torn off at the end of the file, as by a power cut, the server passes over by itself: it was
never acknowledged. Its advice for all else, to run `valkey-check-aof --fix` on the manifest, cuts
the first file to nothing where that is a snapshot, and says of no command that it is lost.
"""

import re
import subprocess
from pathlib import Path

_DAMAGED = re.compile(r"Bad file format reading the append only file ([\w.-]+):")
_WHOLE_UP_TO = re.compile(r"ok_up_to=([0-9]+)")
# As the server is called to look at a file in place of serving it.
_CHECK = "valkey-check-aof"
# Seconds; it reads some hundred megabytes in one.
_LONGEST = 600


def told_damage(server: Path, folder: Path, said: str) -> str | None:
    """Tell in one line which file of the server's folder is damaged and where, by what it `said`
    last; `None` where it said something else.
    """
    match = _DAMAGED.search(said)
    if match is None:
        return None
    file = folder / "appendonlydir" / match[1]
    whole = _whole_up_to(server, file)
    if whole is None:
        return f"the log's file {file} is damaged: restore a backup (docs/backup.md)"
    return (
        f"the log's file {file} is damaged behind byte {whole:,} of {file.stat().st_size:,}, and "
        "not only torn off at its end; nothing was changed. What was applied is in the database; "
        "accepted commands that were not, and stand behind that byte, can not be read. Restore a "
        "backup (docs/backup.md), or give those commands up for good, which are told as lost then: "
        f"copy {folder} elsewhere, `truncate -s {whole} {file}`, and start again"
    )


def _whole_up_to(server: Path, file: Path) -> int | None:
    """Find the byte up to which a file can be read; `None` where that can not be told."""
    try:
        looked = subprocess.run(  # noqa: S603  our own arguments
            [_CHECK, str(file)],
            executable=server,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LONGEST,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _WHOLE_UP_TO.search(looked.stdout.decode(errors="replace"))
    return int(match[1]) if match else None
