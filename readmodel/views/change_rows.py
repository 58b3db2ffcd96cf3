"""The statements of the feed: stretches of partitions, and of one item's versions."""

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    bindparam,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.sql import ClauseElement

from ledger.prepared import Prepared, among
from ledger.tables import events
from ledger.upcasting import SEPARATOR

ChangeRow = Row[*tuple[Any, ...]]

_COLUMNS = (
    events.c.partition,
    events.c.offset,
    events.c.item_id,
    events.c.version,
    events.c.type,
    events.c.data,
    events.c.command_id,
    events.c.actor,
    events.c.reason,
    events.c.recorded_at,
    events.c.effective_at,
    events.c.hash,
)
_ZERO, _ONE = literal_column("0", Integer), literal_column("1", Integer)


@cache
def of_partitions(count: int, *, filtered: bool) -> Prepared:
    """Make the statement that reads stretches of so many partitions: of the n-th those after
    `after_n` and not beyond `upto_n`, `most_n` of them; of these `types` if it is `filtered`.
    """

    def build(dialect_name: str) -> ClauseElement:
        each = [_of_partition(n, dialect_name, filtered=filtered) for n in range(count)]
        # In a union, only what stands in brackets may have an order and a limit of its own.
        return union_all(*(select(*one.subquery().c) for one in each))

    return Prepared(build)


@cache
def of_versions(*, filtered: bool) -> Prepared:
    """Make the statement that reads the versions of an item from `first` on and before `beyond`,
    `most` of them.
    """

    def build(dialect_name: str) -> ClauseElement:
        versions = select(*_COLUMNS).where(
            events.c.item_id == bindparam("item_id"),
            events.c.version >= bindparam("first"),
            events.c.version < bindparam("beyond"),
        )
        if filtered:
            versions = versions.where(_of_types(dialect_name))
        return _first(versions.order_by(events.c.version), bindparam("most", type_=Integer))

    return Prepared(build)


LAST_VERSION = Prepared(
    lambda _: _first(
        select(events.c.partition, events.c.version, events.c.offset)
        .where(events.c.item_id == bindparam("item_id"))
        .order_by(events.c.version.desc()),
        _ONE,
    )
)
OFFSET_OF_VERSION = Prepared(
    lambda _: select(events.c.offset).where(
        events.c.item_id == bindparam("item_id"), events.c.version == bindparam("version")
    )
)


def _of_partition(n: int, dialect_name: str, *, filtered: bool) -> Select[*tuple[Any, ...]]:
    stretch = select(*_COLUMNS).where(
        events.c.partition == bindparam(f"partition_{n}"),
        events.c.offset > bindparam(f"after_{n}"),
        events.c.offset <= bindparam(f"upto_{n}"),
    )
    if filtered:
        stretch = stretch.where(_of_types(dialect_name))
    return _first(stretch.order_by(events.c.offset), bindparam(f"most_{n}", type_=Integer))


def _first(
    statement: Select[*tuple[Any, ...]], most: ColumnElement[int]
) -> Select[*tuple[Any, ...]]:
    # SQLite would get a parameter of its own for the offset.
    return statement.limit(most).offset(_ZERO)


def _of_types(dialect_name: str) -> ColumnElement[bool]:
    """Say that a type, whatever version of it, is one of `types`: newer versions than are known
    here, too.
    """
    separator: ColumnElement[str] = literal_column(f"'{SEPARATOR}'", events.c.type.type)
    if dialect_name == "postgresql":
        name = func.split_part(events.c.type, separator, _ONE, type_=events.c.type.type)
    else:
        length = func.instr(events.c.type + separator, separator, type_=Integer()) - _ONE
        name = func.substr(events.c.type, _ONE, length, type_=events.c.type.type)
    return among(dialect_name, name, "types")
