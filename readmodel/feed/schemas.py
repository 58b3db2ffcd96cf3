"""The JSON Schemas of events, one for each version there ever was, and the list of them."""

from collections.abc import Mapping

import orjson
from flask import Response, request

from ledger.shapes import NEWEST, SHAPES, Shape
from readmodel import params
from readmodel.answers import Answer, answer
from readmodel.problem_codes import SCHEMA_NOT_FOUND
from readmodel.problems import Trouble, problem

_SCHEMA_JSON = "application/schema+json"
# A version that was released never changes.
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_TODAY = {"Cache-Control": "public, max-age=3600"}


class SchemaUrls:
    """Where the schemas are, under `public_url`."""

    def __init__(self, public_url: str) -> None:
        self._urls: Mapping[tuple[str, int], str] = {
            (
                shape.type,
                shape.version,
            ): f"{public_url}/schemas/events/{shape.type}/v{shape.version}"
            for shape in SHAPES
        }

    def of(self, shape: Shape) -> str:
        return self._urls[shape.type, shape.version]


class SchemaRoutes:
    """Open to all: they say nothing of any item."""

    def __init__(self, public_url: str) -> None:
        urls = SchemaUrls(public_url)
        self._schemas: Mapping[tuple[str, str], bytes] = {
            (shape.type, f"v{shape.version}"): orjson.dumps(shape.schema(urls.of(shape)))
            for shape in SHAPES
        }
        self._list = orjson.dumps(
            {
                "schemas": [
                    {
                        "type": shape.type,
                        "version": shape.version,
                        "newest": shape is NEWEST[shape.type],
                        "schema": urls.of(shape),
                    }
                    for shape in SHAPES
                ]
            }
        )

    def schemas(self) -> Response:
        params.read(request.args, {})
        return answer(self._list, _TODAY)

    def schema(self, type_name: str, version: str) -> Response:
        params.read(request.args, {})
        found = self._schemas.get((type_name, version))
        if found is None:
            detail = f"no version {version} of an event {type_name} is known to this release"
            raise Trouble(problem(SCHEMA_NOT_FOUND, detail), _TODAY)
        written: Answer = answer(found, _FOR_EVER)
        written.content_type = _SCHEMA_JSON
        return written
