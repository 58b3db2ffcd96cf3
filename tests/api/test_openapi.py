"""The description of the command API: whole, true to the code, and valid OpenAPI 3.1."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import orjson
import pytest

from api.openapi.document import OPERATIONS, document
from api.openapi.headers import HEADERS
from api.openapi.parameters import PARAMETERS
from api.openapi.shapes import SHAPES
from api.problem_codes import CATALOGUE
from api.scopes import NEEDED
from tests.api.conftest import Api, Service
from tests.api.test_items import LAMP, WAIT, problem

URL = "http://command.test"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@pytest.fixture(scope="module")
def described() -> Any:
    return orjson.loads(document(URL))


def operations(described: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def resolved(described: Any, node: Any) -> Any:
    while "$ref" in node and len(node) == 1:
        for part in node["$ref"].removeprefix("#/").split("/"):
            described = described[part]
        return described
    return node


def test_it_has_every_route_with_every_method_and_no_other(api: Api, described: Any) -> None:
    app: Any = api.client.app
    routes = {
        (method.lower(), route.path)
        for included in app.routes
        for route in included.original_router.routes
        for method in route.methods
    }
    assert {(method, path) for method, path, _ in operations(described)} == routes


def test_what_is_served_is_the_document(api: Api) -> None:
    answer = api.client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["openapi"] == "3.1.0"
    assert answer.json()["servers"] == [{"url": URL}]


def test_every_reference_leads_somewhere(described: Any) -> None:
    found = set(re.findall(r'"\$ref":"#/([^"]+)"', orjson.dumps(described).decode()))
    assert found
    for reference in found:
        at = described
        for part in reference.split("/"):
            at = at[part]
        assert at


def test_every_schema_is_json_schema(described: Any) -> None:
    for schema in described["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": DIALECT, **schema})


@pytest.mark.parametrize("name", SHAPES)
def test_no_shape_is_left_over(described: Any, name: str) -> None:
    assert f'"#/components/schemas/{name}"' in orjson.dumps(described).decode()


def test_no_parameter_or_header_is_left_over() -> None:
    assert {name for each in OPERATIONS for name in each.parameters} == set(PARAMETERS)
    answers = [answer for each in OPERATIONS for answer in each.answers.values()]
    of_answers = {name for each in answers for name in (*each.headers, *each.may_have)}
    assert of_answers | {"WWW-Authenticate", "Accept-Patch", "Accept-Encoding"} == set(HEADERS)


def examples(described: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every example, with the schema it has to fit."""
    for method, path, operation in operations(described):
        where = f"{method} {path}"
        for reference in operation["parameters"]:
            parameter = resolved(described, reference)
            for each in parameter.get("examples", {}).values():
                yield where, parameter["schema"], each["value"]
            for each in parameter["schema"].get("examples", ()):
                yield where, parameter["schema"], each
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for holder in (*bodies, *operation["responses"].values()):
            whole = resolved(described, holder)
            for header in whole.get("headers", {}).values():
                yield where, header["schema"], header["schema"]["examples"][0]
            for content in whole.get("content", {}).values():
                if "example" in content:
                    yield where, content["schema"], content["example"]
                for each in content.get("examples", {}).values():
                    yield where, content["schema"], each["value"]


def test_every_example_fits_its_schema(described: Any) -> None:
    seen = 0
    for where, schema, example in examples(described):
        validator = jsonschema_rs.Draft202012Validator(
            {"components": described["components"], **schema}, validate_formats=True
        )
        assert validator.is_valid(example), (where, schema, example)
        seen += 1
    assert seen > 300


def test_every_body_and_every_answer_with_a_document_has_an_example(described: Any) -> None:
    without = {"/problems/{code}", "/openapi.json"}
    for method, path, operation in operations(described):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for holder in (*bodies, *operation["responses"].values()):
            for media_type, content in resolved(described, holder).get("content", {}).items():
                if "json" in media_type and path not in without:
                    assert "example" in content or "examples" in content, (method, path)


