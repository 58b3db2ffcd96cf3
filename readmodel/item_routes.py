"""The resources of items: the list, one item, its history."""

from collections.abc import Iterable, Mapping

import orjson
from flask import Response, request

from readmodel import item_time_routes, memento, params
from readmodel.answers import REVALIDATE, answer, has_tag, tagged
from readmodel.item_problems import gone, known, never_seen
from readmodel.item_time_routes import NEGOTIATED, ItemTimeRoutes
from readmodel.list_tags import ListTags
from readmodel.paging import PAGING, Paging
from readmodel.places import LATER_VERSIONS
from readmodel.reads import LEDGER, Reads, live_slots
from readmodel.views import history as history_view
from readmodel.views import items as items_view
from readmodel.views import pages, timeline
from readmodel.views.chosen import Filter, Sort, SortField

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
# What a list takes that leaves nothing out.
PLAIN: Mapping[str, params.Reader] = {**PAGING, "sort": params.one_of(SORTS)}
_LIST: Mapping[str, params.Reader] = {
    **_FILTERS,
    **PLAIN,
    "q": params.words,
    "total": params.one_of({"none": False, "exact": True}),
    "as_of": params.moment,
}
_HISTORY: Mapping[str, params.Reader] = {**PAGING, "fields": params.some_of(history_view.FIELDS)}


def written(bodies: Iterable[str], following: str | None, total: int | None = None) -> str:
    """Write a page of a list, of rendered items."""
    end = "" if total is None else f',"total":{total}'
    return f'{{"items":[{",".join(bodies)}],"next":{orjson.dumps(following).decode()}{end}}}'


class ItemRoutes:
    """Answers for items from `reads`, and for what they were from `times`; links are under
    `public_url`.
    """

    def __init__(
        self,
        reads: Reads,
        paging: Paging,
        tags: ListTags,
        public_url: str,
        times: ItemTimeRoutes,
    ) -> None:
        self._reads = reads
        self._tags = tags
        self._paging = paging
        self._times = times
        self._public_url = public_url

    def items(self) -> Response:
        given = params.read(request.args, _LIST)
        filters = {name: given[name] for name in _FILTERS if name in given}
        chosen = Filter(words=given.get("q"), **filters)
        sort: Sort = given.get("sort", Sort())
        at: int | None = given.get("as_of")
        binding = ("items", sort, chosen, at)
        after = self._paging.place(given, sort.kinds, *binding)
        limit: int = given.get("limit", params.DEFAULT_PAGE)
        counts: bool = given.get("total", False)
        views = chosen.views if at is None else timeline.views_of(chosen)
        with self._reads.snapshot(*views) as read:
            tag = self._tags.tag(read.connection, views, *binding, after, limit, counts)
            headers = {"ETag": f'W/"{tag}"'}
            if has_tag(tag):
                return answer(b"", {**REVALIDATE, **headers}, 304)
            if at is None:
                page = pages.page(read.connection, read.slots, chosen, sort, limit, after)
                total = pages.count(read.connection, read.slots, chosen) if counts else None
            else:
                past = timeline.Past(read.connection, read.slots, at, chosen)
                page = past.page(sort, limit, after)
                total = past.count() if counts else None
        following = self._paging.following(page.last, *binding)
        return answer(
            written(page.bodies, following, total),
            {**self._paging.headers("/items", following), **headers},
        )

    def item(self, item_id: str) -> Response:
        asked = item_time_routes.asked()
        if asked is not None:
            return self._times.state(item_id, asked)
        checked = known(item_id, NEGOTIATED)
        with self._reads.single(items_view.NAME) as connection:
            found = items_view.find(connection, checked)
            if found is None:
                # There is no item, or no view yet.
                live_slots(connection, [items_view.NAME])
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
        before = self._paging.place(given, LATER_VERSIONS, *binding)
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
