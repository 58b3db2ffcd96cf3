"""The operations on imports."""

from collections.abc import Mapping, Sequence

from api.openapi import shapes
from api.openapi.table import Answer, Body, Link, Operation

_STEPS: Mapping[str, str] = {
    "pause": "Let it wait.",
    "resume": "Let it go on.",
    "cancel": "End it.",
    "revert": "Bring back what it changed.",
}
_HEADERS = ("Location", "Retry-After")
_LINKS = {
    name: Link(f"{name}_import", {"path.import_id": "$response.body#/import_id"}, says)
    for name, says in _STEPS.items()
}
_CONTROL_PROBLEMS = (
    "bad-parameter",
    "import-not-found",
    "import-over",
    "not-accepted",
    "body-too-large",
)


def _control(name: str, summary: str, status: str) -> Operation:
    return Operation(
        "post",
        f"/imports/{{import_id}}/{name}",
        f"{name}_import",
        "imports",
        summary,
        {
            202: Answer(
                "Done from now on; the ledger learns of it in a moment",
                "ImportAnswer",
                {key: value for key, value in shapes.IMPORT.items() if key != "rows"}
                | {"status": status},
                _HEADERS,
                links=_LINKS,
            )
        },
        ("ImportId", "Reason"),
        None,
        _CONTROL_PROBLEMS,
    )


OF_IMPORTS: Sequence[Operation] = (
    Operation(
        "post",
        "/imports",
        "import",
        "imports",
        "Import a file of any number of rows",
        {
            200: Answer(
                "Every row is final, or none follows: `done`, `stopped` or `cancelled` (with "
                "`Prefer: wait`)",
                "ImportAnswer",
                {**shapes.IMPORT, "status": "done"},
                ("Location", "Preference-Applied", "Vary"),
                ("Idempotent-Replayed",),
                links={"revert": _LINKS["revert"]},
            ),
            202: Answer(
                "Every row is on disk in the log; Location tells what becomes of them",
                "ImportAnswer",
                shapes.IMPORT,
                (*_HEADERS, "Vary"),
                ("Idempotent-Replayed",),
                links=_LINKS,
            ),
        },
        (
            "Map",
            "DryRun",
            "OnError",
            "Reason",
            "ImportKey",
            "PreferWait",
            "ContentEncoding",
            "FileName",
        ),
        Body(
            {"application/x-ndjson": None, "text/csv": None},
            {
                "application/x-ndjson": '{"id": "lamp-1", "name": "Elegant Lamp", '
                '"price": 12900}\n',
                "text/csv": "id,name,price\nlamp-1,Elegant Lamp,12900\n",
            },
            says="Rows as in a batch, of which `op` is `put` if not said: an object a line, or CSV "
            "with a first line that names the columns. A charset may be named in Content-Type; "
            "UTF-8 if not.",
        ),
        (
            "malformed-header",
            "bad-parameter",
            "import-running",
            "import-over",
            "unsupported-media-type",
            "invalid-columns",
            "unreadable-upload",
            "idempotency-key-reused",
            "not-accepted",
            "upload-failed",
        ),
        (),
        "The upload is read as a stream and never held whole. A row that is no command, or that "
        "its item refuses, is reported at Location and stops nothing. `effective_at` needs the "
        "scope `ops`.",
    ),
    _control("pause", "Let an import wait", "paused"),
    _control("resume", "Let an import go on that waits", "receiving"),
    _control("cancel", "End an import; what it changed stays", "cancelled"),
    Operation(
        "post",
        "/imports/{import_id}/revert",
        "revert_import",
        "imports",
        "Bring every item that an import changed back to its state before it",
        {
            202: Answer(
                "Begun, as an import of its own; items changed since are refused row by row",
                "ImportAnswer",
                {key: value for key, value in shapes.IMPORT.items() if key != "rows"},
                _HEADERS,
                ("Idempotent-Replayed",),
            )
        },
        ("ImportId", "Reason", "ImportKey"),
        None,
        (
            *_CONTROL_PROBLEMS,
            "malformed-header",
            "import-running",
            "idempotency-key-reused",
        ),
    ),
)
