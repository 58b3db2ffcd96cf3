"""The ledger and the items view."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Code-point order on every engine: PostgreSQL's "C" collation, SQLite's own default.
_ordered = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )
    op.create_table(
        "partitions",
        sa.Column("partition", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("partition", name="pk_partitions"),
    )
    op.create_table(
        "events",
        sa.Column("partition", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("command_id", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("effective_at", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset", name="pk_events"),
        sa.UniqueConstraint("item_id", "version", name="uq_events_item_id_version"),
    )
    op.create_table(
        "heads",
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", sa.BigInteger),
        sa.Column("effective_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("item_id", name="pk_heads"),
    )
    op.create_table(
        "outcomes",
        sa.Column("command_id", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("http_status", sa.SmallInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("completed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("command_id", name="pk_outcomes"),
    )
    op.create_index("ix_outcomes_completed_at", "outcomes", ["completed_at"])
    op.create_table(
        "checkpoints",
        sa.Column("projection", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("projection", "partition", name="pk_checkpoints"),
    )
    op.create_table(
        "gaps",
        sa.Column("partition", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("from_epoch", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("from_n", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("to_epoch", sa.BigInteger, nullable=False),
        sa.Column("to_n", sa.BigInteger, nullable=False),
        sa.Column("noticed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("partition", "from_epoch", "from_n", name="pk_gaps"),
    )
    op.create_table(
        "items",
        sa.Column("item_id", _ordered, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("name_key", _ordered, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("item_id", name="pk_items"),
    )
    op.create_index("ix_items_name_key_item_id", "items", ["name_key", "item_id"])
    op.create_index("ix_items_price_item_id", "items", ["price", "item_id"])
    op.create_index("ix_items_updated_at_item_id", "items", ["updated_at", "item_id"])
