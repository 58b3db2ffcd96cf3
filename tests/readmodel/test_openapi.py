"""The description of the query API: whole, and true to what the routes take."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from domain.events import ItemCreated, ItemDeleted, ItemPriceScheduled
from readmodel.openapi.document import openapi
from runtime.response_headers import SECURITY_HEADERS
from tests.readmodel.operated import EPOCH

DESCRIBED: Any = orjson.loads(openapi("https://read.example"))
# Their parameters are the view's, or they take any.
ANY_PARAMETERS = {"/views/{name}", "/docs", "/docs/{asset}", "/problems", "/problems/{code}"}
AT = 1_763_798_400_000
# On every answer the same, or of the connection.
OF_ALL = {"content-type", "content-length", *map(str.lower, SECURITY_HEADERS)}
LINKS, LINES = {"Accept": "application/link-format"}, {"Accept": "application/x-ndjson"}
EVENTS, TABLE = {"Accept": "application/cloudevents-batch+json"}, {"Accept": "text/csv"}
DOCUMENT, PAGE = {"Accept": "application/json"}, {"Accept": "text/html"}
HAD, THEN = {"If-None-Match": "*"}, {"Accept-Datetime": "Sat, 22 Nov 2025 08:00:00 GMT"}
AHEAD = {"Consistency-Token": f"0.{EPOCH}.99"}
STRICT, OTHER = AHEAD | {"Prefer": "handling=strict"}, {"Consistency-Token": "x"}


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


def test_every_reference_leads_somewhere_and_none_is_left_over() -> None:
    named = re.findall(r'"#/components/(\w+)/([\w-]+)"', orjson.dumps(DESCRIBED).decode())
    for group in ("schemas", "headers"):
        assert {name for each, name in named if each == group} == set(
            DESCRIBED["components"][group]
        )
    responses = {name for each, name in named if each == "responses"}
    assert responses <= set(DESCRIBED["components"]["responses"])


@pytest.mark.parametrize("path", sorted(set(DESCRIBED["paths"]) - ANY_PARAMETERS))
def test_the_query_parameters_are_those_that_the_route_takes(
    path: str, client: FlaskClient
) -> None:
    answer = client.get(re.sub("{.*?}", "x", path), query_string={"no-such": "x"})
    (error,) = answer.json["errors"]
    assert (answer.status_code, error["code"]) == (400, "unknown-parameter")
    taken = error["detail"].partition("it takes ")[2]
    operation = DESCRIBED["paths"][path]["get"]
    assert "400" in operation["responses"]
    assert sorted(names(operation, "query")) == (taken.split(", ") if taken != "none" else [])


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


# Each route with every status that it can be made to answer, and every form.
ASKED: list[tuple[str, dict[str, str], int]] = [
    ("/items", {}, 200),
    ("/items?limit=1&total=exact&q=l", {}, 200),
    ("/items?as_of=2025-11-22T08:00:00Z", {}, 200),
    ("/items", HAD, 304),
    ("/items?limit=0", {}, 400),
    ("/items", OTHER, 400),
    ("/items", AHEAD, 200),
    ("/items", STRICT, 503),
    ("/items", {"X-Request-ID": "of-this-test"}, 200),
    (f"/items?q={'a' * 9_000}", {}, 414),
    ("/items", {"X-Much": "a" * 40_000}, 431),
    ("/items", {"Host": "evil.example"}, 421),
    ("/items", {"Origin": "https://evil.example"}, 403),
    ("/items", {"Content-Length": "70000"}, 413),
    ("/health/live", {"Host": "evil.example"}, 421),
    ("/health/live", {"Origin": "https://evil.example"}, 403),
    ("/docs", {"Content-Length": "70000"}, 413),
    ("/items/lamp", {}, 200),
    ("/items/lamp", HAD, 304),
    ("/items/lamp", THEN, 200),
    ("/items/lamp", THEN | HAD, 304),
    ("/items/lamp?version=2", {}, 200),
    ("/items/lamp?version=99", {}, 404),
    ("/items/lamp?x=1", {}, 400),
    ("/items/nobody", AHEAD, 404),
    ("/items/vase", {}, 410),
    ("/items/vase?version=2", {}, 410),
    ("/items/vase", THEN, 410),
    ("/items/lamp/history", {}, 200),
    ("/items/lamp/history?limit=1", LINKS, 200),
    ("/items/nobody/history", LINKS, 404),
    ("/items/lamp/diff", {}, 200),
    ("/items/lamp/diff?from=0", HAD, 304),
    ("/items/lamp/diff?to=0", {}, 200),
    ("/items/lamp/diff?to=99", {}, 404),
    ("/items/lamp/prices?limit=1", {}, 200),
    ("/items/nobody/prices", {}, 404),
    ("/items/lamp/prior-price?at=2025-11-22T08:00:01Z", {}, 200),
    ("/items/vase/prior-price", {}, 404),
    ("/items/lamp/scheduled-prices", {}, 200),
    ("/items/nobody/scheduled-prices", {}, 404),
    ("/items/lamp/scheduled-prices/of-it", {}, 200),
    ("/items/lamp/scheduled-prices/x", {}, 404),
    ("/stats", {}, 200),
    ("/stats", HAD, 304),
    ("/views/stats", {}, 200),
    ("/views/stats", HAD, 304),
    ("/views/nothing", {}, 404),
    ("/changes", {}, 200),
    ("/changes", LINES, 200),
    ("/changes", EVENTS, 200),
    ("/changes", HAD, 304),
    ("/changes", TABLE, 406),
    ("/changes", STRICT, 503),
    ("/changes?after=x", {}, 400),
    ("/exports/items", {}, 200),
    ("/exports/items", TABLE, 200),
    ("/exports/items", PAGE, 406),
    ("/changes/stream?after=x", {}, 400),
    ("/schemas/events", {}, 200),
    ("/schemas/events/ItemCreated/v1", {}, 200),
    ("/schemas/events/ItemCreated/v9", {}, 404),
    ("/commands/command-1", {}, 200),
    ("/commands/nothing", {}, 404),
    ("/commands/nothing?x=1", {}, 400),
    ("/imports", {}, 200),
    ("/imports?x=1", {}, 400),
    ("/imports/nothing", {}, 404),
    ("/imports/nothing?x=1", {}, 400),
    ("/imports/nothing/rows", {}, 404),
    ("/imports/nothing/rows?status=x", {}, 400),
    ("/status", {}, 200),
    ("/status?x=1", {}, 400),
    ("/metrics", {}, 200),
    ("/health/live", {}, 200),
    ("/health/ready", {}, 200),
    ("/problems", {}, 200),
    ("/problems", DOCUMENT, 200),
    ("/problems/item-deleted", PAGE, 200),
    ("/problems/item-deleted", DOCUMENT, 200),
    ("/problems/nothing", {}, 404),
    ("/openapi.json", {}, 200),
    ("/openapi.json?x=1", {}, 400),
    ("/docs", {}, 200),
    ("/docs/nothing", {}, 404),
]


def told(client: FlaskClient, ledger: Any) -> None:
    """Tell of an item with a scheduled price, of one that is deleted, and of what came of that."""
    lamp, vase = (ItemCreated(each, AT, AT, "Lamp", None, 100, "EUR") for each in ("lamp", "vase"))
    due = ItemPriceScheduled(
        "lamp", AT, AT + 1, "of-it", 90, "EUR", AT + 2, None, "rosa", "black week"
    )
    ledger.add(lamp, due, vase, ItemDeleted("vase", AT, AT), reason="as a test")
    ledger.outcome("command-1", "lamp")
    ledger.take(1)


def described(path: str) -> Any:
    """Find what is described of the route of a path."""
    asked = path.partition("?")[0]
    fits = [
        each for each in DESCRIBED["paths"] if re.fullmatch(re.sub("{.*?}", "[^/]+", each), asked)
    ]
    return DESCRIBED["paths"][min(fits, key=lambda each: each.count("{"))]["get"]


def test_every_answer_is_as_it_is_described(ledger: Any, client: FlaskClient) -> None:
    told(client, ledger)
    for path, headers, status in ASKED:
        where = (path[:60], status)
        base = f"http://{headers['Host']}" if "Host" in headers else "http://127.0.0.1"
        body = b"x" * int(headers.get("Content-Length", 0))
        answer = client.get(path, headers=headers, base_url=base, data=body)
        assert answer.status_code == status, (where, answer.text)
        responses = described(path)["responses"]
        assert str(status) in responses, where
        said = responses[str(status)]
        said = DESCRIBED["components"]["responses"].get(
            said.get("$ref", "").rpartition("/")[2], said
        )
        known = {name.lower() for name in said["headers"]}
        assert {name.lower() for name, _ in answer.headers} - OF_ALL <= known, where
        if not answer.data:
            continue
        assert answer.mimetype in said["content"] or "*/*" in said["content"], where
        schema = said["content"].get(answer.mimetype, {}).get("schema", {})
        if answer.is_json and "$ref" in schema:
            assert_is_all(schema, answer.json, where)
    # Nothing that is described was left out but what is told of elsewhere, and what takes a token,
    # a limit, a broken service, or a ledger that was set back.
    unseen: set[tuple[str, str]] = set()
    for path, methods in DESCRIBED["paths"].items():
        seen = {str(status) for each, _, status in ASKED if described(each) is methods["get"]}
        unseen |= {(path, each) for each in methods["get"]["responses"] if each not in seen}
    always = {"400", "401", "403", "409", "413", "414", "421", "429", "431", "500", "503"}
    assert {each for each in unseen if each[1] not in always} == {
        ("/changes/stream", "200"),
        ("/docs/{asset}", "200"),
        ("/imports/{import_id}", "200"),
        ("/imports/{import_id}/rows", "200"),
    }


def assert_is_all(schema: Any, body: Any, where: Any) -> None:
    """Say that a body fits its schema, and has no member that is not described."""
    components = DESCRIBED["components"]
    of_its_name = components["schemas"][schema["$ref"].rpartition("/")[2]]
    closed = {**of_its_name, "unevaluatedProperties": False} if "properties" in of_its_name else {}
    validator = jsonschema_rs.Draft202012Validator(
        {"components": components, "allOf": [schema, closed]}, validate_formats=True
    )
    assert [str(each) for each in validator.iter_errors(body)] == [], where


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
