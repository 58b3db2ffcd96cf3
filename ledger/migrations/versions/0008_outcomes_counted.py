"""How many outcomes there were, so that nobody has to count them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column(
        "partitions", sa.Column("outcomes", sa.BigInteger, nullable=False, server_default="0")
    )
    # Those that earlier releases have forgotten are not known any more.
    op.execute(
        "UPDATE partitions SET outcomes ="
        " (SELECT count(*) FROM outcomes o WHERE o.partition = partitions.partition)"
    )
