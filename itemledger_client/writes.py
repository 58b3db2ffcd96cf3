"""Commands about one item.

What all of them take: `wait`, the seconds to wait for what becomes of it (at most 30); `key`, an
Idempotency-Key in place of one that is made for this call; `deadline`, after which it is not wanted
any more; `if_version`, the only version of the item that it is meant for; `reason`, kept in the
history. They raise a Problem where the write is refused, OutcomeUnknown where nobody can say, and
Unreachable where it certainly did not get there.
"""

from datetime import datetime
from enum import Enum
from typing import Any, Final, Never
from urllib.parse import quote

from itemledger_client.results import Written
from itemledger_client.sending import Terms, item_path, write
from itemledger_client.session import Session
from itemledger_client.steps import Steps
from itemledger_client.values import written


class Unset(Enum):
    """A member that is not sent, where `None` means something."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


def create(
    session: Session,
    *,
    name: str,
    price: int,
    description: str | None = None,
    currency: str | None = None,
    reason: str | None = None,
    wait: float | None = None,
    key: str | None = None,
    deadline: datetime | str | None = None,
) -> Steps[Never, Written]:
    """Create an item; the service makes its id. Without a currency it has the deployment's."""
    body = _body(name=name, price=price, description=description, currency=currency, reason=reason)
    return write(session, "POST", "/items", body, Terms(wait, key, deadline))


def put(
    session: Session,
    item_id: str,
    *,
    name: str,
    price: int,
    description: str | None = None,
    currency: str | None = None,
    reason: str | None = None,
    if_version: int | None = None,
    only_new: bool = False,
    wait: float | None = None,
    key: str | None = None,
    deadline: datetime | str | None = None,
) -> Steps[Never, Written]:
    """Create an item under an id of your own, replace it, or bring it back with these values;
    `only_new` where it must not be there yet. No description means none, no currency the
    item's own.
    """
    body = _body(name=name, price=price, description=description, currency=currency, reason=reason)
    terms = Terms(wait, key, deadline, if_version, only_new=only_new)
    return write(session, "PUT", item_path(item_id), body, terms, item_id)


def patch(
    session: Session,
    item_id: str,
    *,
    name: str | Unset = UNSET,
    price: int | Unset = UNSET,
    description: str | Unset | None = UNSET,
    currency: str | Unset = UNSET,
    reason: str | None = None,
    if_version: int | None = None,
    wait: float | None = None,
    key: str | None = None,
    deadline: datetime | str | None = None,
) -> Steps[Never, Written]:
    """Change what is given and leave the rest; a description of `None` takes it away."""
    fields = {"name": name, "price": price, "description": description, "currency": currency}
    body: dict[str, Any] = {name: each for name, each in fields.items() if each is not UNSET}
    body |= _body(reason=reason)
    terms = Terms(wait, key, deadline, if_version)
    return write(session, "PATCH", item_path(item_id), body, terms, item_id)


def delete(
    session: Session,
    item_id: str,
    *,
    reason: str | None = None,
    if_version: int | None = None,
    wait: float | None = None,
    key: str | None = None,
    deadline: datetime | str | None = None,
) -> Steps[Never, Written]:
    """Delete an item; it can be restored, and its history stays."""
    terms = Terms(wait, key, deadline, if_version)
    return write(session, "DELETE", item_path(item_id), _body(reason=reason), terms, item_id)


def restore(
    session: Session,
    item_id: str,
    *,
    reason: str | None = None,
    if_version: int | None = None,
    wait: float | None = None,
    key: str | None = None,
    deadline: datetime | str | None = None,
) -> Steps[Never, Written]:
    """Bring back a deleted item as it was."""
    path, terms = f"{item_path(item_id)}/restore", Terms(wait, key, deadline, if_version)
    return write(session, "POST", path, _body(reason=reason), terms, item_id)


def revert(
    session: Session,
    item_id: str,
    to_version: int,
    *,
    reason: str | None = None,
    if_version: int | None = None,
    wait: float | None = None,
    key: str | None = None,
    deadline: datetime | str | None = None,
) -> Steps[Never, Written]:
    """Give an item the values of an earlier version, as a new one."""
    path, terms = f"{item_path(item_id)}/revert", Terms(wait, key, deadline, if_version)
    return write(session, "POST", path, _body(to_version=to_version, reason=reason), terms, item_id)


def schedule_price(
    session: Session,
    item_id: str,
    *,
    price: int,
    effective_from: datetime | str,
    effective_until: datetime | str | None = None,
    currency: str | None = None,
    reason: str | None = None,
    if_version: int | None = None,
    wait: float | None = None,
    key: str | None = None,
    deadline: datetime | str | None = None,
) -> Steps[Never, Written]:
    """Have a price take effect by itself and, with `effective_until`, end by itself."""
    until = None if effective_until is None else written(effective_until)
    body = _body(
        price=price,
        currency=currency,
        effective_from=written(effective_from),
        effective_until=until,
        reason=reason,
    )
    path, terms = f"{item_path(item_id)}/scheduled-prices", Terms(wait, key, deadline, if_version)
    return write(session, "POST", path, body, terms, item_id)


def cancel_scheduled_price(
    session: Session,
    item_id: str,
    schedule_id: str,
    *,
    reason: str | None = None,
    if_version: int | None = None,
    wait: float | None = None,
    key: str | None = None,
    deadline: datetime | str | None = None,
) -> Steps[Never, Written]:
    """Cancel a scheduled price; a sale that has begun ends."""
    path = f"{item_path(item_id)}/scheduled-prices/{quote(schedule_id, safe='')}"
    terms = Terms(wait, key, deadline, if_version)
    return write(session, "DELETE", path, _body(reason=reason), terms, item_id)


def _body(**members: Any) -> dict[str, Any]:
    """Leave out what is not given."""
    return {name: each for name, each in members.items() if each is not None}
