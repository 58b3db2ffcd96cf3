"""How far a view is that is built from the events of one item after the other."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("projections", sa.Column("by_item", sa.Text))
