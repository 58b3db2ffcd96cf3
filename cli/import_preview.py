"""How the first rows of a file are read, so that one sees whether that is what was meant."""

import csv
import json
from collections.abc import Generator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any, cast

from api.imports.mapping import BadMap, BadValue, Columns, by_name, members_of, read_map
from api.imports.splitting import Record
from cli.import_rows import records
from cli.import_source import CSV, Source
from cli.refusals import Refusal
from domain.currencies import minor_digits
from domain.rules import PRICE_LIMIT

_ROWS = 3
# Records that are looked through for rows that can be shown: others are told as rejected.
_LOOKED_AT = 100
_LONGEST_NAME = 40


def first_rows(
    source: Source, charset: str | None, columns: str | None, currency: str
) -> list[str]:
    """Write the first few rows as a service reads them whose currency is that one; nothing of what
    it will refuse, for it says why.
    """
    try:
        found = _members(source, charset, None if columns is None else read_map(columns))
        return list(islice((_shown(each, currency) for each in found if _fits(each)), _ROWS))
    except (BadMap, Refusal, UnicodeDecodeError, csv.Error):
        return []


def _members(
    source: Source, charset: str | None, columns: Columns | None
) -> Generator[Mapping[str, Any]]:
    rows = islice(records(source, charset), _LOOKED_AT)
    header = None
    if source.media_type == CSV:
        header = [each.strip() for each in _fields(next(rows, None))]
    for each in rows:
        try:
            yield _of_json(each, columns) if header is None else _of_csv(each, header, columns)
        except (BadValue, KeyError, ValueError, csv.Error):
            # No row, or one with other columns than it should have.
            continue


def _of_csv(record: Record, header: list[str], columns: Columns | None) -> Mapping[str, Any]:
    row = dict(zip(header, _fields(record), strict=True))
    return members_of(columns or by_name(header), row.__getitem__)


def _of_json(record: Record, columns: Columns | None) -> Mapping[str, Any]:
    # Fractions as they are written: binary ones are not exact.
    read = json.loads(record.text or b"", parse_float=Decimal)
    row = cast("dict[str, Any]", read) if isinstance(read, dict) else {}
    return row if columns is None else members_of(columns, row.get)


def _fields(record: Record | None) -> list[str]:
    text = b"" if record is None else record.text or b""
    return next(csv.reader([text.removesuffix(b"\r").decode()]), list[str]())


def _fits(members: Mapping[str, Any]) -> bool:
    price = members.get("price", 0)
    return "id" in members and type(price) is int and 0 <= price <= PRICE_LIMIT


def _shown(members: Mapping[str, Any], currency: str) -> str:
    op = str(members.get("op", "put"))
    parts = [str(members["id"]), *([] if op in {"put", "create"} else [op])]
    parts += [str(members["name"])[:_LONGEST_NAME]] if "name" in members else []
    if "price" in members:
        of = str(members.get("currency", currency))
        parts.append(f"{Decimal(members['price']).scaleb(-minor_digits(of)):f} {of}")
    # Of a terminal nothing is asked by what a file holds.
    return "".join(each if each.isprintable() else "?" for each in "  ".join(parts))
