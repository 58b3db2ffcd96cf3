"""The pages behind the `type` of a problem."""

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from api.problem_codes import CATALOGUE
from api.problems import ProblemRaised
from runtime.problem_pages import PAGE_HEADERS, page
from runtime.problems import Problem


def routes() -> APIRouter:
    router = APIRouter(tags=["problems"])

    @router.head("/problems/{code}", include_in_schema=False)
    @router.get(
        "/problems/{code}",
        summary="What a problem code means",
        response_class=HTMLResponse,
    )
    async def problem(code: str) -> Response:
        found = CATALOGUE.get(code)
        if found is None:
            detail = f"this service has no problem code {code!r}"
            raise ProblemRaised(Problem(404, "not-found", "There is nothing here", detail))
        return HTMLResponse(page(found), headers=PAGE_HEADERS)

    return router
