"""The page where people sign in with a token, which a cookie keeps from then on."""

import re
from urllib.parse import urlencode

from flask import Response, request

from readmodel import params
from readmodel.answers import FRESH_ONLY, Answer
from readmodel.guard import Doorkeeper
from readmodel.web.render import Pages, lead_to
from runtime.auth import codes, cookie
from runtime.auth.denied import Denied
from runtime.auth.visitors import origin_of
from runtime.settings import Settings

_SEE_OTHER = 303
# What stands before a token in a header, with which it is copied.
_BEARER = re.compile(r"^(authorization:\s*)?bearer\s+", re.IGNORECASE)


class SignInPage:
    """`door` says whose a token is."""

    def __init__(self, pages: Pages, door: Doorkeeper, settings: Settings) -> None:
        self._pages = pages
        self._door = door
        self._url = settings.public_query_url
        self._domain = settings.cookie_domain
        self._catalogue = f"{pages.base}/ui/"

    def page(self) -> Response:
        given = params.read(request.args, {"next": params.text})
        return self._page(self._inside(given.get("next", "")), "")

    def sign_in(self) -> Response:
        """Keep a token that is valid, and go on to the page that was asked for."""
        self._check_origin()
        token = _BEARER.sub("", request.form.get("token", "").strip())
        following = self._inside(request.form.get("next", ""))
        if len(token) > cookie.TOKEN_LIMIT:
            return self._page(following, "the token is too long for a cookie", 401)
        try:
            self._door.caller({**request.environ, "HTTP_AUTHORIZATION": f"Bearer {token}"}, ())
        except Denied as denied:
            return self._page(following, str(denied), denied.problem.status)
        answer = lead_to(following, _SEE_OTHER)
        answer.headers["Set-Cookie"] = cookie.kept(token, self._url, self._domain)
        return answer

    def sign_out(self) -> Response:
        self._check_origin()
        answer = lead_to(f"{self._catalogue}sign-in", _SEE_OTHER)
        answer.headers["Set-Cookie"] = cookie.forgotten(self._url, self._domain)
        return answer

    def lead_here(self) -> Answer:
        """Lead to this page, and from it back to where somebody wanted to go."""
        wanted = self._pages.base + request.full_path.rstrip("?")
        return lead_to(f"{self._catalogue}sign-in?{urlencode({'next': wanted})}")

    def _page(self, following: str, wrong: str, status: int = 200) -> Answer:
        values = {"next": following, "wrong": wrong, "nobody_has_to": not self._pages.wants_tokens}
        return self._pages.page("sign_in.html", values, status, FRESH_ONLY)

    def _inside(self, path: str) -> str:
        """Take only the path of a page of ours: nobody is to be led away from here."""
        ours = path.startswith(self._catalogue) and path.isprintable() and "\\" not in path
        return path if ours else self._catalogue

    def _check_origin(self) -> None:
        """Raise Denied where another page than ours sends the form: it would sign somebody in as
        whom they are not.
        """
        if request.headers.get("Origin") != origin_of(self._url):
            detail = "the form is sent by another page than that of this service"
            raise Denied(codes.FOREIGN_ORIGIN, detail)
