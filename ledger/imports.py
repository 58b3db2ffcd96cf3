"""Imports: where they have got to, what became of their rows, and which items they changed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    case,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from domain.item import Item
from domain.schedules import Price, Schedule
from ledger.bulk import Columns, among, upsert_rows
from ledger.tables import dry_items, import_counts, import_items, imports

# In place of a version that no item ever has.
MIXED = -1

ImportStatus = Literal["receiving", "paused", "received", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Import:
    """An import as its home partition knows it. `rows` counts what was read, `None` until all of it
    is, or what is on the log where it was cancelled before; `reverts` names the import that this
    one takes back, and `file` is what its file is called. Times are milliseconds since 1970.
    """

    id: str
    partition: int
    status: ImportStatus
    actor: str
    dry: bool
    stop: bool
    reverts: str | None
    rows: int | None
    detail: str | None
    begun_at: int
    changed_at: int
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows of an import in one partition, or in all of them."""

    applied: int = 0
    unchanged: int = 0
    rejected: int = 0
    skipped: int = 0
    other: int = 0
    stopped: int = 0

    def plus(self, more: "Counts") -> "Counts":
        return Counts(
            self.applied + more.applied,
            self.unchanged + more.unchanged,
            self.rejected + more.rejected,
            self.skipped + more.skipped,
            self.other + more.other,
            max(self.stopped, more.stopped),
        )

    @property
    def final(self) -> int:
        """How many rows have a result."""
        return self.applied + self.unchanged + self.rejected + self.skipped + self.other


@dataclass(frozen=True, slots=True)
class Touched:
    """An item that an import changed: its versions before the first change and after the last, or
    `MIXED` where somebody else has changed it in between.
    """

    item_id: str
    before: int
    after: int


def find(connection: Connection, import_id: str) -> Import | None:
    row = (
        connection.execute(select(imports).where(imports.c.import_id == import_id))
        .mappings()
        .one_or_none()
    )
    return None if row is None else _import(row)


def among_imports(connection: Connection, ids: Collection[str]) -> Mapping[str, str | None]:
    """Tell which of these are imports, each with the one that it takes back, if it does."""
    statement = select(imports.c.import_id, imports.c.reverts).where(imports.c.import_id.in_(ids))
    return {row.import_id: row.reverts for row in connection.execute(statement)}


def newest(connection: Connection, before: Sequence[Any] | None, most: int) -> list[Import]:
    """List imports, the newest first: those that began before one (its moment and id), if that is
    said.
    """
    statement = select(imports).order_by(imports.c.begun_at.desc(), imports.c.import_id.desc())
    if before is not None:
        at, import_id = before
        statement = statement.where(
            or_(
                imports.c.begun_at < at,
                and_(imports.c.begun_at == at, imports.c.import_id < import_id),
            )
        )
    return [_import(row) for row in connection.execute(statement.limit(most)).mappings()]


def file_names(connection: Connection, import_ids: Sequence[str]) -> dict[str, str | None]:
    """Tell what the files of those imports are called that are still known."""
    statement = select(imports.c.import_id, imports.c.file_name).where(
        imports.c.import_id.in_(import_ids)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}


def unheard_of(import_id: str) -> Import:
    """Make an import that is begun, and of which the ledger knows nothing yet."""
    return Import(import_id, 0, "receiving", "", False, False, None, None, None, 0, 0)


def store(connection: Connection, stored: Import) -> None:
    upsert_rows(
        connection,
        imports,
        [
            {
                "import_id": stored.id,
                "partition": stored.partition,
                "status": stored.status,
                "actor": stored.actor,
                "dry_run": int(stored.dry),
                "stop_on_error": int(stored.stop),
                "reverts": stored.reverts,
                "rows": stored.rows,
                "detail": stored.detail,
                "begun_at": stored.begun_at,
                "changed_at": stored.changed_at,
                "file_name": stored.file,
            }
        ],
    )


def counted(connection: Connection, import_id: str, partition: int) -> Counts:
    """Read what became of the rows in one partition."""
    statement = select(import_counts).where(
        import_counts.c.import_id == import_id, import_counts.c.partition == partition
    )
    row = connection.execute(statement).mappings().one_or_none()
    return Counts() if row is None else Counts(*(row[each.name] for each in fields(Counts)))


def total(connection: Connection, import_id: str) -> Counts:
    """Sum up what became of the rows in all partitions."""
    return totals(connection, [import_id]).get(import_id, Counts())


def totals(connection: Connection, import_ids: Sequence[str]) -> dict[str, Counts]:
    """Sum that up for several imports; one of which nothing has become yet is left out."""
    sums = [func.sum(import_counts.c[each.name]) for each in fields(Counts)]
    statement = (
        select(import_counts.c.import_id, *sums)
        .where(import_counts.c.import_id.in_(import_ids))
        .group_by(import_counts.c.import_id)
    )
    return {row[0]: Counts(*map(int, row[1:])) for row in connection.execute(statement)}


