"""The answers that are problems, of every operation, from the codes of the catalogue."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from api.openapi.headers import headers_of
from api.openapi.table import Operation
from api.problem_codes import CATALOGUE
from runtime.problems import PROBLEM_JSON

# What every request may be answered, whatever it asks for.
_ALWAYS = (
    "bad-request",
    "foreign-host",
    "foreign-origin",
    "uri-too-long",
    "headers-too-large",
    "internal-error",
)
_GUARDED = ("unauthenticated", "insufficient-scope", "rate-limited", "token-undecided")

_HEADERS: Mapping[int, tuple[Sequence[str], Sequence[str]]] = {
    401: (("WWW-Authenticate",), ()),
    403: ((), ("WWW-Authenticate",)),
    429: (("Retry-After",), ()),
    503: (("Retry-After",), ()),
    504: (("Retry-After",), ()),
}
_OF_WAITING = ("Consistency-Token", "Preference-Applied", "Idempotent-Replayed")


def problems_of(operation: Operation, *, guarded: bool) -> Iterator[tuple[str, Any]]:
    """Describe every problem of an operation, by status."""
    always = (*_ALWAYS, *(_GUARDED if guarded else ()))
    codes = _by_status((*operation.problems, *operation.outcomes, *always))
    waiting = {CATALOGUE[code].status for code in operation.outcomes}
    if "upload-failed" in operation.problems:
        # Where it is not known whether the last rows were accepted.
        codes[504].append("upload-failed")
    for status in sorted(codes):
        if operation.method != "head" and set(codes[status]) <= {*_ALWAYS, *_GUARDED}:
            yield str(status), {"$ref": f"#/components/responses/{'.'.join(codes[status])}"}
        else:
            yield str(status), _response(operation.method, status, codes[status], waiting)


def common_problems() -> Mapping[str, Any]:
    """Describe the problems that every operation may be answered, or every guarded one."""
    common: dict[str, Any] = {}
    for asked in (_ALWAYS, (*_ALWAYS, *_GUARDED)):
        for status, codes in _by_status(asked).items():
            common[".".join(codes)] = _response("get", status, codes, ())
    return common


def _by_status(codes: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys(codes):
        found[CATALOGUE[code].status].append(code)
    return found


def _response(
    method: str, status: int, codes: Sequence[str], waiting: Collection[int]
) -> dict[str, Any]:
    always, sometimes = _HEADERS.get(status, ((), ()))
    if status in waiting:
        sometimes = (*sometimes, *_OF_WAITING)
    if status == CATALOGUE["unsupported-media-type"].status:
        patches = method == "patch"
        sometimes = ("Accept-Encoding", *(("Accept-Patch",) if patches else ()))
    headers = headers_of(always, sometimes)
    response: dict[str, Any] = {
        "description": "; ".join(f"`{code}`: {CATALOGUE[code].title}" for code in codes),
        **({"headers": headers} if headers else {}),
    }
    if method != "head":
        response["content"] = {
            PROBLEM_JSON: {
                "schema": {
                    "$ref": "#/components/schemas/Problem",
                    "properties": {
                        "status": {"const": status},
                        "code": {"enum": list(codes)},
                    },
                },
                "examples": {code: {"value": _example(code, status)} for code in codes},
            }
        }
    return response


def _example(code: str, status: int) -> Mapping[str, Any]:
    known = CATALOGUE[code]
    return {
        "type": f"http://127.0.0.1:8000/problems/{code}",
        "title": known.title,
        "status": status,
        "detail": known.meaning,
        "code": code,
    }
