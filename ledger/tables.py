"""The tables of the ledger. Times are milliseconds since 1970."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# Facts fixed at the first start, such as the number of partitions.
facts = Table(
    "facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# One row per partition: the lock of its writer, how far the log is taken (epoch, n), the last
# offset given out, the last recorded_at and the last link of the hash chain; `quarantined` counts
# its commands that are dead or parked, `in_step` names the projections (parted by commas) that take
# its events in the transaction that appends them; `outcomes` counts those that were ever kept.
partitions = Table(
    "partitions",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("quarantined", Integer, nullable=False, server_default="0"),
    Column("in_step", Text, nullable=False, server_default=""),
    Column("outcomes", BigInteger, nullable=False, server_default="0"),
)

# How far each epoch of the log was taken that the ledger has left behind.
epochs = Table(
    "epochs",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("n", BigInteger, nullable=False),
)

# What happened. `data` is the event's own members as JSON.
events = Table(
    "events",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("item_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("command_id", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    Column("recorded_at", BigInteger, nullable=False),
    Column("effective_at", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("item_id", "version"),
)

# The last state of every item, for decide. `schedules` are its pending scheduled prices as JSON,
# `due_at` is when the next of them begins or ends.
heads = Table(
    "heads",
    metadata,
    Column("item_id", Text, primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("price", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Column("effective_at", BigInteger, nullable=False),
    Column("schedules", Text),
    Column("due_at", BigInteger),
    Index(
        None,
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

# What became of every command; `request_id` and `trace` (a W3C traceparent) are what the request
# that brought it was called, where it was.
outcomes = Table(
    "outcomes",
    metadata,
    Column("command_id", Text, primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("http_status", SmallInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("code", Text),
    Column("detail", Text),
    Column("fingerprint", Text, nullable=False),
    Column("completed_at", BigInteger, nullable=False),
    Column("request_id", Text),
    Column("trace", Text),
    Index(None, "completed_at"),
)

# How far each projection has taken each partition: the ledger offset, and the last position of the
# log that this is known to cover; `error` says why it is detached.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("projection", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, nullable=False),
    Column("error", Text),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("n", BigInteger, nullable=False, server_default="0"),
)

# The views: which of their two slots is read (0 before there is one), whether the other one can be
# gone back to, and what is done about it (`ledger.projections.State`). A build began, or went
# on, at `begun_at` after `begun_from` events; it takes at most `throttle` events a second.
# `by_item` is how far it is while it takes one item after the other, as JSON
# (`ledger.projections.ByItem`).
projections = Table(
    "projections",
    metadata,
    Column("view", Text, primary_key=True),
    Column("live", SmallInteger, nullable=False),
    Column("previous", SmallInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("detail", Text),
    Column("throttle", Integer),
    Column("begun_at", BigInteger),
    Column("begun_from", BigInteger),
    Column("changed_at", BigInteger, nullable=False),
    Column("by_item", Text),
)

# Commands that hit a defect (`dead`), and later ones of the same items that wait behind them
# (`parked`). `body` is the log entry as it came, in base64.
quarantine = Table(
    "quarantine",
    metadata,
    Column("command_id", Text, primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("item_id", Text),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("error", Text),
    Column("since", BigInteger, nullable=False),
    Index(None, "partition", "item_id"),
)

# Positions of the log that were given out and are not there any more: `lost`, or `kept` where the
# ledger had taken them before.
gaps = Table(
    "gaps",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("from_epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("from_n", BigInteger, primary_key=True, autoincrement=False),
    Column("to_epoch", BigInteger, nullable=False),
    Column("to_n", BigInteger, nullable=False),
    Column("noticed_at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False, server_default="lost"),
)

# Imports, each in its home partition. `rows` counts what was read, once all of it is; `reverts`
# names the import that one takes back.
imports = Table(
    "imports",
    metadata,
    Column("import_id", Text, primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("dry_run", SmallInteger, nullable=False),
    Column("stop_on_error", SmallInteger, nullable=False),
    Column("reverts", Text),
    Column("rows", BigInteger),
    Column("detail", Text),
    Column("begun_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("file_name", Text),
    Index(None, "begun_at"),
    Index(
        None,
        "reverts",
        "begun_at",
        "import_id",
        sqlite_where=text("reverts IS NOT NULL"),
        postgresql_where=text("reverts IS NOT NULL"),
    ),
)

# What became of an import's rows, counted per partition; the results themselves are outcomes.
# `stopped` is 1 where one was rejected of an import that stops then. The first came after the event
# at `after_offset`, and the last event of theirs is at `last_offset`: a revert that began there
# before that has not taken everything back.
import_counts = Table(
    "import_counts",
    metadata,
    Column("import_id", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("applied", BigInteger, nullable=False),
    Column("unchanged", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
    Column("other", BigInteger, nullable=False),
    Column("stopped", SmallInteger, nullable=False),
    Column("after_offset", BigInteger),
    Column("last_offset", BigInteger),
)

# The items that an import has changed: their versions before its first change and after its last.
import_items = Table(
    "import_items",
    metadata,
    Column("import_id", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("item_id", Text, primary_key=True),
    Column("before", BigInteger, nullable=False),
    Column("after", BigInteger, nullable=False),
)

# Items as a dry run would have left them, until it is forgotten; `state` is the item as JSON.
dry_items = Table(
    "dry_items",
    metadata,
    Column("import_id", Text, primary_key=True),
    Column("item_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
)

# Tokens that are not to be taken any more, until they would have expired.
revocations = Table(
    "revocations",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger, nullable=False),
    Column("revoked_by", Text, nullable=False),
)
