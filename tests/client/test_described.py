"""The client and the services' own descriptions: it sends what is described, understands what is
described, and leaves nothing out.
"""

import inspect
import io
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import httpx
import jsonschema_rs
import orjson
import pytest

from api.openapi.document import document
from itemledger_client import AsyncCatalogue, Catalogue
from readmodel.openapi.document import openapi
from tests.client.driving import COMMAND, KINDS, QUERY, Driven, Kind, Reply

SERVICES: Mapping[str, Any] = {
    COMMAND: orjson.loads(document(COMMAND)),
    QUERY: orjson.loads(openapi(QUERY)),
}
# For people, probes and tools.
# What has met a defect is decided about by people, on the pages and in the console.
NOT_FOR_PROGRAMS = re.compile(r"/(dead|health|metrics|problems|openapi|docs|schemas)\b")
# Described only where they make a difference.
ALWAYS = {"Idempotency-Key", "Prefer"}
HEADERS = (
    *(*ALWAYS, "If-Match", "If-None-Match", "Command-Deadline", "Consistency-Token"),
    "Content-Disposition",
)
AT = datetime(2026, 11, 22, 8, tzinfo=UTC)
ID = "019aa9b2-6d2e-7c3b-9d0e-6a1b2c3d4e5f"
TERMS: dict[str, Any] = {"reason": "because", "wait": 5, "deadline": AT}
CHANGED: dict[str, Any] = TERMS | {"if_version": 3}
ITEM: dict[str, Any] = {"name": "Lamp", "price": 1, "description": "Brass.", "currency": "USD"}
ROWS = [{"op": "put", "id": "a", "name": "A", "price": 1, "if_version": 2}]

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("create", (), ITEM | TERMS),
    ("put", ("lamp-1",), ITEM | CHANGED),
    ("put", ("lamp-1",), ITEM | {"only_new": True}),
    ("patch", ("lamp-1",), ITEM | CHANGED),
    ("delete", ("lamp-1",), CHANGED),
    ("restore", ("lamp-1",), CHANGED),
    ("restore", ("lamp-1",), {}),
    ("revert", ("lamp-1", 1), CHANGED),
    (
        "schedule_price",
        ("lamp-1",),
        CHANGED | {"price": 1, "effective_from": AT, "effective_until": AT, "currency": "USD"},
    ),
    ("cancel_scheduled_price", ("lamp-1", ID), CHANGED),
    ("batch", (ROWS,), TERMS | {"atomic": True}),
    (
        "send_import",
        (io.BytesIO(b"{}"),),
        {"dry_run": True, "on_error": "stop", "reason": "x", "wait": 5, "columns": {"id": "A"}}
        | {"file_name": "ä.ndjson"},
    ),
    ("send_import", (b"",), {"media_type": "text/csv", "charset": "latin-1", "gzipped": True}),
    *((f"{each}_import", (ID,), {}) for each in ("pause", "resume", "cancel")),
    ("revert_import", (ID,), {"reason": "x"}),
    ("command", (ID,), {"token": "0.1.1"}),
    ("item", ("lamp-1",), {"version": 1}),
    ("item", ("lamp-1",), {"as_of": AT}),
    (
        "page",
        (),
        {
            "q": "lamp",
            "price_min": 1,
            "price_max": 2,
            "currency": "EUR",
            "ids": ["a", "b"],
            "updated_since": AT,
            "include_deleted": True,
            "as_of": AT,
            "sort": "-price",
            "limit": 10,
            "total": True,
            "cursor": "c",
        },
    ),
    ("items", (), {"first": 1}),
    ("history", ("lamp-1",), {"fields": ["name", "price"], "first": 1}),
    ("diff", ("lamp-1",), {"before": 1, "after": 2}),
    ("prices", ("lamp-1",), {"since": AT, "until": AT, "first": 1}),
    ("prior_price", ("lamp-1",), {"at": AT, "window": 30}),
    ("scheduled_prices", ("lamp-1",), {"first": 1}),
    ("scheduled_price", ("lamp-1", ID), {}),
    ("stats", (), {"since": date(2026, 11, 1), "until": "2026-11-02"}),
    ("view", ("demand",), {"parameters": {"parameters": "x"}}),
    ("status", (), {}),
    ("changes", (), {"after": "head", "types": ["ItemCreated"], "item_id": "a", "first": 1}),
    ("poll", (), {"after": "c", "first": 1}),
    ("all_imports", (), {"first": 1}),
    ("import_state", (ID,), {}),
    ("import_rows", (ID,), {"status": "rejected", "first": 1}),
]
WITHOUT_EXAMPLE = {
    "/imports/{import_id}/rows": {"rows": [], "next": None},
    "/views/{name}": {},
}
# Streams: read in tests/client/test_iterating.py.
STREAMED = {("get", "/exports/items"), ("get", "/changes/stream")}


