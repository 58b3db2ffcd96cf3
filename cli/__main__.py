"""`python -m cli` is `itemledger`."""

import os
import sys

from runtime.lean import keep_out

_INTERRUPTED = 130
# By it a shell asks what a word may go on with.
_COMPLETING = "_ITEMLEDGER_COMPLETE"

# Here, because processes that are spawned load this file and nothing else of it.
keep_out()
if _COMPLETING in os.environ:
    # Typer loads it to take the markup out of help that has none: a third of the time that somebody
    # waits who has pressed Tab. It does without where there is none.
    keep_out("rich")


def main() -> None:
    """Run the command of the command line."""
    try:
        # Imported here: a Ctrl-C while it is loaded is one like any other.
        from cli.main import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
