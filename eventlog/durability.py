"""How safely the log's Redis keeps what it has acknowledged, and what it lacks.

What is asked and how the answers are read is the same for the API and for threads: `ask` queues on
a pipeline of either kind, and `read` takes what the pipeline answered, refusals included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from redis.exceptions import RedisError

from runtime.settings import PREFIX, Durability

# Percent of maxmemory beyond which nothing is accepted: Redis is then close to refusing what the
# workers need.
MEMORY_LIMIT = 85

_SECTIONS = ("memory", "persistence", "replication")
_POLICIES = ("appendfsync", "no-appendfsync-on-rewrite")

_STRENGTH: Mapping[Durability, int] = {"none": 0, "everysec": 1, "fsync": 2}
# Seconds since a replica was last heard of, from which on it is not counted upon.
_REPLICA_LAG = 10

_MINIMUM = f"{PREFIX}MIN_DURABILITY"


class _Pipeline(Protocol):
    def info(self, section: str) -> Any: ...

    def config_get(self, pattern: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class LogDurability:
    """What the log's Redis says of itself; sizes in bytes.

    A policy is `None` where the server does not tell it, `untold` is then its refusal. `unsettled`
    says that a rewrite of the append-only file is under way or due or has failed; `incomplete` that
    it is the one that follows switching the file on, before whose end nothing of it counts.
    `replicas` counts those that are online and were heard of in the last seconds.
    """

    appendonly: bool
    appendfsync: str | None
    skips_fsync_on_rewrite: bool | None
    untold: str | None
    last_write_ok: bool
    unsettled: bool
    incomplete: bool
    eviction: str
    used_memory: int
    maxmemory: int
    replicas: int

    @property
    def level(self) -> Durability:
        """The durability that an acknowledgement has at all times; `none` where it is not known."""
        if not self.appendonly or self.incomplete or self.skips_fsync_on_rewrite is not False:
            return "none"
        match self.appendfsync:
            case "always":
                return "fsync"
            case "everysec":
                return "everysec"
            case _:
                return "none"

    def lack(self, least: Durability, wait_replicas: int) -> str | None:
        """Say in one sentence why this is not enough, and how to mend it; `None` where it is."""
        return (_lack(self, least) if least != "none" else None) or self._too_few(wait_replicas)

    def lasts(self, least: Durability) -> bool:
        """Say whether it lacks something that is there only after somebody has mended it."""
        return least != "none" and not self.incomplete and _lack(self, least) is not None

    def document(self, least: Durability, wait_replicas: int) -> dict[str, Any]:
        """Write it out for people and programs, beside what is asked for."""
        return {
            "level": self.level,
            "required": least,
            "lack": self.lack(least, wait_replicas),
            "appendonly": self.appendonly,
            "appendfsync": self.appendfsync,
            "eviction": self.eviction,
            "used_memory": self.used_memory,
            "maxmemory": self.maxmemory,
            "replicas": self.replicas,
            "wait_replicas": wait_replicas,
        }

    def _too_few(self, wait_replicas: int) -> str | None:
        if self.replicas >= wait_replicas:
            return None
        return (
            f"{self.replicas} replicas of the log's Redis are online and {wait_replicas} have to "
            f"have a command: see to the replicas, or set {PREFIX}WAIT_REPLICAS={self.replicas}"
        )


def ask(pipeline: _Pipeline) -> int:
    """Queue all questions on a pipeline and return how many they are."""
    for section in _SECTIONS:
        pipeline.info(section)
    # One by one: only newer servers take several at once.
    for policy in _POLICIES:
        pipeline.config_get(policy)
    return len(_SECTIONS) + len(_POLICIES)


def read(answers: Sequence[Any]) -> LogDurability:
    """Read the answers, in the order of the questions; an answer may be the error it was.

    Raises what the server answered where it does not even tell how it is.
    """
    memory, persistence, replication = map(_section, answers[: len(_SECTIONS)])
    policies: dict[str, str] = {}
    untold: str | None = None
    for answer in answers[len(_SECTIONS) :]:
        if isinstance(answer, RedisError):
            untold = str(answer)
        else:
            policies |= answer
    skips = policies.get("no-appendfsync-on-rewrite")
    return LogDurability(
        **_of_persistence(persistence),
        appendfsync=policies.get("appendfsync"),
        skips_fsync_on_rewrite=None if skips is None else skips == "yes",
        untold=untold,
        incomplete=False,
        **_of_memory(memory),
        replicas=sum(map(_is_with_us, replication.values())),
    )


def renewed(
    facts: LogDurability, memory: Mapping[str, Any], persistence: Mapping[str, Any]
) -> LogDurability:
    """Take what changes from one moment to the next from a later INFO memory and persistence."""
    return replace(facts, **_of_memory(memory), **_of_persistence(persistence))


def following(facts: LogDurability, before: LogDurability | None) -> LogDurability:
    """Take into account what was seen of the same run of the server before.

    A server whose append-only file was switched on calls it enabled at once, but until its first
    rewrite has ended what is written goes to files that it would not read. INFO does not tell such
    a rewrite from any other.
    """
    begun = before is not None and (not before.appendonly or before.incomplete)
    return replace(facts, incomplete=begun and facts.appendonly and facts.unsettled)


def _of_memory(memory: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "eviction": memory["maxmemory_policy"],
        "used_memory": memory["used_memory"],
        "maxmemory": memory["maxmemory"],
    }


def _of_persistence(persistence: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "appendonly": persistence["aof_enabled"] == 1,
        "last_write_ok": persistence.get("aof_last_write_status", "ok") == "ok",
        "unsettled": (
            persistence.get("aof_rewrite_in_progress", 0) == 1
            or persistence.get("aof_rewrite_scheduled", 0) == 1
            or persistence.get("aof_last_bgrewrite_status", "ok") != "ok"
        ),
    }


def _section(answer: Any) -> Mapping[str, Any]:
    """Take a section of INFO as it was answered. Raises the error that stands in its place."""
    if isinstance(answer, RedisError):
        raise answer
    return cast("Mapping[str, Any]", answer)


def _is_with_us(value: object) -> bool:
    """Say whether a value of INFO replication is a replica that follows."""
    match value:
        case {"state": "online", "lag": int(lag)}:
            return lag <= _REPLICA_LAG
        case _:
            return False


def _lack(facts: LogDurability, least: Durability) -> str | None:
    return _not_on_disk(facts, least) or _not_kept(facts)


def _not_on_disk(facts: LogDurability, least: Durability) -> str | None:
    level = facts.level
    if not facts.appendonly:
        return _weaker("the log's Redis keeps nothing on disk", "appendonly", "no", "yes", level)
    if facts.incomplete:
        return (
            "the log's Redis keeps nothing on disk before the first rewrite of its append-only "
            "file, which was switched on, has ended: it goes on by itself then; where the rewrite "
            f"fails see to its disk and BGREWRITEAOF there, or set {_MINIMUM}=none"
        )
    if facts.untold is not None:
        return (
            "how the log's Redis keeps the log is not known, for it refuses CONFIG GET "
            f"({facts.untold}): allow its user `+config|get`, or set {_MINIMUM}=none"
        )
    if facts.skips_fsync_on_rewrite:
        what = "the log's Redis does not sync while it rewrites its append-only file"
        return _weaker(what, "no-appendfsync-on-rewrite", "yes", "no", level)
    if _STRENGTH[level] < _STRENGTH[least]:
        what = f"{least} is asked for and the log's Redis gives {level}"
        wanted = "always" if least == "fsync" else "everysec"
        return _weaker(what, "appendfsync", str(facts.appendfsync), wanted, level)
    return None


def _not_kept(facts: LogDurability) -> str | None:
    if facts.maxmemory and facts.eviction != "noeviction":
        what = "the log's Redis may throw the log away when its memory is full"
        return _weaker(what, "maxmemory-policy", facts.eviction, "noeviction", "none")
    if not facts.last_write_ok:
        return (
            "the log's Redis could not write its append-only file: see to its disk; "
            "it goes on by itself"
        )
    return None


def _weaker(what: str, name: str, found: str, wanted: str, level: Durability) -> str:
    return (
        f"{what} ({name} {found}): CONFIG SET {name} {wanted} there, and in its configuration, "
        f"or set {_MINIMUM}={level}"
    )
