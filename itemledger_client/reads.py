"""Items as they are and as they were, lists and search, prices, figures.

Reads have this client's own writes: they carry their tokens. What is iterated comes page by page;
`limit` is how many a page has, 200 at most.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, Literal, Never, TypeVar, cast
from urllib.parse import quote

from itemledger_client.own_writes import Reading, fresh
from itemledger_client.sending import item_path
from itemledger_client.session import Session, insist, succeeded, understood
from itemledger_client.steps import Steps, given
from itemledger_client.values import (
    Event,
    Item,
    Page,
    PatchOperation,
    PriceInterval,
    PriorPrice,
    ScheduledPrice,
    written,
)

T = TypeVar("T")

Sort = Literal["id", "-id", "name", "-name", "price", "-price", "updated_at", "-updated_at"]
_LIMIT = 200


def item(
    session: Session,
    item_id: str,
    *,
    version: int | None = None,
    as_of: datetime | str | None = None,
) -> Steps[Never, Item]:
    """Read an item as it is, at a version, or as of a moment. Raises Gone where it is deleted
    (then), NotFound where it never was (or not yet).
    """
    params = {"version": version, "as_of": _time(as_of)}
    answer = yield from fresh(session, _of_item(session, item_id, "", params))
    return understood(answer, Item.of)


def page(
    session: Session,
    *,
    q: str | None = None,
    price_min: int | None = None,
    price_max: int | None = None,
    currency: str | None = None,
    updated_since: datetime | str | None = None,
    ids: Iterable[str] | None = None,
    include_deleted: bool = False,
    as_of: datetime | str | None = None,
    sort: Sort | None = None,
    limit: int | None = None,
    total: bool = False,
    cursor: str | None = None,
) -> Steps[Never, Page[Item]]:
    """Read one page of the items; its `next` is the cursor of the page after it. `q` finds the
    items that have all of its words, each as the beginning of one, in name or description.
    """
    params = {
        "q": q,
        "price_min": price_min,
        "price_max": price_max,
        "currency": currency,
        "updated_since": _time(updated_since),
        "ids": None if ids is None else ",".join(ids),
        "include_deleted": True if include_deleted else None,
        "as_of": _time(as_of),
        "sort": sort,
        "limit": limit,
        "total": "exact" if total else None,
        "cursor": cursor,
    }
    past = "" if as_of is None else "past "
    what = f"{past}items" if q is None else f"found {past}items"
    request = session.to_query("/items", params)
    probe = session.to_query("/items", {**params, "limit": 1, "total": None})
    answer = yield from fresh(session, Reading(request, what, probe))
    return understood(answer, lambda told: _page(told, "items", Item.of))


def items(
    session: Session,
    *,
    q: str | None = None,
    price_min: int | None = None,
    price_max: int | None = None,
    currency: str | None = None,
    updated_since: datetime | str | None = None,
    ids: Iterable[str] | None = None,
    include_deleted: bool = False,
    as_of: datetime | str | None = None,
    sort: Sort | None = None,
    limit: int | None = _LIMIT,
) -> Steps[Item, None]:
    """Iterate over all items that `page` would find, page by page."""
    kept = None if ids is None else tuple(ids)
    cursor = None
    while True:
        found = yield from page(
            session,
            q=q,
            price_min=price_min,
            price_max=price_max,
            currency=currency,
            updated_since=updated_since,
            ids=kept,
            include_deleted=include_deleted,
            as_of=as_of,
            sort=sort,
            limit=limit,
            cursor=cursor,
        )
        yield from given(found.members)
        cursor = found.next
        if cursor is None:
            return


def history(
    session: Session,
    item_id: str,
    *,
    fields: Iterable[Literal["name", "description", "price"]] | None = None,
    limit: int | None = _LIMIT,
) -> Steps[Event, None]:
    """Iterate over what happened to an item, newest first; of `fields` only what set them."""
    params = {"fields": None if fields is None else ",".join(fields), "limit": limit}
    return _of_item_all(session, item_id, "/history", params, "events", Event.of)


def diff(
    session: Session, item_id: str, *, before: int | None = None, after: int | None = None
) -> Steps[Never, tuple[PatchOperation, ...]]:
    """Read what differs between two versions; the last two, if not said. Version 0 is nothing."""
    params = {"from": before, "to": after}
    answer = yield from fresh(session, _of_item(session, item_id, "/diff", params))
    return understood(answer, lambda told: tuple(PatchOperation.of(each) for each in told))


def prices(
    session: Session,
    item_id: str,
    *,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    limit: int | None = _LIMIT,
) -> Steps[PriceInterval, None]:
    """Iterate over which price was in force when, oldest first."""
    params = {"from": _time(since), "to": _time(until), "limit": limit}
    return _of_item_all(session, item_id, "/prices", params, "prices", PriceInterval.of)


def prior_price(
    session: Session,
    item_id: str,
    *,
    at: datetime | str | None = None,
    window: int | None = None,
) -> Steps[Never, PriorPrice]:
    """Read the lowest price in force in the `window` days (30) before a moment (now). Raises
    NotFound where none was.
    """
    params = {"at": _time(at), "window": window}
    answer = yield from fresh(session, _of_item(session, item_id, "/prior-price", params))
    return understood(answer, PriorPrice.of)


def scheduled_prices(
    session: Session, item_id: str, *, limit: int | None = _LIMIT
) -> Steps[ScheduledPrice, None]:
    """Iterate over the scheduled prices of an item: pending, active, done and cancelled ones."""
    path, params, member = "/scheduled-prices", {"limit": limit}, "scheduled_prices"
    return _of_item_all(session, item_id, path, params, member, ScheduledPrice.of)


def scheduled_price(
    session: Session, item_id: str, schedule_id: str
) -> Steps[Never, ScheduledPrice]:
    path = f"/scheduled-prices/{quote(schedule_id, safe='')}"
    answer = yield from fresh(session, _of_item(session, item_id, path, {}))
    return understood(answer, ScheduledPrice.of)


def stats(
    session: Session, *, since: date | str | None = None, until: date | str | None = None
) -> Steps[Never, Mapping[str, Any]]:
    """Read counts, prices per currency, and events per day, of these days where they are given."""
    request = session.to_query("/stats", {"from": since, "to": until})
    answer = yield from fresh(session, Reading(request, "stats", request))
    return understood(answer, _object)


def view(
    session: Session, name: str, parameters: Mapping[str, object] | None = None
) -> Steps[Never, Mapping[str, Any]]:
    """Read a view that this deployment has of its own."""
    request = session.to_query(f"/views/{quote(name, safe='')}", parameters or {})
    answer = yield from fresh(session, Reading(request, f"view/{name}", request))
    return understood(answer, _object)


def status(session: Session) -> Steps[Never, Mapping[str, Any]]:
    """Read how the service is: partitions, views, workers, durability, dead commands."""
    answer = yield from insist(session, session.to_query("/status", {}))
    return understood(succeeded(answer), _object)


def _of_item(session: Session, item_id: str, path: str, params: Mapping[str, Any]) -> Reading:
    request = session.to_query(f"{item_path(item_id)}{path}", params)
    # Of what a scheduled price is called, the kind is the first part.
    what = f"item/{path.split('/')[1]}" if path else "item"
    return Reading(request, what, request, item_id)


def _of_item_all(
    session: Session,
    item_id: str,
    path: str,
    params: Mapping[str, Any],
    member: str,
    read: Callable[[Mapping[str, Any]], T],
) -> Steps[T, None]:
    cursor = None
    while True:
        asked = {**params, "cursor": cursor}
        answer = yield from fresh(session, _of_item(session, item_id, path, asked))
        found = understood(answer, lambda told: _page(told, member, read))
        yield from given(found.members)
        cursor = found.next
        if cursor is None:
            return


def _page(told: Any, member: str, read: Callable[[Mapping[str, Any]], T]) -> Page[T]:
    members = tuple(read(each) for each in told[member])
    return Page(members, told["next"], told.get("total"))


def _object(told: Any) -> Mapping[str, Any]:
    if not isinstance(told, dict):
        raise TypeError("not an object")
    return cast("Mapping[str, Any]", told)


def _time(at: datetime | str | None) -> str | None:
    return None if at is None else written(at)
