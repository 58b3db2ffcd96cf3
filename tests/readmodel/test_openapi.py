"""The description of the query API: whole, and true to what the routes take."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from readmodel.openapi.document import openapi

DESCRIBED: Any = orjson.loads(openapi("https://read.example"))
# Their parameters are the view's, or they take any.
ANY_PARAMETERS = {"/views/{name}", "/docs", "/docs/{asset}", "/problems", "/problems/{code}"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def operations() -> Iterator[tuple[str, str, Any]]:
    for path, methods in DESCRIBED["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def names(operation: Any, place: str) -> set[str]:
    return {each["name"] for each in operation["parameters"] if each["in"] == place}


def test_it_has_every_route_and_no_other(app: Flask) -> None:
    rules = {re.sub("<(.*?)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    # Pages for people are no part of what programs are told.
    pages = {each for each in rules if each == "/" or each.startswith("/ui/")}
    assert set(DESCRIBED["paths"]) == rules - pages


def test_what_is_served_is_the_document(client: FlaskClient) -> None:
    assert client.get("/openapi.json").json == DESCRIBED
    assert DESCRIBED["openapi"] == "3.1.0"
    assert DESCRIBED["servers"] == [{"url": "https://read.example"}]


def test_every_reference_leads_somewhere_and_no_schema_is_left_over() -> None:
    named = re.findall(r'"#/components/schemas/(\w+)"', orjson.dumps(DESCRIBED).decode())
    assert set(named) == set(DESCRIBED["components"]["schemas"])


@pytest.mark.parametrize("path", sorted(set(DESCRIBED["paths"]) - ANY_PARAMETERS))
def test_the_query_parameters_are_those_that_the_route_takes(
    path: str, client: FlaskClient
) -> None:
    answer = client.get(re.sub("{.*?}", "x", path), query_string={"no-such": "x"})
    (error,) = answer.json["errors"]
    assert (answer.status_code, error["code"]) == (400, "unknown-parameter")
    taken = error["detail"].partition("it takes ")[2]
    described = names(DESCRIBED["paths"][path]["get"], "query")
    assert sorted(described) == (taken.split(", ") if taken != "none" else [])


@pytest.mark.parametrize(
    ("path", "name", "choices"),
    [
        (path, parameter["name"], parameter["schema"]["enum"])
        for method, path, operation in operations()
        for parameter in operation["parameters"]
        if method == "get" and parameter["in"] == "query" and "enum" in parameter["schema"]
    ],
)
def test_the_choices_that_are_described_are_those_that_are_taken(
    path: str, name: str, choices: list[str], client: FlaskClient
) -> None:
    answer = client.get(re.sub("{.*?}", "x", path), query_string={name: "no-such"})
    (error,) = answer.json["errors"]
    assert (answer.status_code, error["code"]) == (400, "unknown-choice")
    assert error["detail"] == f"one of {', '.join(choices)}"


def test_every_example_of_a_parameter_fits_its_schema() -> None:
    seen = 0
    for _, path, operation in operations():
        for parameter in operation["parameters"]:
            validator = jsonschema_rs.Draft202012Validator(
                {"components": DESCRIBED["components"], **parameter["schema"]},
                validate_formats=True,
            )
            for example in parameter["schema"].get("examples", ()):
                assert validator.is_valid(example), (path, parameter["name"])
                seen += 1
    assert seen > 50


def test_every_link_leads_to_an_operation_with_those_parameters() -> None:
    by_id = {each["operationId"]: each for _, _, each in operations()}
    assert len(by_id) == 2 * len(DESCRIBED["paths"])
    links = [
        (method, link)
        for method, _, operation in operations()
        for link in operation["responses"]["200"].get("links", {}).values()
    ]
    assert len(links) > 10
    for method, link in links:
        assert method == "get"
        target = by_id[link["operationId"]]
        known = {f"{place}.{n}" for place in ("path", "query") for n in names(target, place)}
        assert set(link["parameters"]) <= known


def test_every_list_leads_to_its_next_page() -> None:
    for method, path, operation in operations():
        paged = {"cursor", "after"} & names(operation, "query")
        answer = operation["responses"]["200"]
        if method == "get" and paged and next(iter(answer["content"])) == "application/json":
            following = answer["links"]["next"]
            assert following["operationId"] == f"get {path}"
            assert following["parameters"][f"query.{paged.pop()}"] == "$response.body#/next"
