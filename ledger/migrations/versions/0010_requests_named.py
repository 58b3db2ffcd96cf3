"""By which request, and as part of which trace, a command came."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for name in ("request_id", "trace"):
        op.add_column("outcomes", sa.Column(name, sa.Text))
