"""The log's Redis, and the one of the doorbells."""

from collections.abc import Generator
from dataclasses import dataclass

from cli.doctor.finding import Check, Doubt, Fault, Finding, Fine, Told, clocks, told
from cli.ping import ping
from cli.refusals import Refusal, reason, without_password
from eventlog.durability import MEMORY_LIMIT, LogDurability
from eventlog.inspect import LogUnavailable
from eventlog.server import Server, examine
from runtime.settings import PREFIX, Durability, Settings

_LEAST = {"Redis": (6, 2), "Valkey": (7, 2)}
_MIB = 1 << 20
# Percent of maxmemory from which on somebody should see to it.
_FILLING = 70
_CONFIGURED = "there, and in its configuration"


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What the log's Redis says, and what is asked of it."""

    server: Server
    least: Durability
    wait_replicas: int

    @property
    def durability(self) -> LogDurability | None:
        return self.server.durability


def _version(facts: LogFacts) -> Finding:
    server = facts.server
    seen = f"{server.kind} {'.'.join(map(str, server.version))}"
    least = _LEAST[server.kind]
    if server.version >= least:
        return Fine(seen)
    return Fault(seen, f"use {server.kind} {'.'.join(map(str, least))} or newer")


def _durability(facts: LogFacts) -> Finding:
    kept = facts.durability
    if kept is None:
        return Fault(
            "the log's Redis does not tell how it keeps the log",
            "allow its user `+info` and `+config|get`",
        )
    lack = kept.lack(facts.least, facts.wait_replicas)
    if lack is not None:
        seen, _, mend = lack.partition(": ")
        return Fault(f"no command is accepted: {seen}", mend)
    seen = f"{kept.level} ({facts.least} is required), appendfsync {kept.appendfsync}"
    if kept.level == "none":
        return Doubt(
            f"{seen}: what was accepted can be lost when Redis ends",
            f"CONFIG SET appendonly yes {_CONFIGURED}, and {PREFIX}MIN_DURABILITY=everysec",
        )
    return Fine(seen)


def _eviction(facts: LogFacts) -> Finding | None:
    kept = facts.durability
    if kept is None:
        return None
    if kept.eviction == "noeviction":
        return Fine(kept.eviction)
    mend = f"CONFIG SET maxmemory-policy noeviction {_CONFIGURED}"
    seen = f"{kept.eviction}: when its memory is full it throws away what was accepted"
    return Fault(seen, mend) if kept.maxmemory else Doubt(f"{seen} (no maxmemory is set yet)", mend)


def _memory(facts: LogFacts) -> Finding | None:
    kept = facts.durability
    if kept is None:
        return None
    if not kept.maxmemory:
        return Doubt(
            f"{kept.used_memory // _MIB:,} MiB used, and no limit: the system ends a Redis that "
            "takes all there is",
            f"CONFIG SET maxmemory to what the machine can spare {_CONFIGURED}",
        )
    percent = 100 * kept.used_memory // kept.maxmemory
    seen = f"{kept.used_memory // _MIB:,} of {kept.maxmemory // _MIB:,} MiB used ({percent} %)"
    mend = (
        "see that the workers keep up (`itemledger status`), or CONFIG SET maxmemory to more "
        f"{_CONFIGURED}"
    )
    if percent > MEMORY_LIMIT:
        return Fault(f"{seen}: no command is accepted", mend)
    return Doubt(seen, mend) if percent > _FILLING else Fine(seen)


def _clock(facts: LogFacts) -> Finding:
    return clocks("the log's", facts.server.skew)


CHECKS = (
    Check("log: version", _version),
    Check("log: durability", _durability),
    Check("log: eviction", _eviction),
    Check("log: memory", _memory),
    Check("log: clock", _clock),
)


def look(settings: Settings) -> Generator[Told, None, Server | None]:
    """Look at the log's Redis and return it; `None` where it does not answer."""
    url = settings.log_url
    shown = without_password(url)
    try:
        server = examine(url)
    except LogUnavailable as error:
        yield Told("log: answers", _away(settings, shown, reason(url, error)))
        return None
    yield Told("log: answers", Fine(shown))
    yield from told(CHECKS, LogFacts(server, settings.least_durability, settings.wait_replicas))
    if settings.ring_url is not None:
        yield Told("ring: answers", _ring(settings.ring_url))
    return server


def _away(settings: Settings, shown: str, why: str) -> Finding:
    if settings.redis_url is None:
        return Doubt(
            f"the embedded Valkey of {settings.data.absolute()} does not run",
            f"`itemledger up` starts it; or name the deployment's folder with {PREFIX}DATA, or its "
            f"Redis with {PREFIX}REDIS_URL",
        )
    return Fault(f"{shown} does not answer ({why})", f"start it, or mend {PREFIX}REDIS_URL")


def _ring(url: str) -> Finding:
    try:
        ping(url, f"mend {PREFIX}RING_URL")
    except Refusal as refusal:
        seen, _, mend = str(refusal).rpartition("; ")
        return Doubt(f"{seen}: the workers come by themselves, later", mend)
    return Fine(without_password(url))
