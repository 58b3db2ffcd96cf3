"""The page of what differs between two versions of an item."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from readmodel import params
from readmodel.answers import Answer
from readmodel.item_problems import known, never_seen, no_such_version
from readmodel.params import Reader
from readmodel.reads import LEDGER, Reads
from readmodel.views import versions
from readmodel.web import form
from readmodel.web.moments import moment
from readmodel.web.render import Pages
from readmodel.web.states import at, document
from readmodel.web.timeline import money

_FIELDS = ("name", "description", "price", "deleted_at")
_DIFF: Mapping[str, Reader] = {"from": params.version(1), "to": params.version(1)}


@dataclass(frozen=True, slots=True)
class Compared:
    """A field in two states of an item, as people read it."""

    field: str
    before: str | None
    after: str | None

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


class ComparisonPage:
    """Answers from `reads`."""

    def __init__(self, pages: Pages, reads: Reads) -> None:
        self._pages = pages
        self._reads = reads

    def diff(self, item_id: str) -> Answer:
        asked = form.read(form.filled_in(), _DIFF)
        checked = known(item_id)
        with self._reads.snapshot(LEDGER) as read:
            connection = read.connection
            last = versions.last(connection, checked)
            if last is None:
                raise never_seen(checked)
            after: int = asked.values.get("to", last.version)
            before: int = asked.values.get("from", max(after - 1, 1))
            if max(before, after) > last.version:
                raise no_such_version(checked, last.version)
            states = [document(at(connection, checked, each)) for each in (before, after)]
        return self._pages.page(
            "diff.html",
            {
                "item": states[1],
                "last": last.version,
                "before": before,
                "after": after,
                "compared": list(_compare(*states)),
                "wrong": next(iter(asked.wrong.values()), ""),
            },
            400 if asked.wrong else 200,
        )


def _compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Compared]:
    def value(state: Mapping[str, Any], field: str) -> str | None:
        match field:
            case "price":
                return money(state["price"], state["currency"])
            case "deleted_at" if state[field] is not None:
                return f"{moment(state[field])} UTC"
            case _:
                return state[field]

    return [
        Compared(each.removesuffix("_at").capitalize(), value(before, each), value(after, each))
        for each in _FIELDS
    ]
