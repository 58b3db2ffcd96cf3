"""What the query API offers to ask for next, once it has been asked for a few things."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import httpx

from tests.fuzz.catalogue import MOMENTS, Catalogue
from tests.tokens import bearer


@dataclass(frozen=True, slots=True)
class Page:
    """A page that follows another one."""

    path_parameters: Mapping[str, str]
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the service told before: entity tags, further pages by path, cursors of the feed, and
    the files of its page.
    """

    tags: Sequence[str]
    pages: Mapping[str, Sequence[Page]]
    cursors: Sequence[str]
    assets: Sequence[str]


def look(url: str, catalogue: Catalogue) -> Seen:
    """Ask for some pages, and remember what they offer to go on with."""
    item, rows = {"item_id": catalogue.items[0]}, {"import_id": catalogue.imports[0]}
    tags: list[str] = []
    pages: dict[str, list[Page]] = {}
    with httpx.Client(
        base_url=url, headers=bearer("items:read"), trust_env=False, timeout=30
    ) as client:
        for template, known, query in (
            ("/items", {}, "limit=7"),
            ("/items", {}, "limit=5&sort=-price&currency=EUR&include_deleted=true"),
            ("/items", {}, f"limit=3&sort=name&as_of={MOMENTS[5]}"),
            ("/items", {}, "limit=1&q=white"),
            ("/items", {}, f"limit=1&q=white&as_of={MOMENTS[5]}"),
            ("/items/{item_id}", item, ""),
            ("/items/{item_id}/history", item, "limit=2"),
            ("/items/{item_id}/prices", item, "limit=1"),
            ("/items/{item_id}/scheduled-prices", item, "limit=1"),
            ("/imports", {}, "limit=2"),
            ("/imports/{import_id}/rows", rows, "limit=2"),
            ("/changes", {}, "limit=9"),
            ("/stats", {}, ""),
        ):
            answer = client.get(f"{template.format(**known)}?{query}")
            assert answer.status_code == 200, answer.text
            tags.extend(answer.headers.get_list("ETag"))
            following = answer.links.get("next")
            if following is not None:
                asked = dict(parse_qsl(urlsplit(following["url"]).query))
                pages.setdefault(template, []).append(Page(known, asked))
        changes = client.get("/changes", params={"limit": 50}).json()["changes"]
        named = re.findall(r"/docs/([a-z-]+\.[0-9a-f]{12}\.[a-z]+)", client.get("/docs").text)
    return Seen(tags, pages, [each["cursor"] for each in changes[::10]], named)
