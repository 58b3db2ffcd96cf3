"""Texts of data run in their own direction: what is Hebrew or Arabic ends where it ends, whatever
language the page around it has.
"""

import re

import pytest
from flask.testing import FlaskClient

from domain.events import ItemDescribed, ItemPriceScheduled, ItemRenamed, ItemRepriced
from ledger.imports import Counts
from tests.readmodel.conftest import Ledger
from tests.readmodel.test_imports import ID, begun
from tests.readmodel.web.reading import Page, get
from tests.readmodel.web.stock import AT, created
from tests.readmodel.web.test_operations import set_aside

TEXT = "מנורה (שולחן)!"
# What is typed into them is text of data, too.
TYPED = {"q", "name", "description", "reason", "map"}
PAGES = (
    ("/ui/", {}),
    ("/ui/items/lamp", {}),
    ("/ui/items/lamp", {"version": "1"}),
    ("/ui/items/lamp", {"as_of": "2020-01-01T00:00"}),
    ("/ui/items/lamp/diff", {"from": "1", "to": "4"}),
    ("/ui/items/lamp/diff", {"from": "4", "to": "4"}),
    ("/ui/feed", {}),
    ("/ui/imports", {}),
    (f"/ui/imports/{ID}", {}),
    ("/ui/operations", {}),
)


@pytest.fixture(autouse=True)
def _lamp(ledger: Ledger) -> None:
    ledger.add(created("lamp", TEXT, description=TEXT), reason=TEXT)
    ledger.add(ItemRenamed("lamp", AT, AT, f"{TEXT} 2"), ItemDescribed("lamp", AT, AT, f"{TEXT} 2"))
    ledger.add(ItemRepriced("lamp", AT, AT, 999, "EUR"), reason=TEXT)
    ledger.add(
        ItemPriceScheduled("lamp", AT, AT, "s1", 799, "EUR", AT + 9, AT + 10, TEXT, TEXT),
        reason=TEXT,
    )
    begun(ledger, Counts(applied=2, rejected=1), actor=TEXT, status="failed", detail=TEXT)
    refused = {"status": "rejected", "http_status": 422, "code": "invalid-body", "detail": TEXT}
    ledger.outcome(f"{ID}.000000002", "", **refused)
    set_aside(ledger, ("bad", "dead"), why=f"ValueError: {TEXT}")


@pytest.mark.parametrize(("path", "asked"), PAGES)
def test_every_text_of_data_has_its_own_direction(
    client: FlaskClient, path: str, asked: dict[str, str]
) -> None:
    page = Page(get(client, path, **asked).text)
    shown = [
        each for each in page.elements if TEXT in each.own and each.tag not in {"title", "pre"}
    ]
    assert shown
    assert [each for each in shown if not _own_direction(each.tag, each.attributes)] == []
    fields = [each for each in page.elements if each.attributes.get("name") in TYPED]
    assert [each for each in fields if each.attributes.get("dir") != "auto"] == []


@pytest.mark.parametrize(("path", "asked"), PAGES)
def test_no_page_names_things_as_programs_do(
    client: FlaskClient, path: str, asked: dict[str, str]
) -> None:
    page = Page(get(client, path, **asked).text)
    said = [each.own for each in page.elements if each.tag not in {"code", "pre", "script"}]
    assert [each for each in said if re.search(r"[a-z]_[a-z]", each)] == []


def _own_direction(tag: str, attributes: dict[str, str]) -> bool:
    """HTML, 4.5.24: `bdi` has it by itself."""
    return tag == "bdi" or attributes.get("dir") == "auto"
