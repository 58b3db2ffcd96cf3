"""What holds for every page: where its parts come from, and how it says what is wrong."""

import hashlib
import re
from collections.abc import Iterable

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from readmodel.app import create_app
from readmodel.web.assets import FOLDER, VENDOR, assets
from runtime.problems import PROBLEM_JSON
from runtime.settings import Settings
from tests.pages import policy
from tests.readmodel.conftest import Ledger, Log
from tests.readmodel.web.reading import Page, get, page_of
from tests.readmodel.web.stock import created

MANIFEST = orjson.loads((VENDOR / "manifest.json").read_bytes())
PAGES = ["/ui/", "/ui/items/lamp", "/ui/items/lamp/diff", "/ui/feed", "/ui/imports", "/ui/sign-in"]


@pytest.fixture(autouse=True)
def _lamp(ledger: Ledger) -> None:
    ledger.add(created("lamp"))


def test_vendored_files_are_those_of_the_manifest() -> None:
    kept = {each.name for each in VENDOR.iterdir()} - {"manifest.json"}
    licences = {each["licence_file"] for each in MANIFEST.values()}
    assert kept == MANIFEST.keys() | licences
    for name, told in MANIFEST.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == told["sha256"], name
        assert told["licence"] in {"0BSD", "MIT"}
        assert len((VENDOR / told["licence_file"]).read_text("utf-8")) > 500


def test_no_two_assets_share_a_name() -> None:
    files = [each for each in FOLDER.rglob("*") if each.suffix in {".js", ".css", ".svg"}]
    assert len(files) == len(assets())


@pytest.mark.parametrize("path", PAGES)
def test_all_a_page_needs_comes_from_here_and_its_policy_allows_nothing_else(
    client: FlaskClient, path: str
) -> None:
    answer = get(client, path)
    allowed = policy(answer)
    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == allowed["style-src"] == allowed["form-action"] == "'self'"
    assert allowed["connect-src"] == "'self' https://write.example"
    assert allowed["frame-ancestors"] == allowed["base-uri"] == "'none'"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    # What the policy would not let work must not be there.
    assert re.findall(r"<script(?! src=)|<style| style=| on[a-z]+=|javascript:", answer.text) == []
    page = Page(answer.text)
    named = [each.attributes["src"] for each in page.all("script")]
    named += [each.attributes["href"] for each in page.all("link")]
    for each in [*named, *_imported(named)]:
        assert re.fullmatch(r"/ui/assets/[0-9a-f]{16}/[\w.-]+", each)
        served = client.get(each)
        assert served.status_code == 200, each
        assert served.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def _imported(named: Iterable[str]) -> list[str]:
    """List what our scripts import: they stand side by side."""
    folder = next(iter(named)).rpartition("/")[0]
    ours = [each.read_text("utf-8") for each in FOLDER.glob("*.js")]
    imported = {name for text in ours for name in re.findall(r'from "\./([\w.-]+)"', text)}
    return [f"{folder}/{each}" for each in sorted(imported)]


def test_our_scripts_never_make_markup_of_text() -> None:
    for file in FOLDER.glob("*.js"):
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function",
            file.read_text("utf-8"),
        )
        assert found == [], file.name


def test_pages_that_follow_the_feed_say_from_where(client: FlaskClient) -> None:
    head = client.get("/changes?after=head").json["next"]
    for path, part in (("/ui/items/lamp", "item"), ("/ui/", "catalogue"), ("/ui/feed", "feed")):
        (shown,) = re.findall(rf'id="{part}"[^>]* data-cursor="([^"]+)"', get(client, path).text)
        assert shown == head, path


def test_an_asset_of_another_edition_is_a_problem(client: FlaskClient) -> None:
    answer = client.get("/ui/assets/0123456789abcdef/style.css")
    assert (answer.status_code, answer.content_type) == (404, PROBLEM_JSON)


def test_the_root_leads_to_the_catalogue(client: FlaskClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/ui/")


def test_what_is_wrong_is_a_page_for_people_and_a_document_for_programs(
    client: FlaskClient,
) -> None:
    for_people = get(client, "/ui/nothing-here")
    assert for_people.status_code == 404
    assert Page(for_people.text).texts("h1") == ["There is nothing here"]
    told = Page(for_people.text).one("main").text
    assert "There is no page at /ui/nothing-here." in told
    assert "not-found" not in told
    assert "openapi" not in told
    for_programs = client.get("/ui/nothing-here", headers={"Accept": "application/json"})
    assert (for_programs.status_code, for_programs.content_type) == (404, PROBLEM_JSON)
    assert "/openapi.json" in for_programs.json["detail"]
    elsewhere = get(client, "/items/nothing-here")
    assert elsewhere.content_type == PROBLEM_JSON


def test_pages_are_reached_below_the_path_of_the_public_url(
    settings: Settings, app: Flask, engine: object, log: Log
) -> None:
    below = settings.model_copy(update={"query_url": "https://shop.example/read/"})
    client = create_app(below, engine, log.inspector).test_client()  # type: ignore[arg-type]
    page = page_of(client, "/ui/")
    assert page.one("a", class_="brand").attributes["href"] == "/read/ui/"
    assert all(each.attributes["src"].startswith("/read/ui/") for each in page.all("script"))


def test_on_this_machine_a_page_leads_to_the_name_that_may_command(
    settings: Settings, engine: object, log: Log
) -> None:
    here = settings.model_copy(update={"query_url": None, "command_url": None})
    client = create_app(here, engine, log.inspector).test_client()  # type: ignore[arg-type]
    away = client.get("/ui/?q=lamp", base_url="http://localhost:8001")
    assert away.status_code == 302
    assert away.headers["Location"] == "http://127.0.0.1:8001/ui/?q=lamp"
    assert client.get("/ui/", base_url="http://127.0.0.1:8001").status_code == 200
    # Forwarded from another port: whoever did that knows why.
    assert client.get("/ui/", base_url="http://localhost:9001").status_code == 200
