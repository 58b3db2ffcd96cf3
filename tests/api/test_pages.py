"""The pages of the command API."""

from api.problem_codes import CATALOGUE
from runtime.docs_page import assets
from tests.api.conftest import Api
from tests.api.test_items import problem
from tests.pages import check_catalogue, check_docs


def test_the_page_to_try_things_on_needs_nothing_from_elsewhere(api: Api) -> None:
    check_docs(api.client.get, "itemledger command API")


def test_the_catalogue_leads_to_every_problem_code(api: Api) -> None:
    check_catalogue(api.client.get, CATALOGUE, "http://command.test")


def test_a_file_that_the_page_does_not_name_is_a_problem(api: Api) -> None:
    for name in ("swagger-ui.css", "x.js", "LICENSE", "..%2fVERSION"):
        assert name not in assets()
        problem(api.client.get(f"/docs/{name}"), 404, "not-found")


def test_pages_only_answer_reads(api: Api) -> None:
    for path in ("/docs", "/problems", "/openapi.json", *(f"/docs/{name}" for name in assets())):
        answer = api.client.post(path)
        problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == "GET, HEAD"
        head = api.client.head(path)
        assert (head.status_code, head.content) == (200, b"")
