"""Problem documents as exceptions: all that the services have, and whatever else may come."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import itemledger_client
from api.problem_codes import CATALOGUE
from itemledger_client import (
    Conflict,
    Error,
    Invalid,
    NotFound,
    NotUnderstood,
    PreconditionFailed,
    Problem,
    Unavailable,
)
from itemledger_client.problems import problem_of
from itemledger_client.steps import Answer
from readmodel.problem_codes import PROBLEM_CODES
from tests.client.driving import KINDS, Driven, Kind, item, problem

OF_A_STATUS = {
    400: "Invalid",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    422: "Invalid",
    428: "PreconditionRequired",
    429: "TooManyRequests",
    503: "Unavailable",
}
OF_A_CODE = {
    "idempotency-key-reused": "IdempotencyKeyReused",
    "expired": "Expired",
    "command-lost": "CommandLost",
    "import-running": "ImportRunning",
    "not-accepted": "Overloaded",
    "projection-behind": "ProjectionBehind",
    "outcome-unknown": "OutcomeUnknown",
}

both = pytest.mark.parametrize("kind", KINDS)


def read(status: int, content: bytes, **headers: str) -> Problem:
    return problem_of(Answer(status, headers, content))


def test_every_code_of_both_services_is_an_exception_to_branch_on() -> None:
    codes = {**CATALOGUE, **PROBLEM_CODES}
    assert OF_A_CODE.keys() <= codes.keys()
    for code, known in codes.items():
        document = {"code": code, "status": known.status, "title": known.title, "detail": "why"}
        told = read(known.status, json.dumps(document).encode())
        name = OF_A_CODE.get(code) or OF_A_STATUS.get(known.status, "Problem")
        assert type(told) is getattr(itemledger_client, name), code
        assert (told.code, told.status, told.title) == (code, known.status, known.title)


def test_a_document_is_read_whole() -> None:
    document = {
        "type": "http://127.0.0.1:8000/problems/invalid-body",
        "title": "The body is not right",
        "status": 422,
        "detail": "/price: must be an integer",
        "code": "invalid-body",
        "errors": [
            {"pointer": "/price", "code": "integer", "detail": "must be an integer"},
            {"parameter": "limit", "code": "range", "detail": "1 to 200"},
        ],
        "current_version": 3,
        "balance": 30,
    }
    told = read(422, json.dumps(document).encode(), **{"retry-after": "7"})
    assert isinstance(told, Invalid)
    assert told.type.endswith("/problems/invalid-body")
    assert told.errors == (
        Error("integer", "must be an integer", pointer="/price"),
        Error("range", "1 to 200", parameter="limit"),
    )
    assert told.current_version == 3
    assert told.extensions["balance"] == 30
    assert told.retry_after == 7
    assert str(told) == "422 invalid-body: /price: must be an integer"


def test_a_code_of_a_later_release_is_known_by_its_status() -> None:
    told = read(409, b'{"code": "quota-exceeded", "detail": "full"}')
    assert type(told) is Conflict
    assert told.code == "quota-exceeded"
    assert type(read(418, b'{"code": "teapot"}')) is Problem


def test_who_stands_between_and_answers_without_a_document_is_known_by_the_status() -> None:
    told = read(503, b"<html>Service Unavailable</html>")
    assert type(told) is Unavailable
    assert (told.code, told.title, told.type) == ("", "Service Unavailable", "about:blank")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
MEMBER = st.sampled_from(
    ["type", "title", "status", "detail", "code", "errors", "current_version", "command_id"]
)


@given(st.integers(400, 599), st.dictionaries(MEMBER, JSON) | JSON)
def test_whatever_an_error_says_it_is_a_problem(status: int, document: Any) -> None:
    told = read(status, json.dumps(document).encode())
    assert isinstance(told, Problem)
    assert isinstance(told.code, str)
    assert isinstance(told.detail, str)
    assert told.current_version is None or isinstance(told.current_version, int)


@both
def test_a_conflict_of_versions_names_the_one_there_is(kind: Kind) -> None:
    client = Driven(kind, [problem(412, "precondition-failed", current_version=8)])
    with pytest.raises(PreconditionFailed) as caught:
        client("patch", "lamp-1", price=1, if_version=7)
    assert caught.value.current_version == 8
    assert client.played.sent("If-Match") == ['"7"']


@both
def test_who_answers_in_another_form_is_not_understood(kind: Kind) -> None:
    for answer in (
        httpx.Response(200, text="<html>Welcome</html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"id": "lamp-1"}),
        httpx.Response(200, json=item(created_at="yesterday")),
    ):
        with pytest.raises(NotUnderstood):
            Driven(kind, [answer])("item", "lamp-1")


@both
@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://shop.example", "http://"])
def test_a_url_of_no_service_is_refused_at_once(kind: Kind, url: str) -> None:
    made = itemledger_client.Catalogue if kind == "blocking" else itemledger_client.AsyncCatalogue
    with pytest.raises(ValueError, match="no URL of a service"):
        made(url)


def test_a_row_that_was_refused_says_why_as_an_answer_does() -> None:
    row = {"row": 0, "status": "rejected", "item_id": "a"}
    row |= {"problem": {"status": 404, "code": "item-not-found", "detail": "no item a"}}
    client = Driven("blocking", [httpx.Response(200, json={"results": [row]})])
    batch = client("batch", [{"op": "delete", "id": "a"}], wait=5)
    assert batch.final
    assert isinstance(batch.rows[0].problem, NotFound)
