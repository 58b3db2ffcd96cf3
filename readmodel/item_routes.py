"""The resources of items: the list, one item, its history."""

from collections.abc import Mapping

import orjson
from flask import Response, request

from readmodel import item_time_routes, memento, params
from readmodel.answers import answer, tagged
from readmodel.item_problems import gone, known, never_seen
from readmodel.item_time_routes import NEGOTIATED, ItemTimeRoutes
from readmodel.paging import PAGING, Paging
from readmodel.reads import LEDGER, Reads
from readmodel.views import history as history_view
from readmodel.views import items as items_view
from readmodel.views import timeline
from readmodel.views.items import Filter, Sort, SortField

_FIELDS: tuple[SortField, ...] = ("id", "name", "price", "updated_at")
SORTS: Mapping[str, Sort] = {each: Sort(each) for each in _FIELDS} | {
    f"-{each}": Sort(each, descending=True) for each in _FIELDS
}

_FILTERS: Mapping[str, params.Reader] = {
    "price_min": params.price,
    "price_max": params.price,
    "currency": params.currency,
    "updated_since": params.moment,
    "ids": params.ids,
    "include_deleted": params.flag,
}
_LIST: Mapping[str, params.Reader] = {
    **_FILTERS,
    **PAGING,
    "sort": params.one_of(SORTS),
    "as_of": params.moment,
}
_HISTORY: Mapping[str, params.Reader] = {**PAGING, "fields": params.some_of(history_view.FIELDS)}


class ItemRoutes:
    """Answers for items from `reads`, and for what they were from `times`; links are under
    `public_url`.
    """

    def __init__(
        self, reads: Reads, paging: Paging, public_url: str, times: ItemTimeRoutes
    ) -> None:
        self._reads = reads
        self._paging = paging
        self._times = times
        self._public_url = public_url

    def items(self) -> Response:
        given = params.read(request.args, _LIST)
        chosen = Filter(**{name: given[name] for name in _FILTERS if name in given})
        sort: Sort = given.get("sort", Sort())
        at: int | None = given.get("as_of")
        if at is not None and "q" in given:
            detail = "a search finds items as they are now; leave out either q or as_of"
            raise params.bad("q", "not-with-as-of", detail)
        binding = ("items", sort, chosen, at)
        after = self._paging.place(given, *binding)
        limit: int = given.get("limit", params.DEFAULT_PAGE)
        view = items_view.NAME if at is None else timeline.NAME
        with self._reads.snapshot(view) as read:
            slot = read.slots[view]
            if at is None:
                page = items_view.page(read.connection, slot, chosen, sort, limit, after)
            else:
                page = timeline.page(read.connection, slot, at, chosen, sort, limit, after)
        following = self._paging.following(page.last, *binding)
        joined = ",".join(page.bodies)
        return answer(
            f'{{"items":[{joined}],"next":{orjson.dumps(following).decode()}}}',
            self._paging.headers("/items", following),
        )

    def item(self, item_id: str) -> Response:
        asked = item_time_routes.asked()
        if asked is not None:
            return self._times.state(item_id, asked)
        checked = known(item_id, NEGOTIATED)
        with self._reads.single(items_view.NAME) as connection:
            found = items_view.find(connection, checked)
        if found is None:
            raise never_seen(checked, NEGOTIATED)
        version, deleted_at, body = found
        if deleted_at is not None:
            history = f"{self._public_url}/items/{checked}/history"
            raise gone(history, checked, version, NEGOTIATED)
        return tagged(body, str(version), NEGOTIATED)

    def history(self, item_id: str) -> Response:
        if memento.wants_timemap():
            return self._times.timemap(item_id)
        given = params.read(request.args, _HISTORY)
        checked = known(item_id)
        fields: tuple[str, ...] | None = given.get("fields")
        binding = ("history", checked, fields)
        before = self._paging.place(given, *binding)
        limit: int = given.get("limit", params.DEFAULT_PAGE)
        with self._reads.snapshot(LEDGER) as read:
            page = history_view.history(read.connection, checked, limit, before, fields)
        if page is None:
            raise never_seen(checked)
        following = self._paging.following(page.last, *binding)
        headers = self._paging.headers(f"/items/{checked}/history", following)
        return answer(
            orjson.dumps({"events": page.events, "next": following}),
            {**headers, "Vary": memento.TIMEMAP_VARY},
        )
