"""Bring back the values of an earlier version."""

from typing import Any

import pytest

from tests.api.conftest import Service
from tests.api.test_items import LAMP, WAIT, problem


def history(service: Service) -> str:
    """Make an item of three versions."""
    item_id = service.client.post("/items", json=LAMP, headers=WAIT).json()["id"]
    for change in ({"name": "Rug"}, {"price": 5, "description": "Woven."}):
        service.client.patch(f"/items/{item_id}", json=change, headers=WAIT)
    return str(item_id)


def revert(service: Service, item_id: str, body: Any, **headers: str) -> Any:
    return service.client.post(f"/items/{item_id}/revert", json=body, headers=WAIT | headers)


def test_an_item_goes_back_to_the_values_of_a_version(service: Service) -> None:
    item_id = history(service)
    answer = revert(service, item_id, {"to_version": 2, "reason": "wrong list"})

    assert answer.status_code == 200
    assert answer.headers["etag"] == '"6"'
    assert {**LAMP, "name": "Rug", "description": None}.items() <= answer.json().items()


def test_going_back_to_where_it_is_changes_nothing(service: Service) -> None:
    item_id = history(service)
    answer = revert(service, item_id, {"to_version": 4})

    assert (answer.status_code, answer.headers["etag"]) == (200, '"4"')


@pytest.mark.parametrize("version", [0, -1, 5, 10**12, 2**53 - 1])
def test_a_version_the_item_never_had_is_refused(service: Service, version: int) -> None:
    item_id = history(service)
    answer = revert(service, item_id, {"to_version": version})

    problem(answer, 422, "invalid-body" if version < 1 else "no-such-version")


def test_a_deleted_item_is_gone_and_an_unknown_one_not_there(service: Service) -> None:
    item_id = history(service)
    service.client.delete(f"/items/{item_id}", headers=WAIT)

    problem(revert(service, item_id, {"to_version": 1}), 410, "item-deleted")
    problem(revert(service, "nobody", {"to_version": 1}), 404, "item-not-found")


def test_a_condition_is_judged_before_the_version(service: Service) -> None:
    item_id = history(service)
    headers = {"If-Match": '"3"'}
    answer = revert(service, item_id, {"to_version": 99}, **headers)

    assert problem(answer, 412, "precondition-failed")["current_version"] == 4


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/to_version"), ({"to_version": "1"}, "/to_version"), ({"to_version": 1, "x": 1}, "/x")],
)
def test_a_body_of_the_wrong_shape_names_the_spot(
    service: Service, body: Any, pointer: str
) -> None:
    answer = revert(service, "a", body)

    assert problem(answer, 422, "invalid-body")["errors"][0]["pointer"] == pointer
