"""Every parameter of a path, a query or a header, by the name that the table calls it by."""

from collections.abc import Mapping
from typing import Any

from api.imports.file_names import FORM
from api.imports.mapping import MEMBERS
from api.openapi.shapes import COMMAND_ID, IMPORT_ID
from api.schemas import REASON_LIMIT
from domain import rules
from eventlog.envelope import FILE_NAME_LIMIT

_UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_TAG = '(W/)?"[!#-~]*"'
_MAPPED = rf" *({'|'.join(MEMBERS)}) *:[^,]*[^, ][^,]*"


# The page to try things on fills in the first example of a parameter: of others, that would be a
# key that is soon used, a version that the item is not at.
_FILLED_IN = frozenset(
    {"item_id", "schedule_id", "import_id", "command_id", "code", "Prefer", "Accept"}
)


def _parameter(
    place: str, name: str, says: str, schema: Mapping[str, Any], **examples: Any
) -> Mapping[str, Any]:
    described: dict[str, Any] = {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": says,
        "schema": schema,
    }
    if not examples:
        return described
    if name not in _FILLED_IN:
        return {**described, "schema": {**schema, "examples": list(examples.values())}}
    return {**described, "examples": {key: {"value": each} for key, each in examples.items()}}


_REASON = "Why; kept in the events."

PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "ItemId": _parameter(
        "path",
        "item_id",
        "The item's id, chosen by whoever created it.",
        {"type": "string", "pattern": f"^{rules.ID_PATTERN}$"},
        lamp="lamp-1",
    ),
    "ScheduleId": _parameter(
        "path",
        "schedule_id",
        "The id of the command that asked for the scheduled price.",
        {"type": "string", "pattern": _UUID},
        schedule=COMMAND_ID,
    ),
    "ImportId": _parameter(
        "path",
        "import_id",
        "From the answer to the upload.",
        {"type": "string", "pattern": _UUID},
        upload=IMPORT_ID,
    ),
    "CommandId": _parameter(
        "path",
        "command_id",
        "The id of a dead command.",
        {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._~-]{0,98}$"},
        command=COMMAND_ID,
    ),
    "Partition": {
        **_parameter(
            "query",
            "partition",
            "The partition of the command; its token begins with it.",
            {"type": "integer", "minimum": 0},
            first=0,
        ),
        "required": True,
    },
    "Code": _parameter(
        "path",
        "code",
        "The member `code` of a problem.",
        {"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$"},
        invalid="invalid-body",
    ),
    "Asset": _parameter(
        "path",
        "asset",
        "A file that the page /docs names.",
        {"type": "string", "pattern": r"^[a-z-]+\.[0-9a-f]{12}\.(js|css|png)$"},
    ),
    "Prefer": _parameter(
        "header",
        "Prefer",
        "RFC 7240. `wait=N` (seconds, at most 30) for the final answer, `respond-async` for none, "
        "`return=minimal` for no body. What can not be read is passed over.",
        {"type": "string"},
        wait="wait=5",
        minimal="wait=5, return=minimal",
        at_once="respond-async",
    ),
    "PreferWait": _parameter(
        "header",
        "Prefer",
        "RFC 7240. `wait=N` (seconds, at most 30) until every row is final.",
        {"type": "string"},
        wait="wait=5",
    ),
    "IdempotencyKey": _parameter(
        "header",
        "Idempotency-Key",
        "The same key and payload of the same caller is the same command, however often it is "
        "sent. Quoted or bare, 1 to 255 visible ASCII characters. Kept for at least 24 hours.",
        {"type": "string", "pattern": '^("[!#-~]{1,255}"|[!#-~]{1,255})$'},
        order='"order-2026-11-22-0001"',
    ),
    "ImportKey": _parameter(
        "header",
        "Idempotency-Key",
        "The same key goes on with an import that was broken off. Quoted or bare, 1 to 255 "
        "visible ASCII characters.",
        {"type": "string", "pattern": '^("[!#-~]{1,255}"|[!#-~]{1,255})$'},
        night='"prices-2026-11-22"',
    ),
    "CommandDeadline": _parameter(
        "header",
        "Command-Deadline",
        "A moment (RFC 3339) after which the command is not wanted any more: then it is not "
        "applied, and says `expired`.",
        {"type": "string", "format": "date-time"},
        late="2099-12-31T23:59:59Z",
    ),
    "IfMatch": _parameter(
        "header",
        "If-Match",
        'Only at one of these versions, such as `"7"`, or `*` for any item that is there. A weak '
        "tag never matches.",
        {
            "type": "string",
            "anyOf": [{"const": "*"}, {"pattern": rf"^{_TAG}([ \t]*,[ \t]*{_TAG})*$"}],
        },
        version='"7"',
        several='"7", "8"',
        any="*",
    ),
    "IfNoneMatch": _parameter(
        "header",
        "If-None-Match",
        "Create, do not replace. Not together with If-Match.",
        {"type": "string", "enum": ["*"]},
    ),
    "Traceparent": _parameter(
        "header",
        "traceparent",
        "W3C Trace Context; kept with the command. What is of another form is passed over.",
        {"type": "string"},
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
    "RequestId": _parameter(
        "header",
        "X-Request-ID",
        "What the request is called in logs, in the ledger and in its answer. What is of another "
        "form is passed over.",
        {"type": "string"},
        proxy="4bf92f3577b34da6a3ce929d0e0e4736",
    ),
    "ContentEncoding": _parameter(
        "header",
        "Content-Encoding",
        "What the body is compressed with.",
        {"type": "string", "enum": ["gzip", "x-gzip", "identity"], "default": "identity"},
    ),
    "FileName": _parameter(
        "header",
        "Content-Disposition",
        "RFC 6266: what the file is called, as `filename*` or `filename`, at most "
        f"{FILE_NAME_LIMIT} characters; of a path the end, without what only moves text. Kept "
        "with the import, and shown.",
        {"type": "string", "pattern": f"^{FORM.pattern}$"},
        prices="attachment; filename*=UTF-8''prices%20%C3%A4.csv",
    ),
    "Reason": _parameter(
        "query",
        "reason",
        _REASON,
        {"type": "string", "maxLength": REASON_LIMIT, "pattern": r"^[^\u0000]*$"},
        sale="winter sale",
    ),
    "Map": _parameter(
        "query",
        "map",
        "`member:column` with commas in between: which column is which member. A price can be "
        "multiplied, exactly. No member twice.",
        {
            "type": "string",
            "pattern": f"^{_MAPPED}(,{_MAPPED})*$",
        },
        retail="id:StockCode,name:Description,price:UnitPrice*100,effective_at:InvoiceDate",
    ),
    "DryRun": _parameter(
        "query",
        "dry_run",
        "Change nothing; tell what would.",
        {"type": "boolean", "default": False},
    ),
    "OnError": _parameter(
        "query",
        "on_error",
        "After a rejected row: go on, or skip all others.",
        {"type": "string", "enum": ["skip", "stop"], "default": "skip"},
    ),
    "For": _parameter(
        "query",
        "for",
        "`writes`: does this process accept, whatever becomes of what waits.",
        {"type": "string", "enum": ["writes"]},
    ),
    "Accept": _parameter(
        "header",
        "Accept",
        "`application/json` for programs, else a page for people.",
        {"type": "string"},
        program="application/json",
        person="text/html",
    ),
}
