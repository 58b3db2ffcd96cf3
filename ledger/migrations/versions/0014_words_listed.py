"""The search view's words can be listed on SQLite.

The list is the view's own: whoever migrates makes it in the same transaction, as all that is of
views. The number keeps a query process from a database that has none yet.
"""

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    pass
