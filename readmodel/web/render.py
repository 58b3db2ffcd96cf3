"""Writes pages. What is put into a template is text, never markup: every template escapes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from flask import g
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain.currencies import ISO_4217
from readmodel.answers import Answer, answer
from readmodel.web import moments, money
from readmodel.web.assets import edition
from runtime.auth.caller import Caller
from runtime.auth.visitors import origin_of

HTML = "text/html; charset=utf-8"
# For who asked, and asked about before every use: the page says what was so then.
_CACHING = {"Cache-Control": "private, no-cache", "Vary": "Accept, Cookie"}


class Pages:
    """Writes pages under `public_url`, whose scripts command the service at `command_url`. Where
    tokens are wanted, pages lead to where people sign in.
    """

    def __init__(
        self, public_url: str, command_url: str, currency: str, *, wants_tokens: bool
    ) -> None:
        self.wants_tokens = wants_tokens
        self.base = urlsplit(public_url).path.rstrip("/")
        self._policy = {
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
            f"img-src 'self'; connect-src 'self' {origin_of(command_url)}; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'",
            # Without it, a browser does not say which page sends a form.
            "Referrer-Policy": "same-origin",
        }
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).with_name("templates")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Any] = {
            "amount": money.written,
            "ago": moments.ago,
            "moment": moments.moment,
            "query": _query,
            "span": moments.span,
        }
        self._templates.filters.update(filters)
        self._shared: Mapping[str, Any] = {
            "base": self.base,
            "assets": f"{self.base}/ui/assets/{edition()}",
            "command_url": command_url,
            "default_currency": currency,
            "currencies": sorted(ISO_4217),
            "digits": orjson.dumps(dict(money.DIGITS)).decode(),
            "wants_tokens": wants_tokens,
        }

    def page(
        self,
        template: str,
        values: Mapping[str, Any],
        status: int = 200,
        headers: Mapping[str, str] = _CACHING,
    ) -> Answer:
        """Answer with a page."""
        caller: Caller | None = g.get("caller")
        who = {
            "who": None if caller is None else caller.subject,
            "may_write": caller is not None and "items:write" in caller.scopes,
            "may_operate": caller is not None and "ops" in caller.scopes,
        }
        body = self._templates.get_template(template).render({**self._shared, **who, **values})
        written = answer(body, {**self._policy, **headers}, status)
        written.content_type = HTML
        return written


def lead_to(url: str, status: int = 302) -> Answer:
    """Answer that the page is somewhere else."""
    return answer(b"", {"Location": url, "Cache-Control": "no-store"}, status)


def _query(values: Mapping[str, Any]) -> str:
    """Write the query of a link, with what is given."""
    given = {name: value for name, value in values.items() if value not in {None, ""}}
    return f"?{urlencode(given)}" if given else "?"
