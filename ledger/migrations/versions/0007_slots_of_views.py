"""Two slots of tables per view, which of them is live, and the projections that are in step."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "projections",
        sa.Column("view", sa.Text, nullable=False),
        sa.Column("live", sa.SmallInteger, nullable=False),
        sa.Column("previous", sa.SmallInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("throttle", sa.Integer),
        sa.Column("begun_at", sa.BigInteger),
        sa.Column("begun_from", sa.BigInteger),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("view", name="pk_projections"),
    )
    for name in ("epoch", "n"):
        op.add_column(
            "checkpoints", sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
        )
    # What was in step has taken all that the ledger has.
    op.execute(
        "UPDATE checkpoints SET"
        " epoch = (SELECT p.epoch FROM partitions p WHERE p.partition = checkpoints.partition),"
        " n = (SELECT p.n FROM partitions p WHERE p.partition = checkpoints.partition)"
        " WHERE error IS NULL"
    )
    op.add_column("partitions", sa.Column("in_step", sa.Text, nullable=False, server_default=""))
    # There was one view.
    op.execute("UPDATE partitions SET in_step = 'items' WHERE detached = ''")
    op.drop_column("partitions", "detached")
    op.execute(
        "INSERT INTO projections (view, live, previous, state, changed_at)"
        " SELECT 'items', 1, 0, 'idle', 0"
    )
