"""What is read of this service itself: its health, its problem codes, its description."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from api.openapi import shapes
from api.openapi.table import Answer, Operation
from api.problem_codes import BAD_REQUEST

_JSON = "application/json"
_PAGE = ("Content-Security-Policy", "Cache-Control")


def _with_head(*operations: Operation) -> Iterator[Operation]:
    for each in operations:
        yield each
        yield replace(
            each,
            method="head",
            id=f"{each.id}_head",
            summary=f"{each.summary}: the headers alone",
            answers={
                status: replace(answer, schema=None, example=None, media_type=_JSON)
                for status, answer in each.answers.items()
            },
        )


OF_PAGES: Sequence[Operation] = tuple(
    _with_head(
        Operation(
            "get",
            "/health/live",
            "live",
            "health",
            "The process is alive",
            {200: Answer("It is", "Live", {"status": "live"})},
        ),
        Operation(
            "get",
            "/health/ready",
            "ready",
            "health",
            "The service accepts commands, and they get further",
            {200: Answer("It does, and they do", "Ready", shapes.READY)},
            ("For",),
            problems=("not-ready", "bad-parameter"),
            says="Not ready too while commands wait and none has been applied for 10 s or more: "
            "commands are accepted all the same, as `accepting` says, and `for=writes` asks for "
            "nothing else.",
        ),
        Operation(
            "get",
            "/metrics",
            "metrics",
            "health",
            "Figures for Prometheus",
            {200: Answer("Prometheus' text format", None, None, media_type="text/plain")},
        ),
        Operation(
            "get",
            "/problems",
            "problem_codes",
            "problems",
            "Every problem code of this service",
            {
                200: Answer(
                    "A page for people, or the same as JSON",
                    "ProblemCodes",
                    {
                        "problems": [
                            {
                                "code": BAD_REQUEST.code,
                                "status": BAD_REQUEST.status,
                                "title": BAD_REQUEST.title,
                                "meaning": BAD_REQUEST.meaning,
                                "mend": BAD_REQUEST.mend,
                                "type": "http://127.0.0.1:8000/problems/bad-request",
                            }
                        ]
                    },
                    (*_PAGE, "Vary"),
                    media_type="text/html, application/json",
                )
            },
            ("Accept",),
        ),
        Operation(
            "get",
            "/problems/{code}",
            "problem_code",
            "problems",
            "What a problem code means",
            {
                200: Answer(
                    "A page for people, or the same as JSON",
                    "ProblemCode",
                    None,
                    (*_PAGE, "Vary"),
                    media_type="text/html, application/json",
                )
            },
            ("Code", "Accept"),
            problems=("not-found",),
        ),
        Operation(
            "get",
            "/openapi.json",
            "openapi",
            "description",
            "This description",
            {200: Answer("OpenAPI 3.1", "", None, ("Cache-Control",))},
        ),
        Operation(
            "get",
            "/docs",
            "docs",
            "description",
            "This description as a page to try things on",
            {
                200: Answer(
                    "The page; it needs nothing from elsewhere",
                    None,
                    None,
                    _PAGE,
                    media_type="text/html",
                )
            },
        ),
        Operation(
            "get",
            "/docs/{asset}",
            "docs_asset",
            "description",
            "A file of that page",
            {200: Answer("The file", None, None, ("Cache-Control",), media_type="*/*")},
            ("Asset",),
            problems=("not-found",),
        ),
    )
)
