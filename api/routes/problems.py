"""The pages behind the `type` of a problem."""

import orjson
from fastapi import APIRouter, Request, Response

from api.problem_codes import CATALOGUE
from api.problems import ProblemRaised
from runtime.problem_pages import PAGE_HEADERS, catalogue, page, sorted_codes, told, wants_json
from runtime.problems import Problem

_HTML = "text/html; charset=utf-8"


def routes(service_url: str) -> APIRouter:
    router = APIRouter()

    @router.api_route("/problems", methods=["GET", "HEAD"])
    async def problems(request: Request) -> Response:
        known = CATALOGUE.values()
        if wants_json(request.headers.get("accept", "")):
            return _json({"problems": [told(each, service_url) for each in sorted_codes(known)]})
        return Response(catalogue(known, service_url), headers=PAGE_HEADERS, media_type=_HTML)

    @router.api_route("/problems/{code}", methods=["GET", "HEAD"])
    async def problem(request: Request, code: str) -> Response:
        found = CATALOGUE.get(code)
        if found is None:
            detail = f"this service has no problem code {code!r}"
            raise ProblemRaised(Problem(404, "not-found", "There is nothing here", detail))
        if wants_json(request.headers.get("accept", "")):
            return _json(told(found, service_url))
        return Response(page(found), headers=PAGE_HEADERS, media_type=_HTML)

    return router


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), headers=PAGE_HEADERS, media_type="application/json")
