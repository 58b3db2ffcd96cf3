"""The resources of scheduled prices: an item's list of them, and one."""

import orjson
from flask import Response, request

from domain.refusals import ScheduleNotPending
from readmodel import params
from readmodel.answers import REVALIDATE, answer
from readmodel.item_problems import known, never_seen
from readmodel.paging import PAGING, Paging
from readmodel.places import LATER_VERSIONS
from readmodel.problems import Trouble
from readmodel.reads import LEDGER, Reads
from readmodel.views import items, schedules
from runtime.problems import Problem

_NOT_FOUND = 404


class ScheduleRoutes:
    """Answers for scheduled prices from `reads`."""

    def __init__(self, reads: Reads, paging: Paging) -> None:
        self._reads = reads
        self._paging = paging

    def scheduled_prices(self, item_id: str) -> Response:
        given = params.read(request.args, PAGING)
        checked = known(item_id)
        binding = ("scheduled prices", checked)
        before: int | None = self._paging.place(given, LATER_VERSIONS, *binding)
        limit: int = given.get("limit", params.DEFAULT_PAGE)
        with self._reads.snapshot(items.NAME, LEDGER) as read:
            if items.find(read.connection, checked) is None:
                raise never_seen(item_id)
            page = schedules.page(read.connection, checked, limit, before)
        following = self._paging.following(page.last, *binding)
        members = [each.document() for each in page.scheduled]
        return answer(
            orjson.dumps({"scheduled_prices": members, "next": following}),
            self._paging.headers(f"/items/{checked}/scheduled-prices", following),
        )

    def scheduled_price(self, item_id: str, schedule_id: str) -> Response:
        params.read(request.args, {})
        checked = known(item_id)
        with self._reads.snapshot(LEDGER) as read:
            found = schedules.find(read.connection, checked, schedule_id)
        if found is None:
            detail = f"item {item_id} never had a scheduled price of this id"
            problem = Problem(_NOT_FOUND, ScheduleNotPending.code, ScheduleNotPending.title, detail)
            raise Trouble(problem, REVALIDATE)
        return answer(found.render(), REVALIDATE)
