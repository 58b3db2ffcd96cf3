"""Signing in, where tokens are wanted."""

from http.cookies import SimpleCookie

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from readmodel.app import create_app
from runtime.auth import cookie
from runtime.auth.caller import Scope
from runtime.settings import Settings
from tests.readmodel.conftest import Ledger, Log
from tests.readmodel.web.reading import Page, get
from tests.readmodel.web.stock import created
from tests.tokens import guard, token

HERE = "https://read.example"


@pytest.fixture
def guarded(settings: Settings, engine: Engine, log: Log) -> FlaskClient:
    app = create_app(settings, engine, log.inspector, guard=guard(settings))
    return app.test_client(use_cookies=False)


@pytest.fixture(autouse=True)
def _lamp(ledger: Ledger) -> None:
    ledger.add(created("lamp"))


def sign_in(
    client: FlaskClient, given: str, following: str = "", origin: str | None = HERE
) -> TestResponse:
    headers = {} if origin is None else {"Origin": origin}
    return client.post("/ui/sign-in", data={"token": given, "next": following}, headers=headers)


def signed_in(*scopes: Scope) -> dict[str, str]:
    return {"Cookie": f"other=1; {cookie.NAME}={token(*scopes)}", "Accept": "text/html, */*"}


def test_who_is_not_signed_in_is_led_to_where_they_can_and_back(guarded: FlaskClient) -> None:
    away = get(guarded, "/ui/items/lamp", version="1")
    assert away.status_code == 302
    there = Page(guarded.get(away.headers["Location"], headers={"Accept": "text/html"}).text)
    back = there.one("input", name="next").attributes["value"]
    assert back == "/ui/items/lamp?version=1"
    answer = sign_in(guarded, token("items:read"), back)
    assert (answer.status_code, answer.headers["Location"]) == (303, back)


def test_programs_and_parts_of_pages_are_not_led_anywhere(guarded: FlaskClient) -> None:
    assert guarded.get("/ui/").status_code == 401
    part = guarded.get("/ui/", headers={"Accept": "text/html", "HX-Request": "true"})
    assert part.status_code == 401


def test_the_cookie_is_for_the_browser_alone_and_not_for_other_sites(guarded: FlaskClient) -> None:
    given = token("items:read")
    kept = sign_in(guarded, given).headers["Set-Cookie"]
    read = SimpleCookie(kept)[cookie.NAME]
    assert read.value == given
    assert (read["httponly"], read["samesite"], read["secure"]) == (True, "Strict", True)
    # Of this host alone, and until the browser ends.
    assert (read["path"], read["domain"], read["max-age"], read["expires"]) == ("/", "", "", "")


def test_a_domain_makes_the_cookie_known_to_all_hosts_below(
    settings: Settings, engine: Engine, log: Log
) -> None:
    below = settings.model_copy(update={"cookie_domain": "shop.example"})
    client = create_app(below, engine, log.inspector, guard=guard(below)).test_client()
    kept = sign_in(client, token("items:read")).headers["Set-Cookie"]
    assert SimpleCookie(kept)[cookie.NAME]["domain"] == "shop.example"


def test_who_is_signed_in_reads_pages_resources_and_the_stream(guarded: FlaskClient) -> None:
    for path in ("/ui/", "/items", "/items/lamp", "/changes"):
        assert guarded.get(path, headers=signed_in("items:read")).status_code == 200, path
    with guarded.get("/changes/stream?after=head", headers=signed_in("items:read")) as stream:
        assert stream.status_code == 200


def test_a_header_counts_before_the_cookie(guarded: FlaskClient) -> None:
    headers = {**signed_in("items:read"), "Authorization": "Bearer nonsense"}
    assert guarded.get("/items", headers=headers).status_code == 401


def test_the_scopes_of_the_token_count(guarded: FlaskClient) -> None:
    assert guarded.get("/ui/", headers=signed_in("ops")).status_code == 403


def test_who_may_not_write_is_offered_nothing_to_write_with(guarded: FlaskClient) -> None:
    for path in ("/ui/", "/ui/items/lamp"):
        reader = Page(guarded.get(path, headers=signed_in("items:read")).text)
        assert reader.all("dialog") == []
        writer = Page(guarded.get(path, headers=signed_in("items:read", "items:write")).text)
        assert writer.all("dialog") != []


def test_a_page_says_who_is_signed_in(guarded: FlaskClient) -> None:
    page = Page(guarded.get("/ui/", headers=signed_in("items:read")).text)
    assert "rosa" in page.one("form", class_="who").text


@pytest.mark.parametrize("before", ["Bearer ", " bearer  ", "Authorization: Bearer "])
def test_a_token_may_be_pasted_as_it_stands_in_a_header(guarded: FlaskClient, before: str) -> None:
    given = token("items:read")
    kept = sign_in(guarded, f"{before}{given}\n").headers["Set-Cookie"]
    assert SimpleCookie(kept)[cookie.NAME].value == given


@pytest.mark.parametrize("given", ["", "Bearer", "nonsense", "x" * 4000, "a.b.c"])
def test_what_is_no_token_is_told_and_not_kept(guarded: FlaskClient, given: str) -> None:
    answer = sign_in(guarded, given, "/ui/items/lamp")
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    page = Page(answer.text)
    assert page.one("span", id="token-wrong").text
    assert page.one("input", name="next").attributes["value"] == "/ui/items/lamp"


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "https://write.example"])
@pytest.mark.parametrize("path", ["/ui/sign-in", "/ui/sign-out"])
def test_other_pages_can_not_sign_somebody_in_or_out(
    guarded: FlaskClient, origin: str | None, path: str
) -> None:
    headers = {} if origin is None else {"Origin": origin}
    answer = guarded.post(path, data={"token": token("items:read")}, headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "following",
    ["https://evil.example/", "//evil.example", "/\\evil", "/ui/\\evil", "/ui/\nx", "/items", ""],
)
def test_nobody_is_led_away_from_here(guarded: FlaskClient, following: str) -> None:
    answer = sign_in(guarded, token("items:read"), following)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/ui/")


def test_signing_out_takes_the_cookie_back(guarded: FlaskClient) -> None:
    answer = guarded.post("/ui/sign-out", headers={"Origin": HERE})
    assert answer.status_code == 303
    read = SimpleCookie(answer.headers["Set-Cookie"])[cookie.NAME]
    assert (read.value, read["max-age"]) == ("", "0")


def test_where_nobody_has_to_sign_in_the_page_says_so(client: FlaskClient) -> None:
    assert Page(get(client, "/ui/sign-in").text).texts("h1") == ["Nobody has to sign in here"]
