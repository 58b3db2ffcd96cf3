"""Between which events the rows of an import came, so that what a revert left is told."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("import_counts", sa.Column("after_offset", sa.BigInteger))
    op.add_column("import_counts", sa.Column("last_offset", sa.BigInteger))
