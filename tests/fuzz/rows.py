"""Each row of a batch is judged by the schema that the document has for it."""

from typing import Any

import jsonschema_rs
from schemathesis import Case, CheckContext, Response

from tests.fuzz.excuses import BEYOND_SCHEMAS

ROW = "#/components/schemas/BatchBody/properties/commands/items"


def rows_are_judged_one_by_one(_: CheckContext, response: Response, case: Case) -> None:
    """A row that the schema refuses is `rejected`, and no other is said to be of a wrong shape."""
    if case.operation.label != "POST /items/batch" or response.status_code not in {200, 202}:
        return
    if not response.content or not isinstance(case.body, dict):
        return
    rows = case.body["commands"]
    results = response.json()["results"]
    assert [each["row"] for each in results] == list(range(len(rows))), "a result for each row"
    is_row = _validator(case.operation.schema.raw_schema)
    for row, result in zip(rows, results, strict=True):
        is_invalid = result.get("problem", {}).get("code") == "invalid-body"
        if is_row.is_valid(row):
            errors = result.get("problem", {}).get("errors", ())
            beyond = is_invalid and {each["code"] for each in errors} <= BEYOND_SCHEMAS
            assert not is_invalid or beyond, f"refused for its shape: {row} {result}"
        else:
            assert is_invalid, f"accepted against the schema: {row} {result}"
            assert result["status"] == "rejected"


def _validator(document: Any) -> Any:
    return jsonschema_rs.Draft202012Validator({**document, "$ref": ROW}, validate_formats=True)
