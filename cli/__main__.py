"""`python -m cli` is `itemledger`."""

import sys

from runtime.lean import keep_out

_INTERRUPTED = 130

# Here, because processes that are spawned load this file and nothing else of it.
keep_out()


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
