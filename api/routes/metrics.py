"""Figures for Prometheus."""

from fastapi import APIRouter, Response

from runtime.metrics import CONTENT_TYPE, Exposition


def routes(exposition: Exposition) -> APIRouter:
    router = APIRouter()

    @router.api_route("/metrics", methods=["GET", "HEAD"])
    async def metrics() -> Response:
        return Response(exposition.text(), headers={"Content-Type": CONTENT_TYPE})

    return router
