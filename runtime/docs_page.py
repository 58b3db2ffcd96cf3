"""The page that shows a service's OpenAPI document and tries it: Swagger UI, from a package that
has all of it, so that it works without the internet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

# It shows what this service answers and may ask only this service. Swagger UI's pictures are data
# URLs in its style sheet.
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}
# Their names change with what they hold.
ASSET_HEADERS: Mapping[str, str] = {"Cache-Control": "public, max-age=31536000, immutable"}

_OF_THE_PACKAGE = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
}
# Where the service is reached by another name than its public one (localhost, say), that one is
# asked: the policy of the page lets it ask no other.
_START = """\
"use strict";
const place = document.getElementById("docs");
const announced = place.dataset.service;
const here = new URL(announced).pathname.replace(/\\/$/, "");
SwaggerUIBundle({
  domNode: place,
  url: `${here}/openapi.json`,
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor: (request) => {
    if (request.url.startsWith(announced)) {
      request.url = location.origin + here + request.url.slice(announced.length);
    }
    return request;
  },
});
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the page needs."""

    media_type: str
    body: bytes


def page(title: str, service_url: str) -> str:
    """Write the page of the service that is reached there."""
    base = escape(urlsplit(service_url).path.rstrip("/"))
    name_of = _names()
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width">'
        f'<link rel="icon" href="{base}/docs/{name_of["favicon-32x32.png"]}">'
        f'<link rel="stylesheet" href="{base}/docs/{name_of["swagger-ui.css"]}">'
        f'</head><body><div id="docs" data-service="{escape(service_url)}"></div>'
        f'<script src="{base}/docs/{name_of["swagger-ui-bundle.js"]}"></script>'
        f'<script src="{base}/docs/{name_of["start.js"]}"></script>'
        "</body></html>\n"
    )


@cache
def assets() -> Mapping[str, Asset]:
    """Load the files that pages need, by the names they have there."""
    loaded = _loaded()
    return {
        name: Asset(_MEDIA_TYPES[Path(plain).suffix], loaded[plain])
        for plain, name in _names().items()
    }


@cache
def _names() -> Mapping[str, str]:
    return {plain: _name(plain, body) for plain, body in _loaded().items()}


@cache
def _loaded() -> Mapping[str, bytes]:
    # Only found, not imported: beside the files there is code for Flask that is not needed.
    spec = find_spec("flask_swagger_ui")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the package flask-swagger-ui is not installed")
    folder = Path(spec.submodule_search_locations[0], "dist")
    found = {name: (folder / name).read_bytes() for name in _OF_THE_PACKAGE}
    return {**found, "start.js": _START.encode()}


def _name(plain: str, body: bytes) -> str:
    stem, dot, suffix = plain.rpartition(".")
    letters = "".join(each for each in stem if each.isalpha() or each == "-").rstrip("-x")
    return f"{letters}.{sha256(body).hexdigest()[:12]}{dot}{suffix}"
