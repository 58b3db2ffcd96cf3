"""What Schemathesis finds fault with and is right nevertheless; each with its reason."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from schemathesis import Case, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure, MalformedJson
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import (
    AllowHeaderMismatch,
    MissingContentType,
    RejectedPositiveData,
    UseAfterFree,
)

from tests.fuzz.target import Excuses

# Seconds for an answer.
_PATIENCE = 30
PATH, QUERY = ParameterLocation.PATH, ParameterLocation.QUERY

# Refusals of well-formed requests: they depend on what is there, on the time, or on two members
# at once, of which JSON Schema knows nothing.
OF_STATE = frozenset(
    {
        "effective-from-in-past",  # a moment that any clock but ours may hold for the future
        "idempotency-key-reused",  # the key was sent before, with something else
        "invalid-columns",  # the columns of a CSV are judged by `map`
        "item-deleted",
        "no-such-version",
        "precondition-failed",
        "unreadable-upload",  # Content-Encoding says gzip, and the text is none
    }
)
# Spots of a body or a parameter that are wrong in a way that JSON Schema has no words for.
BEYOND_SCHEMAS = frozenset(
    {
        "effective-until-too-early",  # judged by another member
        "invalid-file-name",  # what escapes of RFC 8187 come to, and the end of a path
        "invalid-map",  # a member mapped twice; something else than a price multiplied
        "name-empty",  # characters beyond U+FFFF that nobody sees: the pattern leaves them out
        "not-an-integer",  # to JSON Schema 12.0 is one; here it is a price in other units
    }
)


def _is_of_state(case: Case, response: Response) -> bool:
    problem = _problem(response)
    if problem.get("code") in OF_STATE:
        return True
    wrong = {each["code"] for each in problem.get("errors", ())}
    if wrong and wrong <= BEYOND_SCHEMAS:
        return True
    # Both headers are right, and mean opposite things.
    sent = {name.lower() for name in case.headers or {}}
    return {"if-match", "if-none-match"} <= sent and "If-None-Match" in response.text


def _is_no_mistake(case: Case, response: Response) -> bool:
    if case.meta is None or case.meta.is_negative_at(ParameterLocation.HEADER):
        return False
    if case.operation.path == "/imports":
        # A file is text, and so is whatever is sent in its place: its rows are judged later. And of
        # the query, what is an empty list is not sent.
        return _is_query_right(case, response)
    if any(case.meta.is_negative_at(each) for each in (PATH, QUERY)):
        return False
    if case.operation.path == "/items/batch":
        # A row that is no command is reported and stops nothing; `rows_are_judged_one_by_one` looks
        # at each, and at the rest.
        return response.status_code in {200, 202}
    # A body that may be left out is left out.
    return not response.request.body


def _is_query_right(case: Case, response: Response) -> bool:
    sent: dict[str, Any] = dict(parse_qsl(urlsplit(response.request.url).query, True))
    if sent.get("dry_run") in {"true", "false"}:
        sent["dry_run"] = sent["dry_run"] == "true"
    described = case.operation.get_parameter_set(QUERY)
    return described.get_strict_validator().is_valid(sent)


def _has_no_body_as_asked(_: Case, response: Response) -> bool:
    # `return=minimal` (RFC 7240) leaves out what OpenAPI has no word for being optional.
    applied = ", ".join(response.headers.get("preference-applied", ()))
    return "return=minimal" in applied and response.content == b""


def _is_the_item_named_batch(case: Case, _: Response) -> bool:
    # An item may have the id "batch", so that path has the methods of items as well.
    return case.operation.path == "/items/batch"


def _is_not_decided_yet(_: Case, response: Response) -> bool:
    # 202: what becomes of it is told at the command. Whoever waits is told 410.
    return response.status_code == 202


OF_COMMANDS: Excuses = {
    RejectedPositiveData: _is_of_state,
    AcceptedNegativeData: _is_no_mistake,
    MissingContentType: _has_no_body_as_asked,
    MalformedJson: _has_no_body_as_asked,
    AllowHeaderMismatch: _is_the_item_named_batch,
    UseAfterFree: _is_not_decided_yet,
}


# Of a read: what the schemas of parameters, each by itself, do not tell.
OF_READS = frozenset(
    {
        "bad-value",  # of a view: two days that do not fit each other
        "malformed-datetime",  # a day that its month does not have
        "cursor-mismatch",  # cursors are signed, and of one list
        "in-the-future",  # a moment that any clock but ours may hold for the past
        "no-words",  # by Unicode's classes, of which patterns know little
        "not-after-from",  # judged by another parameter
        "not-with-version",  # the same
        "too-many-ids",  # counted once each
        "too-many-words",  # as the search splits them
        "window-start-range",  # of two parameters together
    }
)


def _is_of_reads(case: Case, response: Response) -> bool:
    problem = _problem(response)
    if problem.get("code") in {"item-deleted", "not-acceptable"}:
        return True  # It is not there any more, or not in the form that Accept asks for.
    wrong = {each["code"] for each in problem.get("errors", ())}
    if wrong == {"malformed-token"}:
        # Well written, and of another deployment, which has more partitions; or not well written
        # after all: among boundaries there are values that were seen in answers.
        is_foreign = "names a partition" in problem["errors"][0]["detail"]
        return is_foreign or not _have_headers_their_form(case)
    if wrong == {"unknown-parameter"}:
        # Which parameters there are, each view says; a TimeMap has fewer than the history as JSON.
        is_history = case.operation.path == "/items/{item_id}/history"
        is_timemap = is_history and "link-format" in case.headers.get("Accept", "")
        return case.operation.path == "/views/{name}" or is_timemap
    return bool(wrong) and wrong <= OF_READS


def _is_not_looked_at(case: Case, response: Response) -> bool:
    # RFC 7089: a URL that names a state says more than the header does.
    if case.operation.path != "/items/{item_id}" or case.meta is None:
        return False
    if any(case.meta.is_negative_at(each) for each in (PATH, QUERY)):
        return False
    names_a_state = bool({"version", "as_of"} & case.query.keys())
    return names_a_state and _have_headers_their_form(case, "Accept-Datetime")


def _have_headers_their_form(case: Case, but: str = "") -> bool:
    """Judge those that are described, but one; others mean nothing."""
    described = case.operation.get_parameter_set(ParameterLocation.HEADER)
    properties = described.schema["properties"]
    known = {name: value for name, value in case.headers.items() if name in properties}
    known.pop(but, None)
    return described.get_strict_validator().is_valid(known)


OF_QUERIES: Excuses = {
    RejectedPositiveData: _is_of_reads,
    AcceptedNegativeData: _is_not_looked_at,
}


def is_excused(excuses: Excuses, failure: Failure, case: Case, response: Response) -> bool:
    excuse = excuses.get(type(failure))
    return excuse is not None and excuse(case, response)


def why(response: Response) -> str:
    """Name what was wrong, if anything was."""
    problem = _problem(response)
    codes = {each["code"] for each in problem.get("errors", ())}
    return " ".join(sorted(codes)) or problem.get("code", "")


def _problem(response: Response) -> Mapping[str, Any]:
    if "application/problem+json" not in response.headers.get("content-type", ()):
        return {}
    sent = response.request
    if sent.method != "HEAD":
        return response.json()
    # It has no body. GET has the same answer with one.
    asked = sent.copy()
    asked.method = "GET"
    with requests.Session() as session:
        answer = session.send(asked, timeout=_PATIENCE)
    assert answer.status_code == response.status_code, f"HEAD is not as GET: {sent.url}"
    return answer.json()
