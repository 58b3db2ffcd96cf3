"""Scheduled prices with the heads, and imports."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("heads", sa.Column("schedules", sa.Text))
    op.add_column("heads", sa.Column("due_at", sa.BigInteger))
    # Few items have something pending: the others cost nothing.
    op.create_index(
        "ix_heads_due_at",
        "heads",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "imports",
        sa.Column("import_id", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("dry_run", sa.SmallInteger, nullable=False),
        sa.Column("stop_on_error", sa.SmallInteger, nullable=False),
        sa.Column("reverts", sa.Text),
        sa.Column("rows", sa.BigInteger),
        sa.Column("detail", sa.Text),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("import_id", name="pk_imports"),
    )
    op.create_index("ix_imports_begun_at", "imports", ["begun_at"])
    op.create_table(
        "import_counts",
        sa.Column("import_id", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, autoincrement=False, nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("applied", "unchanged", "rejected", "skipped", "other")
        ),
        sa.Column("stopped", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("import_id", "partition", name="pk_import_counts"),
    )
    # Versions, as everywhere, begin at 1: before an item's first it is 0.
    op.create_table(
        "import_items",
        sa.Column("import_id", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("before", sa.BigInteger, nullable=False),
        sa.Column("after", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("import_id", "partition", "item_id", name="pk_import_items"),
    )
    op.create_table(
        "dry_items",
        sa.Column("import_id", sa.Text, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("import_id", "item_id", name="pk_dry_items"),
    )
