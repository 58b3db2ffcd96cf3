"""What became of the rows of an import, row by row, in their order."""

from dataclasses import dataclass

from sqlalchemy import Connection, Integer, Text, bindparam, cast, literal, null, or_, select

from ledger.tables import outcomes, quarantine

# The ids of an import's rows are the import's, a dot and this many digits; what follows them tells
# a row that came again with other content.
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class RowResult:
    """`key` is where it stands among the others; `item_id` is `None` where the row names none."""

    key: str
    row: int
    item_id: str | None
    status: str
    version: int
    http_status: int | None
    code: str | None
    detail: str | None


_status = bindparam("status", type_=Text)
_FINAL = select(
    outcomes.c.command_id,
    outcomes.c.item_id,
    outcomes.c.status,
    outcomes.c.version,
    cast(outcomes.c.http_status, Integer).label("http_status"),
    outcomes.c.code,
    outcomes.c.detail,
).where(
    outcomes.c.command_id > bindparam("after"),
    outcomes.c.command_id <= bindparam("last"),
    or_(_status.is_(None), outcomes.c.status == _status),
)
# Whatever is dead or parked may be tried again: it has no outcome yet.
_SET_ASIDE = select(
    quarantine.c.command_id,
    quarantine.c.item_id,
    quarantine.c.state,
    literal(0),
    cast(null(), Integer),
    cast(null(), Text),
    quarantine.c.error,
).where(
    quarantine.c.command_id > bindparam("after"),
    quarantine.c.command_id <= bindparam("last"),
    or_(_status.is_(None), quarantine.c.state == _status),
)
_PAGE = _FINAL.union_all(_SET_ASIDE).order_by("command_id").limit(bindparam("most"))


def page(
    connection: Connection, import_id: str, status: str | None, after: str | None, most: int
) -> list[RowResult]:
    """List up to so many results, of one status if that is said, that follow a key."""
    given = {
        "after": after or f"{import_id}.{'0' * _DIGITS}",
        "last": f"{import_id}.{'9' * _DIGITS}",
        "status": status,
        "most": most,
    }
    place = slice(len(import_id) + 1, len(import_id) + 1 + _DIGITS)
    return [
        RowResult(
            row.command_id,
            int(row.command_id[place]),
            row.item_id or None,
            row.status,
            row.version,
            row.http_status,
            row.code,
            row.detail,
        )
        for row in connection.execute(_PAGE, given)
    ]