def count(
    connection: Connection,
    import_id: str,
    partition: int,
    counts: Counts,
    *,
    after: int | None = None,
    last: int | None = None,
) -> None:
    """Keep what became of the rows in one partition. The first of them came after the event at the
    offset `after`; the `last` event that is theirs is kept until there is a later one.
    """
    row = {
        "import_id": import_id,
        "partition": partition,
        **asdict(counts),
        "after_offset": after,
        "last_offset": last,
    }
    upsert_rows(connection, import_counts, [row], _counted_on)


def _counted_on(new: Columns) -> Mapping[str, ColumnElement[Any]]:
    last = func.coalesce(new["last_offset"], import_counts.c.last_offset)
    return {each.name: new[each.name] for each in fields(Counts)} | {"last_offset": last}


def is_over(connection: Connection, import_id: str) -> bool:
    """Say whether no more rows are taken: it was cancelled, or one was rejected that stops it."""
    cancelled = select(imports.c.import_id).where(
        imports.c.import_id == import_id, imports.c.status == "cancelled"
    )
    stopped = select(import_counts.c.import_id).where(
        import_counts.c.import_id == import_id, import_counts.c.stopped > 0
    )
    return connection.execute(cancelled.union_all(stopped).limit(1)).first() is not None


def touch(
    connection: Connection, import_id: str, partition: int, touched: Iterable[Touched]
) -> None:
    """Keep which items were changed; of one that was before, only the version after, and that it is
    mixed where it does not go on from there.
    """
    upsert_rows(
        connection,
        import_items,
        [
            {
                "import_id": import_id,
                "partition": partition,
                "item_id": each.item_id,
                "before": each.before,
                "after": each.after,
            }
            for each in touched
        ],
        _gone_on,
    )


def _gone_on(new: Columns) -> Mapping[str, ColumnElement[Any]]:
    """Go on from the version that the import itself has left behind, if the item still had it."""
    unchanged = import_items.c.after == new["before"]
    return {"after": case((unchanged, new["after"]), else_=literal_column(str(MIXED), BigInteger))}


def touched_after(
    connection: Connection, import_id: str, partition: int, after: str, most: int
) -> list[Touched]:
    """List changed items whose ids follow another, in the order of their ids."""
    statement = (
        select(import_items.c.item_id, import_items.c.before, import_items.c.after)
        .where(
            import_items.c.import_id == import_id,
            import_items.c.partition == partition,
            import_items.c.item_id > after,
        )
        .order_by(import_items.c.item_id)
        .limit(most)
    )
    return [Touched(*row) for row in connection.execute(statement)]


def load_dry(connection: Connection, import_id: str, item_ids: Collection[str]) -> dict[str, Item]:
    """Load items as a dry run has left them."""
    statement = select(dry_items.c.item_id, dry_items.c.state).where(
        dry_items.c.import_id == import_id,
        among(connection, dry_items.c.item_id, list(item_ids)),
    )
    return {row[0]: _item(orjson.loads(row[1])) for row in connection.execute(statement)}


def store_dry(connection: Connection, import_id: str, items: Iterable[Item]) -> None:
    upsert_rows(
        connection,
        dry_items,
        [
            {
                "import_id": import_id,
                "item_id": item.id,
                "state": orjson.dumps(asdict(item)).decode(),
            }
            for item in items
        ],
    )


def forget(connection: Connection, changed_before: int, most: int) -> bool:
    """Delete the oldest import that has not changed since a moment, up to `most` rows of it; say
    whether there may be more to delete.
    """
    statement = (
        select(imports.c.import_id)
        .where(imports.c.changed_at < changed_before)
        .order_by(imports.c.changed_at)
        .limit(1)
    )
    oldest = connection.scalar(statement)
    if oldest is None:
        return False
    for table in (import_items, dry_items):
        some = select(table.c.item_id).where(table.c.import_id == oldest).limit(most)
        gone = delete(table).where(table.c.import_id == oldest, table.c.item_id.in_(some))
        if connection.execute(gone).rowcount:
            return True
    for table in (import_counts, imports):
        connection.execute(delete(table).where(table.c.import_id == oldest))
    return True


def forget_dry(connection: Connection, begun_before: int, most: int) -> bool:
    """Delete up to `most` rows of what dry runs left that began before a moment; say whether there
    may be more to delete.
    """
    old = select(imports.c.import_id).where(imports.c.begun_at < begun_before)
    key = (dry_items.c.import_id, dry_items.c.item_id)
    some = select(*key).where(dry_items.c.import_id.in_(old)).limit(most)
    return connection.execute(delete(dry_items).where(tuple_(*key).in_(some))).rowcount == most


def _import(row: RowMapping) -> Import:
    return Import(
        row["import_id"],
        row["partition"],
        row["status"],
        row["actor"],
        bool(row["dry_run"]),
        bool(row["stop_on_error"]),
        row["reverts"],
        row["rows"],
        row["detail"],
        row["begun_at"],
        row["changed_at"],
        row["file_name"],
    )


def _item(state: Mapping[str, Any]) -> Item:
    schedules = tuple(
        replace(
            Schedule(**each),
            price=Price(**each["price"]),
            regular=None if each["regular"] is None else Price(**each["regular"]),
        )
        for each in state["schedules"]
    )
    members: dict[str, Any] = {**state, "schedules": schedules}
    return Item(**members)
