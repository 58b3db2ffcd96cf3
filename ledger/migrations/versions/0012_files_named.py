"""What an import's file is called."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("imports", sa.Column("file_name", sa.Text))
