"""Nobody reads who may not. It works on a WSGI environment alone, so that what answers in front of
Flask can ask it, too.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from readmodel.rate import Limit, unlimited
from runtime.auth import codes, cookie
from runtime.auth.caller import Caller
from runtime.auth.denied import Denied, KeysWanted
from runtime.auth.guard import Guard, require
from runtime.problem_pages import ProblemCode
from runtime.response_headers import HEADERS_LIMIT, URL_LIMIT

# A read has no body; one that comes all the same is not read.
MAX_BODY = 64 * 1024

BODY_TOO_LARGE = ProblemCode(
    "body-too-large",
    413,
    "The body is too large",
    "Requests to this service say nothing in a body.",
    "Leave the body out. Changes are sent to the command API.",
)

Environ = Mapping[str, Any]

# Under this name the environment of a request keeps who asks, or why it was denied; `None` where
# nobody has to say who they are.
_VERDICT = "itemledger.verdict"


class Doorkeeper:
    """Lets requests in, or raises Denied."""

    def __init__(self, guard: Guard, limit: Limit = unlimited) -> None:
        self._guard = guard
        self._limit = limit

    @property
    def wants_tokens(self) -> bool:
        """Whether anybody has to say who they are."""
        return self._guard.wants_tokens

    def let_in(self, environ: MutableMapping[str, Any], needed: Sequence[str]) -> Caller | None:
        """Look at a request and tell who asks, once: who is asked again says the same, and counts
        no second request. Where nothing is needed, nobody is asked who they are.
        """
        if _VERDICT not in environ:
            environ[_VERDICT] = None
            try:
                self.check(environ)
                if needed:
                    environ[_VERDICT] = self.caller(environ, needed)
            except Denied as denied:
                environ[_VERDICT] = denied
        verdict: Denied | Caller | None = environ[_VERDICT]
        if isinstance(verdict, Denied):
            raise verdict
        return verdict

    def check(self, environ: Environ) -> None:
        """Look at what no request may be, whatever it asks for."""
        self._guard.check_visitor(environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN"))
        if len(environ["PATH_INFO"]) + len(environ.get("QUERY_STRING", "")) > URL_LIMIT:
            raise Denied(codes.URI_TOO_LONG, f"a URL has at most {URL_LIMIT} bytes here")
        # Cut, not `startswith`: the environment has many names, and this is done for each request.
        names = [name for name in environ if name[:5] == "HTTP_"]
        headers = sum(map(len, names)) + sum([len(environ[name]) for name in names])
        if headers > HEADERS_LIMIT:
            raise Denied(codes.HEADERS_TOO_LARGE, f"headers have at most {HEADERS_LIMIT} bytes")
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > MAX_BODY:
            raise Denied(BODY_TOO_LARGE, f"a body has at most {MAX_BODY} bytes here")

    def caller(self, environ: Environ, needed: Sequence[str]) -> Caller:
        """Tell who asks, where a resource is not open to all."""
        address = f"address {environ.get('REMOTE_ADDR', '')}"
        try:
            caller = self._guard.caller(_authorization(environ))
        except Denied:
            self._limit(address)
            raise
        self._limit(f"subject {caller.subject}" if self._guard.wants_tokens else address)
        require(caller, needed)
        return caller

    def may_stay(self, environ: Environ, needed: Sequence[str]) -> bool:
        """Say whether who was let in still is, a while later: tokens end, and are revoked."""
        try:
            caller = self._guard.caller(_authorization(environ))
            require(caller, needed)
        except Denied:
            return False
        return True

    def may_stay_at_once(self, environ: Environ, needed: Sequence[str]) -> bool | None:
        """Say the same without waiting for anybody; `None` where keys have to be fetched first."""
        try:
            caller = self._guard.caller_at_once(_authorization(environ))
            require(caller, needed)
        except Denied:
            return False
        except KeysWanted:
            return None
        return True


def _authorization(environ: Environ) -> Sequence[str]:
    """Find the token of a request: in its header, else in the cookie of who has signed in. Reading
    is all that can be asked for here, so nobody is harmed by a page that makes a browser ask.
    """
    authorization = environ.get("HTTP_AUTHORIZATION")
    if authorization is not None:
        return (authorization,)
    return cookie.authorization_of(environ.get("HTTP_COOKIE"))
