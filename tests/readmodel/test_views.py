"""`GET /views/{name}`: views that answer by themselves."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from domain.events import ItemCreated
from readmodel.views import listing
from readmodel.views.names import view_names

AT = 1_763_798_400_000


def test_a_view_is_asked_by_its_name(ledger: Any, client: FlaskClient) -> None:
    ledger.add(ItemCreated("a", AT, AT, "a", None, 1, "EUR"))
    by_name = client.get("/views/stats?to=2025-11-22")
    by_path = client.get("/stats?to=2025-11-22")
    assert by_name.json["items"]["live"] == 1
    assert (by_name.data, by_name.headers["ETag"]) == (by_path.data, by_path.headers["ETag"])


@pytest.mark.parametrize("name", ["items", "projections", "Stats", "stats_2", "%00", "💥", "a%22b"])
def test_what_can_not_be_asked_is_not_found(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/views/{name}")
    assert (answer.status_code, answer.json["code"]) == (404, "not-found")


def test_a_parameter_with_a_nul_never_comes_to_a_view(client: FlaskClient) -> None:
    answer = client.get("/views/stats?to=a%00b")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["code"] == "not-text"


def test_every_view_says_which_events_it_reads() -> None:
    assert all(view.reads for view in listing.all_views())


def test_every_view_is_called_as_its_file_and_named_without_being_loaded() -> None:
    assert view_names() == [view.name for view in listing.all_views()]
