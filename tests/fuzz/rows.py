"""Each row of a batch is judged by the schema that the document has for it."""

from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson
from schemathesis import Case, CheckContext, Response

from tests.fuzz.excuses import BEYOND_SCHEMAS

BATCH = "#/components/schemas/BatchBody"
ROW = f"{BATCH}/properties/commands/items"
GOOD_ROW = {"op": "delete", "id": "lamp-1"}


def rows_are_judged_one_by_one(_: CheckContext, response: Response, case: Case) -> None:
    """What is accepted is a batch but for its rows. Of those, one that the schema refuses is
    `rejected`, and no other is said to be of a wrong shape.
    """
    if case.operation.label != "POST /items/batch" or response.status_code not in {200, 202}:
        return
    body: Any = case.body
    assert isinstance(body, dict), f"accepted against the schema: {body}"
    rows = body["commands"]
    document = orjson.dumps(case.operation.schema.raw_schema)
    around = {**body, "commands": [GOOD_ROW] * len(rows)}
    assert _validator(document, BATCH).is_valid(around), f"accepted against the schema: {around}"
    if not response.content:
        return  # As asked for, by `return=minimal`.
    results = response.json()["results"]
    assert [each["row"] for each in results] == list(range(len(rows))), "a result for each row"
    is_row = _validator(document, ROW)
    for row, result in zip(rows, results, strict=True):
        is_invalid = result.get("problem", {}).get("code") == "invalid-body"
        if is_row.is_valid(row):
            errors = result.get("problem", {}).get("errors", ())
            beyond = is_invalid and {each["code"] for each in errors} <= BEYOND_SCHEMAS
            assert not is_invalid or beyond, f"refused for its shape: {row} {result}"
        else:
            assert is_invalid, f"accepted against the schema: {row} {result}"
            assert result["status"] == "rejected"


# To make one takes longer than a thousand looks with it.
@lru_cache(maxsize=2)
def _validator(document: bytes, reference: str) -> Any:
    schema = {**orjson.loads(document), "$ref": reference}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
