"""What `up` has done before it starts a process that needs a database: this release's schema, laid
out as the log is and as the settings say. A process of its own: what this loads, `up` would keep.
So it also asks the log how safely it is kept.
"""

import sys

from cli.durability import told_durability
from cli.layout import check_layout
from cli.migrate import migrate_database
from cli.read_settings import read_settings
from cli.refusals import Refusal
from runtime.telemetry import configure_logging


def main() -> int:
    """Prepare, and return the exit code. On standard output stands how safely the log is kept, or
    why it refuses.
    """
    try:
        settings = read_settings()
        configure_logging(settings, "up")
        migrate_database(settings.sql_url)
        check_layout(settings)
        if settings.has_keys:
            # Imported here: few services on one machine have keys, and it takes a while.
            from cli.tokens import mirror_revocations  # noqa: PLC0415

            mirror_revocations(settings)
        sys.stdout.write(f"{told_durability(settings)}\n")
    except Refusal as refusal:
        sys.stdout.write(f"{refusal}\n")
        return refusal.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
