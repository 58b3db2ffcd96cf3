"""Who gives an order at the console."""

import getpass
import os


def operator() -> str:
    """Name the user of this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a uid that has no name; Python 3.13 raises OSError for it.
        return f"uid-{os.getuid()}"
