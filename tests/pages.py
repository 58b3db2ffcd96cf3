"""What both services' pages have to be; `get` is that of either test client."""

import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import orjson

from runtime.docs_page import assets

Get = Callable[..., Any]


def policy(answer: Any) -> Mapping[str, str]:
    """Take a Content-Security-Policy apart."""
    directives = answer.headers["content-security-policy"].split("; ")
    return dict(each.split(" ", 1) for each in directives)


def check_docs(get: Get, title: str) -> None:
    """All the page needs is served from here, and its policy allows all of it and nothing more."""
    page = get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["cache-control"] == "no-cache"
    assert f"<title>{title}</title>" in page.text
    allowed = policy(page)
    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == allowed["style-src"] == allowed["connect-src"] == "'self'"
    assert "unsafe" not in page.headers["content-security-policy"]
    # No script and no style in the page itself: the policy would not let them work.
    assert re.findall(r"<script(?! src=)|<style| style=| on[a-z]+=|javascript:", page.text) == []
    named = [unescape(each) for each in re.findall(r'(?:src|href)="([^"]+)"', page.text)]
    assert len(named) == len(assets()) == 4
    for path in named:
        assert re.fullmatch(r"/docs/[a-z-]+\.[0-9a-f]{12}\.(css|js|png)", path)
        check_asset(get(path))


def check_asset(file: Any) -> None:
    assert file.status_code == 200
    assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert file.headers["x-content-type-options"] == "nosniff"
    kind = file.headers["content-type"].partition(";")[0]
    assert kind in {"text/css", "text/javascript", "image/png"}
    if kind == "text/css":
        # Pictures and other sheets of the style are in it.
        assert re.findall(r"@import|url\((?![\"']?data:).{9}", file.text) == []
    if kind == "text/javascript":
        assert "eval(" not in file.text


def check_catalogue(get: Get, codes: Mapping[str, Any], url: str) -> None:
    """The page leads to every code, and every `type` of the document to a page."""
    page = get("/problems")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["vary"].startswith("Accept")
    assert policy(page)["default-src"] == "'none'"
    assert set(re.findall(r'href="([^"]+)"', page.text)) == {f"{url}/problems/{c}" for c in codes}
    told = get("/problems", headers={"Accept": "application/json"})
    assert told.headers["content-type"] == "application/json"
    listed = orjson.loads(told.text)["problems"]
    assert {each["code"] for each in listed} == set(codes)
    for each in listed:
        path = urlsplit(each["type"]).path
        assert each["type"] == url + path
        assert f"<code>{each['code']}</code>" in get(path).text
        one = get(path, headers={"Accept": "application/json"})
        assert orjson.loads(one.text) == each
