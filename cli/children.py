"""The processes that `up` starts, each with exactly the settings it may touch."""

import sys
from collections.abc import Mapping

from runtime.child import Child
from runtime.nursery import Nursery
from runtime.settings import ENV_FILE_VARIABLE, PREFIX, Settings

# Stopped in this order; the embedded Valkey comes last.
STOP_ORDER = ("api", "worker", "cron", "query", "valkey")

_EVERY = frozenset(
    {
        "redis_url",
        "command_url",
        "query_url",
        "partitions",
        "fresh_partitions",
        "default_currency",
        "log_level",
        "log_format",
        "log_requests",
        "failpoints",
        "min_durability",
        "wait_replicas",
    }
)
# What tells whom a token belongs to.
_KEYS = frozenset(
    {
        "token_secret",
        "token_secret_file",
        "token_issuer",
        "token_audience",
        "jwks_url",
        "jwks_issuer",
        "jwks_algorithms",
    }
)
_SERVICE = _EVERY | _KEYS | {"host", "command_port", "query_port", "rate_limit"}
# Of commands that are clients of a running service, and of no process.
OF_CLIENTS = frozenset({"token"})
MAY_TOUCH: Mapping[str, frozenset[str]] = {
    "api": _SERVICE | {"ring_url", "backlog_limit", "backlog_age", "witness", "require_if_match"},
    "query": _SERVICE
    | {"database_url", "data", "workers", "cursor_secret", "followers_limit"}
    | {"item_cache", "cookie_domain"},
    "worker": _EVERY | {"ring_url", "database_url", "data", "workers", "heartbeat"},
    "cron": _EVERY | {"ring_url", "heartbeat"},
}


def children(settings: Settings, inherited: Mapping[str, str]) -> list[Child]:
    """List the processes of a deployment, in the order in which they are started."""
    workers = ["worker"]
    if settings.workers > 1:
        workers = [f"worker-{number}" for number in range(1, settings.workers + 1)]
    return [
        _child("api", "api", settings, inherited),
        _child("query", "query", settings, inherited),
        *(_child(name, "worker", settings, inherited) for name in workers),
        _child("cron", "cron", settings, inherited),
    ]


def preparation(settings: Settings, inherited: Mapping[str, str]) -> Child:
    """Say how to run what has to be done before any of them is started. It is a process of its own,
    so that what it loads is gone when it is done.
    """
    may_touch = _EVERY | _KEYS | {"database_url", "data"}
    return Child(
        name="preparation",
        argv=(sys.executable, "-P", "-m", "cli.prepare"),
        env=_environment("preparation", may_touch, settings, inherited),
        word="prepare",
    )


def nursery(inherited: Mapping[str, str]) -> Nursery:
    """Make the process that forks them. It knows no setting: each is told its own."""
    env = {each: value for each, value in inherited.items() if not _is_ours(each)}
    env[ENV_FILE_VARIABLE] = ""
    return Nursery((sys.executable, "-P", "-m", "cli.nursery"), env)


def _child(name: str, process: str, settings: Settings, inherited: Mapping[str, str]) -> Child:
    may_touch = MAY_TOUCH[process]
    heartbeat = settings.data.absolute() / "heartbeats" / name
    return Child(
        name=name,
        # -P: a folder named `cli` in the working directory is not ours.
        argv=(sys.executable, "-P", "-m", "cli", process),
        env=_environment(name, may_touch, settings, inherited),
        stop_order=STOP_ORDER.index(process),
        heartbeat=heartbeat if "heartbeat" in may_touch else None,
        word=process,
    )


def _environment(
    name: str, may_touch: frozenset[str], settings: Settings, inherited: Mapping[str, str]
) -> dict[str, str]:
    values = settings.model_dump() | {
        "data": str(settings.data.absolute()),
        "redis_url": settings.log_url,
        "ring_url": settings.doorbell_url,
        "database_url": settings.sql_url,
        "command_url": settings.public_command_url,
        "query_url": settings.public_query_url,
        "fresh_partitions": settings.default_partitions,
        "min_durability": settings.least_durability,
    }
    if "witness" in may_touch:
        values["witness"] = str(settings.data.absolute() / "witness" / name)
    if "heartbeat" in may_touch:
        values["heartbeat"] = str(settings.data.absolute() / "heartbeats" / name)
    env = {each: value for each, value in inherited.items() if not _is_ours(each)}
    env[ENV_FILE_VARIABLE] = ""
    for field in sorted(may_touch):
        if values[field] is not None:
            env[PREFIX + field.upper()] = str(values[field])
    return env


def _is_ours(name: str) -> bool:
    # pydantic-settings does not care about case.
    return name.upper().startswith(PREFIX)
