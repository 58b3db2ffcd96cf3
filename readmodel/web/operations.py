"""The page of operations: how far everything is, who works at it, and what needs a decision."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import g
from sqlalchemy import Engine

from ledger import quarantine
from ledger.quarantine import Quarantined
from readmodel import params
from readmodel.answers import FRESH_ONLY, Answer
from readmodel.web import form, kept
from readmodel.web.render import Pages
from runtime.errors import headline
from runtime.times import rfc3339

_MOST = 100


class OperationsPage:
    """Shows what `status` tells, and dead commands from `reads` to those who operate; `clock`
    gives milliseconds.
    """

    def __init__(
        self,
        pages: Pages,
        status: Callable[[], Mapping[str, Any]],
        reads: Engine,
        clock: Callable[[], int],
    ) -> None:
        self._pages = pages
        self._status = status
        self._reads = reads
        self._clock = clock

    def operations(self) -> Answer:
        params.read(form.filled_in(), {})
        told = self._status()
        # What is in a command is for operators: others see how many there are.
        dead = self._dead() if "ops" in g.caller.scopes and told["dead"] else []
        return self._pages.page(
            "operations.html",
            {
                "status": told,
                "now": self._clock(),
                "kept": None if told["durability"] is None else list(kept.rows(told["durability"])),
                "lag": sum(each["lag"] for each in told["partitions"]),
                "age": max((each["lag_seconds"] or 0.0 for each in told["partitions"]), default=0),
                "views": _by_view(told["projections"]),
                "dead": dead,
            },
            headers=FRESH_ONLY,
        )

    def _dead(self) -> list[Mapping[str, Any]]:
        with self._reads.connect() as connection:
            found = quarantine.dead(connection, _MOST)
            return [_told(each, quarantine.parked_behind(connection, each)) for each in found]


def _told(each: Quarantined, parked: int) -> Mapping[str, Any]:
    error = (each.error or "").strip()
    return {
        "command_id": each.command_id,
        "partition": each.position.partition,
        "item_id": each.item_id,
        "since": rfc3339(each.since),
        "parked": parked,
        "why": headline(error) if error else "",
        "traceback": error,
        "body": each.body.decode(errors="backslashreplace"),
    }


def _by_view(projections: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Put the partitions of each view together: the worst of them says how it stands."""
    rank = ("in step", "behind", "detached")
    views: dict[str, dict[str, Any]] = {}
    for each in projections:
        view = views.setdefault(
            each["projection"],
            {
                "name": each["projection"],
                "lag": 0,
                "lag_seconds": 0.0,
                "state": rank[0],
                "error": None,
            },
        )
        view["lag"] += each["lag"]
        view["lag_seconds"] = max(view["lag_seconds"], each["lag_seconds"])
        view["state"] = max(view["state"], each["state"], key=rank.index)
        view["error"] = view["error"] or each["error"]
    return list(views.values())
