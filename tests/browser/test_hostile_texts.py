"""Texts of data are never markup: none of them runs, and the policy has nothing to report. Here a
slice of the payloads is tried, by `make hostile` all.
"""

import json
import os
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from itemledger_client.file_names import disposition
from tests.browser.browser import Window, window
from tests.browser.payloads import PAYLOADS
from tests.browser.stock import patch, put, write
from tests.journey import Deployment

# A prime, so that the slice has every vector and every way out.
STEP = int(os.environ.get("HOSTILE_STEP", "43"))
TRIED = PAYLOADS[::STEP]


def test_there_are_two_hundred_payloads() -> None:
    assert len(PAYLOADS) == len(set(PAYLOADS)) == 200


@pytest.mark.timeout(600)
def test_no_text_becomes_a_script(deployment: Deployment, mine: Window) -> None:
    page = mine.page
    ids = [f"hostile-{n}" for n in range(len(TRIED))]
    for start in range(0, len(ids), 50):
        both = list(zip(ids, TRIED, strict=True))[start : start + 50]
        write(deployment, *(put(i, text, description=text, reason=text) for i, text in both))
        write(deployment, *(patch(i, name=f"{text}.", price=1, reason=text) for i, text in both))
    imported = _import_of(deployment)

    for path in ("/ui/?q=hostile", "/ui/", "/ui/feed", "/ui/imports", f"/ui/imports/{imported}"):
        mine.go(path)
        _see_to_the_end(page)
    for item_id, text in zip(ids, TRIED, strict=True):
        mine.go(f"/ui/items/{item_id}")
        assert page.locator("h1").text_content() == f"{text}."
        assert page.locator("blockquote").first.text_content() == text
        page.get_by_role("button", name="Edit").click()
        assert page.locator("#edit-name").input_value() == f"{text}."
        assert page.locator("#edit-description").input_value() == text
    for text in TRIED:
        given = quote(text, safe="")
        for path in (
            f"/ui/?q={given}",
            f"/ui/?min={given}&sort={given}",
            f"/ui/items/hostile-0?as_of={given}",
            f"/ui/items/hostile-0/diff?from={given}",
            f"/ui/imports/{imported}?status={given}",
            f"/ui/sign-in?next={given}",
        ):
            mine.go(path)
    mine.go("/ui/items/hostile-0/diff")
    assert mine.complaints == []


@pytest.mark.timeout(600)
def test_what_others_have_written_meanwhile_is_no_script_either(
    deployment: Deployment, mine: Window
) -> None:
    """In what our own scripts write: a conflict, a problem, a message."""
    page = mine.page
    for n, text in enumerate(TRIED):
        write(deployment, put(f"disputed-{n}", "Disputed"))
        mine.go(f"/ui/items/disputed-{n}")
        page.get_by_role("button", name="Edit").click()
        page.locator("#edit-name").fill(f"mine {text}")
        write(deployment, patch(f"disputed-{n}", name=text))
        page.locator("dialog[open] .actions button").last.click()
        question = page.locator("#edit fieldset label")
        expect(question).to_have_count(2)
        said = [" ".join((each or "").split()) for each in question.all_text_contents()]
        now = " ".join(f"Now: {text}, by anonymous".split())
        assert said == [" ".join(f"Yours: mine {text}".split()), now]
    assert mine.complaints == []


@pytest.mark.timeout(600)
def test_what_somebody_signs_in_with_is_no_script(browser: Browser, door: str) -> None:
    with window(browser, door) as opened:
        page = opened.page
        for text in TRIED:
            opened.go(f"/ui/sign-in?next={quote(f'/ui/{text}', safe='')}")
            page.locator("#token").fill(text)
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("alert")).to_be_visible()
        assert opened.complaints == []


def _import_of(deployment: Deployment) -> str:
    """Import rows whose ids and values no item can have: the results say them again. What else is
    called like that are files.
    """
    lines = "\n".join(json.dumps({"id": text, "name": "x", "price": text}) for text in TRIED)
    for text in TRIED:
        _send(deployment, "{}", text)
    return _send(deployment, lines, TRIED[0])


def _send(deployment: Deployment, lines: str, file_name: str) -> str:
    answer = httpx.post(
        f"{deployment.command_url}/imports",
        content=lines,
        headers={
            "Content-Type": "application/x-ndjson",
            "Prefer": "wait=20",
            "Content-Disposition": disposition(file_name) or "attachment",
        },
        params={"reason": TRIED[0]},
        timeout=30,
        trust_env=False,
    )
    assert answer.is_success, answer.text
    return answer.json()["import_id"]


def _see_to_the_end(page: Page) -> None:
    while (more := page.locator("#more")).count():
        last = page.locator("#rows tr, #list tr").count()
        more.scroll_into_view_if_needed()
        expect(page.locator("#rows tr, #list tr")).not_to_have_count(last)
