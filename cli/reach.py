"""A running service, as a command of the console reaches it."""

from dataclasses import dataclass, field

import httpx
import orjson

from cli.refusals import WRONG_USAGE, Refusal
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
        return f"{'set' if self.token is None else 'mend'} {PREFIX}TOKEN"

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


def problem_detail(content: bytes) -> str | None:
    """Read what a problem document says of this very case, if it is one."""
    try:
        document = orjson.loads(content)
    except ValueError:
        return None
    match document:
        case {"code": str(), "detail": str(detail)}:
            return " ".join(detail.split())
        case _:
            return None
