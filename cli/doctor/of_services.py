"""Both services as others reach them, and the ports they are to listen on."""

import errno
from collections.abc import Generator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, cast

import httpx
import orjson

from cli.doctor.finding import Check, Doubt, Fault, Finding, Fine, Told, told
from cli.ports import bind
from cli.reach import Service
from runtime.errors import first_line
from runtime.settings import PREFIX, Settings

_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A service at its public URL: what `title` and `release` it tells, `None` where it is none of
    ours; why it can not be `reached`, else what it says `not_ready` for. `port_taken` where it is
    not reached and another program listens on the port that it would have.
    """

    kind: Literal["command", "query"]
    url: str
    local_url: str
    title: str | None = None
    release: str | None = None
    reached: str | None = None
    not_ready: str | None = None
    port_taken: bool = False

    @property
    def is_ours(self) -> bool:
        return self.title == f"itemledger {self.kind} API"

    @property
    def url_setting(self) -> str:
        return f"{PREFIX}{self.kind.upper()}_URL"

    @property
    def port_setting(self) -> str:
        return f"{PREFIX}{self.kind.upper()}_PORT"


def _answers(facts: ServiceFacts) -> Finding:
    if facts.is_ours:
        return Fine(facts.url)
    if facts.port_taken:
        return Fault(
            f"another program listens on its port ({facts.local_url})",
            f"stop that one (`ss -ltnp` names it), or set {facts.port_setting} to another port",
        )
    if facts.reached is not None:
        seen = f"nobody answers at {facts.url} ({facts.reached})"
        if facts.url == facts.local_url:
            return Doubt(seen, "`itemledger up` starts it")
        return Fault(seen, f"start it, or mend {facts.url_setting}")
    what = f"the {facts.title}" if facts.title else "something else"
    return Fault(f"{facts.url} leads to {what}", f"mend {facts.url_setting}")


def _ready(facts: ServiceFacts) -> Finding | None:
    if not facts.is_ours:
        return None
    if facts.not_ready is None:
        return Fine("ready")
    return Fault(facts.not_ready.rstrip("."), "see to what it names; it goes on by itself then")


def _release(facts: ServiceFacts) -> Finding | None:
    if not facts.is_ours:
        return None
    ours = version("itemledger")
    if facts.release == ours:
        return Fine(f"release {ours}")
    return Doubt(
        f"release {facts.release}, and this console is {ours}",
        "run all processes in one release: restart the older ones",
    )


def _checks(kind: str) -> tuple[Check[ServiceFacts], ...]:
    return (
        Check(f"{kind} API: answers", _answers),
        Check(f"{kind} API: ready", _ready),
        Check(f"{kind} API: release", _release),
    )


CHECKS = {"command": _checks("command"), "query": _checks("query")}


def look(settings: Settings, transport: httpx.BaseTransport | None = None) -> Generator[Told]:
    """Ask both services who they are."""
    for facts in (
        _facts(
            settings, "command", settings.public_command_url, settings.local_command_url, transport
        ),
        _facts(settings, "query", settings.public_query_url, settings.local_query_url, transport),
    ):
        yield from told(CHECKS[facts.kind], facts)


def _facts(
    settings: Settings,
    kind: Literal["command", "query"],
    url: str,
    local_url: str,
    transport: httpx.BaseTransport | None,
) -> ServiceFacts:
    proxied = Service(kind, url).proxied
    wanted = "writes" if kind == "command" else "reads"
    try:
        with httpx.Client(transport=transport, trust_env=proxied, timeout=_TIMEOUT) as http:
            described = _document(http.get(f"{url}/openapi.json"))
            ready = http.get(f"{url}/health/ready", params={"for": wanted})
    except httpx.HTTPError as error:
        taken = url == local_url and _is_taken(settings, kind)
        return ServiceFacts(kind, url, local_url, reached=first_line(error), port_taken=taken)
    info = cast("dict[str, Any]", described.get("info") or {})
    title, release = info.get("title"), info.get("version")
    detail = _document(ready).get("detail") or ready.reason_phrase
    return ServiceFacts(
        kind,
        url,
        local_url,
        title=title if isinstance(title, str) and title.startswith("itemledger") else None,
        release=release if isinstance(release, str) else None,
        not_ready=None if ready.is_success else str(detail),
        # Whoever it is has the port that ours is to have.
        port_taken=url == local_url and not str(title).startswith("itemledger"),
    )


def _is_taken(settings: Settings, kind: Literal["command", "query"]) -> bool:
    port = settings.command_port if kind == "command" else settings.query_port
    error = bind(settings.host, port)
    return error is not None and error.errno == errno.EADDRINUSE


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        read = orjson.loads(answer.content)
    except ValueError:
        return {}
    return cast("dict[str, Any]", read) if isinstance(read, dict) else {}
