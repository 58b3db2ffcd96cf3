"""Items as they were at versions that they have reached, many in one statement."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    Connection,
    FromClause,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import ClauseElement

from domain.events import Event
from domain.evolve import fold
from domain.item import Item
from ledger.codec import decode
from ledger.prepared import Prepared
from ledger.tables import events


def _deciding_each(dialect_name: str) -> ClauseElement:
    pairs = _pairs(dialect_name)
    last = (
        select(events.c.item_id, func.max(events.c.version).label("version"))
        .join(pairs, and_(events.c.item_id == pairs.c.item_id, events.c.version <= pairs.c.version))
        .group_by(events.c.item_id, events.c.type)
        .subquery()
    )
    return (
        select(
            events.c.item_id,
            events.c.type,
            events.c.data,
            events.c.recorded_at,
            events.c.effective_at,
        )
        .join(last, and_(events.c.item_id == last.c.item_id, events.c.version == last.c.version))
        .order_by(events.c.item_id, events.c.version)
    )


def _pairs(dialect_name: str) -> FromClause:
    """Read the items and versions that are asked for from one parameter."""
    document: BindParameter[str] = bindparam("pairs", type_=Text)
    if dialect_name == "sqlite":
        each = func.json_each(document).table_valued("value")
        item_id = func.json_extract(each.c.value, literal_column("'$.item_id'")).label("item_id")
        version = func.json_extract(each.c.value, literal_column("'$.version'")).label("version")
        return select(item_id, version).subquery("pairs")
    columns = (Column("item_id", Text), Column("version", BigInteger))
    rows = func.json_to_recordset(cast(document, postgresql.JSON)).table_valued(*columns)
    return rows.render_derived(name="pairs", with_types=True)


_DECIDING_EACH = Prepared(_deciding_each)


def at_versions(connection: Connection, wanted: Mapping[str, int]) -> dict[str, Item]:
    """Rebuild items as they were, each at a version that it has reached; as `at_version` does, in
    one statement.
    """
    if not wanted:
        return {}
    pairs = [{"item_id": item_id, "version": version} for item_id, version in wanted.items()]
    found: dict[str, list[Event]] = {}
    rows: Any = _DECIDING_EACH.run(connection, {"pairs": orjson.dumps(pairs).decode()})
    for item_id, type_name, data, recorded_at, effective_at in rows:
        event = decode(type_name, data, item_id, recorded_at, effective_at)
        found.setdefault(item_id, []).append(event)
    return {
        item_id: replace(item, version=wanted[item_id], schedules=())
        for item_id, happened in found.items()
        if (item := fold(happened)) is not None
    }
