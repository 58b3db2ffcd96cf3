"""The resources of items: the list, one item, its history."""

from collections.abc import Mapping

import orjson
from flask import Response, request

from domain import rules
from domain.refusals import DomainError, ItemGone, ItemNotFound, RuleBroken
from readmodel import params
from readmodel.answers import REVALIDATE, answer
from readmodel.paging import PAGING, Paging
from readmodel.problems import Trouble
from readmodel.reads import LEDGER, Reads
from readmodel.views import history as history_view
from readmodel.views import items as items_view
from readmodel.views.items import Filter, Sort, SortField
from runtime.problems import STATUS_OF_KIND, Problem

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
_LIST: Mapping[str, params.Reader] = {**_FILTERS, **PAGING, "sort": params.one_of(SORTS)}


class ItemRoutes:
    """Answers for items from `reads`; links are under `public_url`."""

    def __init__(self, reads: Reads, paging: Paging, public_url: str) -> None:
        self._reads = reads
        self._paging = paging
        self._public_url = public_url

    def items(self) -> Response:
        given = params.read(request.args, _LIST)
        chosen = Filter(**{name: given[name] for name in _FILTERS if name in given})
        sort: Sort = given.get("sort", Sort())
        binding = ("items", sort, chosen)
        after = self._paging.place(given, *binding)
        limit: int = given.get("limit", params.DEFAULT_PAGE)
        with self._reads.snapshot(items_view.NAME) as read:
            slot = read.slots[items_view.NAME]
            page = items_view.page(read.connection, slot, chosen, sort, limit, after)
        following = self._paging.following(page.last, *binding)
        joined = ",".join(page.bodies)
        return answer(
            f'{{"items":[{joined}],"next":{orjson.dumps(following).decode()}}}',
            self._paging.headers("/items", following),
        )

    def item(self, item_id: str) -> Response:
        params.read(request.args, {})
        checked = known(item_id)
        with self._reads.single(items_view.NAME) as connection:
            found = items_view.find(connection, checked)
        if found is None:
            raise never_seen(item_id)
        version, deleted_at, body = found
        if deleted_at is not None:
            raise self._gone(item_id, version)
        etag = str(version)
        headers = {**REVALIDATE, "ETag": f'"{etag}"'}
        if request.if_none_match.contains_weak(etag):
            return answer(b"", headers, 304)
        return answer(body, headers)

    def history(self, item_id: str) -> Response:
        given = params.read(request.args, PAGING)
        checked = known(item_id)
        binding = ("history", checked)
        before = self._paging.place(given, *binding)
        limit: int = given.get("limit", params.DEFAULT_PAGE)
        with self._reads.snapshot(LEDGER) as read:
            page = history_view.history(read.connection, checked, limit, before)
        if page is None:
            raise never_seen(item_id)
        following = self._paging.following(page.last, *binding)
        return answer(
            orjson.dumps({"events": page.events, "next": following}),
            self._paging.headers(f"/items/{checked}/history", following),
        )

    def _gone(self, item_id: str, version: int) -> Trouble:
        history = f"{self._public_url}/items/{item_id}/history"
        detail = f"item {item_id} was deleted, at version {version}; its history is still there"
        return _refused(
            ItemGone,
            detail,
            {"current_version": version, "links": {"history": history}},
            {"Link": f'<{history}>; rel="version-history"'},
        )


def known(item_id: str) -> str:
    """Refuse an id that no item can have before a database has to look at it."""
    try:
        return rules.item_id(item_id)
    except RuleBroken as error:
        raise never_seen(item_id) from error


def never_seen(item_id: str) -> Trouble:
    """Say that there never was an item of this id."""
    return _refused(ItemNotFound, f"there is no item {item_id}", {}, {})


def _refused(
    refusal: type[DomainError],
    detail: str,
    members: Mapping[str, object],
    headers: Mapping[str, str],
) -> Trouble:
    status = STATUS_OF_KIND[refusal.kind]
    return Trouble(
        Problem(status, refusal.code, refusal.title, detail, extra=members),
        {**REVALIDATE, **headers},
    )
