"""Quarantine, detached projections, how far ended epochs were taken, and what kind a gap is of."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column(
        "partitions", sa.Column("quarantined", sa.Integer, nullable=False, server_default="0")
    )
    op.add_column("partitions", sa.Column("detached", sa.Text, nullable=False, server_default=""))
    op.add_column("checkpoints", sa.Column("error", sa.Text))
    op.add_column("gaps", sa.Column("kind", sa.Text, nullable=False, server_default="lost"))
    op.create_table(
        "epochs",
        sa.Column("partition", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("partition", "epoch", name="pk_epochs"),
    )
    # What earlier releases have taken, as far as their outcomes still tell.
    op.execute(
        "INSERT INTO epochs (partition, epoch, n)"
        " SELECT o.partition, o.epoch, max(o.n) FROM outcomes o"
        " JOIN partitions p ON p.partition = o.partition WHERE o.epoch < p.epoch"
        " GROUP BY o.partition, o.epoch"
    )
    op.create_table(
        "quarantine",
        sa.Column("command_id", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("item_id", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("command_id", name="pk_quarantine"),
    )
    op.create_index("ix_quarantine_partition_item_id", "quarantine", ["partition", "item_id"])