def found(request: httpx.Request) -> tuple[Any, str, str, Any]:
    """Find the operation that a request is for, most exactly."""
    service = SERVICES[f"{request.url.scheme}://{request.url.host}"]
    method, sent = request.method.lower(), request.url.path
    for path in sorted(service["paths"], key=lambda each: each.count("{")):
        pattern = re.sub(r"\{\w+\}", "[^/]+", path)
        if re.fullmatch(pattern, sent) and method in service["paths"][path]:
            return service, method, path, service["paths"][path][method]
    raise AssertionError(f"{request.method} {request.url} is not described")


def resolved(service: Any, node: Any) -> Any:
    while "$ref" in node:
        at = service
        for part in node["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        node = at
    return node


def is_as_described(request: httpx.Request, body: bytes) -> None:
    service, _, path, operation = found(request)
    parameters = [resolved(service, each) for each in operation.get("parameters", ())]
    names = {
        place: {p["name"] for p in parameters if p["in"] == place} for place in ("query", "header")
    }
    assert set(request.url.params) <= names["query"], path
    assert {each for each in HEADERS if each in request.headers} <= names["header"] | ALWAYS, path
    for each in parameters:
        if each["in"] == "query" and each["name"] in request.url.params and "schema" in each:
            schema = resolved(service, each["schema"])
            value: Any = request.url.params[each["name"]]
            value = int(value) if schema.get("type") == "integer" else value
            value = value == "true" if schema.get("type") == "boolean" else value
            if schema.get("type") not in {"array", "object"}:
                valid(service, schema, value)
    if "requestBody" in operation and body:
        content = operation["requestBody"]["content"]
        media_type = request.headers["Content-Type"].partition(";")[0]
        assert media_type in content, path
        if media_type == "application/json":
            valid(service, content[media_type]["schema"], orjson.loads(body))


def valid(service: Any, schema: Any, value: Any) -> None:
    whole = {**schema, "components": service["components"]}
    jsonschema_rs.validator_for(whole).validate(value)


def answers(request: httpx.Request) -> list[httpx.Response]:
    """Make every answer of success that is described, of its example."""
    service, _, path, operation = found(request)
    made: list[httpx.Response] = []
    for status, answer in operation["responses"].items():
        content = resolved(service, answer).get("content", {})
        if status == "204":
            made.append(httpx.Response(204))
        elif status.startswith("2"):
            kind = next(each for each in content if "json" in each and "x-nd" not in each)
            described = content[kind]
            schema = resolved(service, described.get("schema", {}))
            examples = schema.get("examples") or [WITHOUT_EXAMPLE.get(path)]
            example = described.get("example") or examples[0]
            made.append(httpx.Response(int(status), json=example))
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sent_and_what_is_understood_is_what_is_described(kind: Kind) -> None:
    called: set[tuple[str, str]] = set()
    for name, args, kwargs in CALLS:
        for number in range(2):

            def play(request: httpx.Request, number: int = number) -> Reply:
                _, method, path, _ = found(request)
                called.add((method, path))
                told = answers(request)
                return told[min(number, len(told) - 1)]

            client = Driven(kind, play)
            assert client(name, *args, **kwargs) is not None, name
            for request, body in zip(client.played.asked, client.played.bodies, strict=True):
                is_as_described(request, body)
    described = {
        (method, path)
        for service in SERVICES.values()
        for path, methods in service["paths"].items()
        for method in methods
        if method != "head" and not NOT_FOR_PROGRAMS.match(path)
    }
    assert called == described - STREAMED


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(method).parameters)
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    assert methods(Catalogue) == methods(AsyncCatalogue)
    assert {name for name, *_ in CALLS} <= methods(Catalogue).keys()
