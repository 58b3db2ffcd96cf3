"""Which imports take back another is found without reading all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_index(
        "ix_imports_reverts_begun_at_import_id",
        "imports",
        ["reverts", "begun_at", "import_id"],
        sqlite_where=sa.text("reverts IS NOT NULL"),
        postgresql_where=sa.text("reverts IS NOT NULL"),
    )