def test_every_problem_is_described_where_it_may_come(described: Any) -> None:
    told: set[str] = set()
    for _, _, operation in operations(described):
        for status, holder in operation["responses"].items():
            content = resolved(described, holder).get("content", {})
            schema = content.get("application/problem+json", {}).get("schema")
            if schema is None:
                continue
            codes = schema["properties"]["code"]["enum"]
            told |= set(codes)
            # An upload that was given up in the middle may have been accepted to its end.
            told_as = {503, 504} if status == "504" else {int(status)}
            assert {CATALOGUE[code].status for code in codes} <= told_as
    # Of paths and methods that are not there, and of rows of batches and imports.
    elsewhere = {
        "method-not-allowed",
        *("batch-rejected", "item-blocked", "effective-at-in-future"),
        *("not-csv", "not-text", "not-an-object", "row-too-large"),
        "invalid-value",
    }
    assert set(CATALOGUE) - told == elsewhere


def test_every_link_leads_to_an_operation_with_those_parameters(described: Any) -> None:
    by_id = {each["operationId"]: each for _, _, each in operations(described)}
    assert len(by_id) == len(OPERATIONS)
    links = [
        link
        for _, _, operation in operations(described)
        for holder in operation["responses"].values()
        for link in resolved(described, holder).get("links", {}).values()
    ]
    assert {each["operationId"] for each in links} == {
        *("replace", "patch", "delete", "restore", "revert", "schedule", "unschedule"),
        *("pause_import", "resume_import", "cancel_import", "revert_import"),
    }
    for link in links:
        parameters = {
            f"{parameter['in']}.{parameter['name']}"
            for reference in by_id[link["operationId"]]["parameters"]
            for parameter in [resolved(described, reference)]
        }
        assert set(link["parameters"]) <= parameters


def test_what_needs_a_token_says_which_scope_and_what_is_answered_without(described: Any) -> None:
    assert described["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for method, path, operation in operations(described):
        needed = NEEDED[method.upper(), path]
        assert operation["security"] == [{"bearer": [each]} for each in needed]
        assert ({"401", "429", "503"} <= set(operation["responses"])) >= bool(needed)
        if needed:
            unauthenticated = resolved(described, operation["responses"]["401"])
            assert unauthenticated["headers"]["WWW-Authenticate"]["required"] is True
            assert needed[0] in operation["description"]


def test_a_currency_is_one_of_those_that_are_taken(described: Any) -> None:
    schema = described["components"]["schemas"]["CreateBody"]["properties"]["currency"]
    assert {"$ref": "#/components/schemas/Currency"} in schema["anyOf"]


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("Lamp", True),
        (" \t\u0085\u3000x\n ", True),
        ("x" * 200, True),
        (" " * 50 + "x" * 200 + " " * 50, True),
        ("x" * 201, False),
        ("a\u0001b", False),
        ("", False),
        (" \u200b ", False),
        ("\u00ad", False),
    ],
)
def test_the_pattern_of_a_name_is_its_rule(
    api: Api, described: Any, name: str, *, fits: bool
) -> None:
    schema = described["components"]["schemas"]["CreateBody"]["properties"]["name"]
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(name) is fits
    answer = api.client.post("/items", json={**LAMP, "name": name})
    assert (answer.status_code == 202) is fits


def test_with_return_minimal_there_is_no_body_and_no_type_of_one(service: Service) -> None:
    rows = {"commands": [{"op": "put", "id": "b", **LAMP}]}
    waiting, at_once = {"Prefer": "wait=10, return=minimal"}, {"Prefer": "return=minimal"}
    for answer in (
        service.client.put("/items/a", json=LAMP, headers=waiting),
        service.client.put("/items/a", json=LAMP, headers=at_once),
        service.client.post("/items/batch", json=rows, headers=waiting),
    ):
        assert answer.is_success
        assert answer.content == b""
        assert "content-type" not in answer.headers


def test_an_entity_tag_may_have_a_comma_in_it(service: Service) -> None:
    service.client.put("/items/a", json=LAMP, headers=WAIT)
    for tags, status in (('"a,b"', 412), ('"a,b", "1"', 200), ('"a"b"', 400), ('"1",', 400)):
        headers = {**WAIT, "If-Match": tags}
        answer = service.client.patch("/items/a", json={"price": 1}, headers=headers)
        assert answer.status_code == status, tags


def test_an_unknown_file_of_the_page_is_a_problem(api: Api) -> None:
    problem(api.client.get("/docs/swagger-ui.js"), 404, "not-found")
    problem(api.client.get("/docs/../pyproject.toml"), 404, "not-found")
