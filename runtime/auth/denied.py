"""How a guard says no: a problem, and the headers that go with it."""

from collections.abc import Mapping, Sequence

from runtime.auth import codes
from runtime.problem_pages import ProblemCode
from runtime.problems import Problem

REALM = 'Bearer realm="itemledger"'


class Denied(Exception):
    """Ends a request, with a problem and these headers."""

    def __init__(
        self, code: ProblemCode, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(code.status, code.code, code.title, detail)
        self.headers = {"Cache-Control": "no-store", **(headers or {})}


class KeysWanted(Exception):
    """Nobody can say yet: keys have to be fetched first, and that takes a while."""


def no_token(detail: str) -> Denied:
    """Refuse a request that says nothing of who sends it."""
    return Denied(codes.UNAUTHENTICATED, detail, {"WWW-Authenticate": REALM})


def bad_token(why: str) -> Denied:
    """Refuse a token (RFC 6750, 3.1); `why` holds nothing of it."""
    challenge = f'{REALM}, error="invalid_token", error_description="{why}"'
    return Denied(codes.UNAUTHENTICATED, why, {"WWW-Authenticate": challenge})


def lacks(needed: Sequence[str], what: str = "this") -> Denied:
    """Refuse a caller who has none of the scopes that would do."""
    challenge = f'{REALM}, error="insufficient_scope", scope="{needed[0]}"'
    return Denied(
        codes.INSUFFICIENT_SCOPE,
        f"{what} needs the scope {' or '.join(needed)}, and the token does not have it",
        {"WWW-Authenticate": challenge},
    )


def undecided(why: str, seconds: int) -> Denied:
    return Denied(codes.UNDECIDED, why, {"Retry-After": str(seconds)})


def too_often(seconds: int) -> Denied:
    detail = f"the limit for one caller is reached; try again in {seconds} s"
    return Denied(codes.RATE_LIMITED, detail, {"Retry-After": str(seconds)})
