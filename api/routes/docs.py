"""The description of this service: for programs, and as a page to try things on."""

from functools import cache

from fastapi import APIRouter, Response

from api.openapi.document import TITLE, document
from api.problems import ProblemRaised
from runtime import docs_page
from runtime.problems import Problem


def routes(service_url: str) -> APIRouter:
    router = APIRouter()

    # Most of what the application takes to start, and few ask for it.
    @cache
    def described() -> bytes:
        return document(service_url)

    @router.api_route("/openapi.json", methods=["GET", "HEAD"])
    async def openapi() -> Response:
        return Response(
            described(), headers={"Cache-Control": "no-cache"}, media_type="application/json"
        )

    @router.api_route("/docs", methods=["GET", "HEAD"])
    async def docs() -> Response:
        return Response(
            docs_page.page(TITLE, service_url),
            headers=docs_page.PAGE_HEADERS,
            media_type="text/html; charset=utf-8",
        )

    @router.api_route("/docs/{asset}", methods=["GET", "HEAD"])
    async def docs_asset(asset: str) -> Response:
        found = docs_page.assets().get(asset)
        if found is None:
            detail = f"the page /docs has no file {asset!r}"
            raise ProblemRaised(Problem(404, "not-found", "There is nothing here", detail))
        return Response(found.body, headers=docs_page.ASSET_HEADERS, media_type=found.media_type)

    return router
