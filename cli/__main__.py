"""`python -m cli` is `itemledger`."""

import sys

if __name__ == "__main__":
    try:
        # Imported here: a Ctrl-C while it is loaded is one like any other.
        from cli.main import main

        main()
    except KeyboardInterrupt:
        sys.exit(130)
