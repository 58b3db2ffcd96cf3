"""A running service, as a command of the console reaches it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx

from cli.refusals import UNREACHABLE, WRONG_USAGE, Refusal
from itemledger_client import Catalogue, Problem, Unreachable
from runtime.auth.exposure import is_this_machine
from runtime.errors import first_line
from runtime.settings import PREFIX


@dataclass(frozen=True, slots=True)
class Service:
    """The command or the query API (`kind`) at a URL; `given` where the URL came as an option."""

    kind: str
    url: str
    given: bool = False
    token: str | None = field(default=None, repr=False)

    @property
    def mend(self) -> str:
        """How to name another URL."""
        return f"mend --{self.kind}-url ({PREFIX}{self.kind.upper()}_URL)"

    @property
    def mend_token(self) -> str:
        """How to come by a token that is taken."""
        what = "set" if self.token is None else "mend"
        return f"{what} {PREFIX}TOKEN (`itemledger token create` makes one)"

    def unwelcome(self, answers: str, status: int, says: str) -> Refusal:
        """Say that who asks is not let in, and how to come by a token that is."""
        if status == HTTPStatus.UNAUTHORIZED and self.token is None:
            # What it says itself is for programs of any kind.
            says = "it asks for a token"
        return Refusal(f"{answers}: {says}; {self.mend_token}", WRONG_USAGE)

    @property
    def start(self) -> str:
        """How to come by a service at this URL."""
        return f"start it with `itemledger up`, or {self.mend} if its {self.kind} API is elsewhere"

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request: who asks."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    @property
    def proxied(self) -> bool:
        """Whether the environment's proxies may stand in between: not on this machine."""
        return not is_this_machine(httpx.URL(self.url).host)

    def check(self) -> None:
        """Raise Refusal where the URL is none of a service."""
        try:
            parsed = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            why = first_line(error)
        else:
            if parsed.scheme in {"http", "https"} and parsed.host:
                return
            why = "it begins with http:// or https://"
        raise Refusal(f"{self.url!r} is no URL of a service ({why}): {self.mend}", WRONG_USAGE)


@contextmanager
def catalogue(
    service: Service, transport: httpx.BaseTransport | None, timeout: float
) -> Generator[Catalogue]:
    """Open a client of the query API. It repeats nothing: at a console one would rather hear what
    is wrong. Raises Refusal where the URL is none of a service.
    """
    service.check()
    with (
        httpx.Client(transport=transport, trust_env=service.proxied) as http,
        Catalogue(
            query_url=service.url, token=service.token, timeout=timeout, patience=0, http=http
        ) as opened,
    ):
        yield opened


def away(service: Service, error: Unreachable) -> Refusal:
    """Say that nobody answers there, and how to mend it."""
    return Refusal(
        f"cannot reach {service.url} ({first_line(OSError(error.why))}): {service.start}",
        UNREACHABLE,
    )


def refused(service: Service, path: str, problem: Problem, otherwise: str = "") -> Refusal:
    """Say why the service does not answer with what stands at a path; what it does not say itself
    is said `otherwise`, or by the name of its status.
    """
    says = " ".join(problem.detail.split()) if problem.code else ""
    answers = f"{service.url} answers {problem.status} to {path}"
    if problem.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return service.unwelcome(answers, problem.status, says or problem.title)
    return Refusal(f"{answers}: {says or otherwise or problem.title}", UNREACHABLE)
