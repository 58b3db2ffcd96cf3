"""The pages of the query API."""

import pytest
from flask.testing import FlaskClient

from readmodel.problem_codes import PROBLEM_CODES
from runtime.problems import PROBLEM_JSON
from tests.pages import check_catalogue, check_docs


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def test_the_page_to_try_things_on_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    check_docs(client.get, "itemledger query API")


def test_the_catalogue_leads_to_every_problem_code(client: FlaskClient) -> None:
    check_catalogue(client.get, PROBLEM_CODES, "https://read.example")


def test_a_file_that_the_page_does_not_name_is_a_problem(client: FlaskClient) -> None:
    for name in ("swagger-ui.css", "LICENSE"):
        answer = client.get(f"/docs/{name}")
        assert (answer.status_code, answer.content_type) == (404, PROBLEM_JSON)
