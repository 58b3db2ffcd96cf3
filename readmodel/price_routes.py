"""The resources of an item's prices: which was in force when, and the lowest before a moment."""

from collections.abc import Callable, Mapping

import orjson
from flask import Response, request

from readmodel import params
from readmodel.answers import REVALIDATE, SETTLED, answer
from readmodel.item_problems import known, never_seen
from readmodel.paging import PAGING, Paging
from readmodel.places import LATER_VERSIONS
from readmodel.problem_codes import NO_PRICE_IN_FORCE
from readmodel.problems import Trouble, problem
from readmodel.reads import LEDGER, Reads
from readmodel.views import prices, prior_price
from readmodel.views.prior_price import NothingInForce, PriorPrice, Window
from runtime.times import FIRST_MOMENT, rfc3339

DEFAULT_WINDOW = 30

_TIMELINE: Mapping[str, params.Reader] = {**PAGING, "from": params.moment, "to": params.moment}
_PRIOR: Mapping[str, params.Reader] = {"at": params.moment, "window": params.window}
_DAY = 24 * 60 * 60 * 1_000


class PriceRoutes:
    """Answers for prices from `reads`; `clock` gives milliseconds."""

    def __init__(self, reads: Reads, paging: Paging, clock: Callable[[], int]) -> None:
        self._reads = reads
        self._paging = paging
        self._clock = clock

    def prices(self, item_id: str) -> Response:
        given = params.read(request.args, _TIMELINE)
        since: int | None = given.get("from")
        until: int | None = given.get("to")
        if since is not None and until is not None and since >= until:
            raise params.bad("to", "not-after-from", "a moment after that of from")
        checked = known(item_id)
        binding = ("prices", checked, since, until)
        continued: int | None = self._paging.place(given, LATER_VERSIONS, *binding)
        limit: int = given.get("limit", params.DEFAULT_PAGE)
        with self._reads.snapshot(LEDGER) as read:
            connection = read.connection
            page = prices.page(connection, checked, limit, (since, until), continued)
        if page is None:
            raise never_seen(checked)
        following = self._paging.following(page.following, *binding)
        members = [each.document() for each in page.intervals]
        return answer(
            orjson.dumps({"prices": members, "next": following}),
            self._paging.headers(f"/items/{checked}/prices", following),
        )

    def prior_price(self, item_id: str) -> Response:
        given = params.read(request.args, _PRIOR)
        checked = known(item_id)
        now = self._clock()
        at: int = given.get("at", now)
        if at > now:
            # Whoever shows it as proof must not be told another one later.
            detail = "a moment that has passed: what is in force until then is not known yet"
            raise params.bad("at", "in-the-future", detail)
        begins = at - given.get("window", DEFAULT_WINDOW) * _DAY
        if begins < FIRST_MOMENT:
            raise params.bad("at", "window-start-range", "the window would begin before year 1")
        with self._reads.snapshot(LEDGER) as read:
            connection = read.connection
            found = prior_price.prior_price(connection, checked, Window(begins, at))
        match found:
            case None:
                raise never_seen(checked)
            case NothingInForce():
                raise _no_price(checked, at, found)
            case PriorPrice():
                kept = SETTLED if "at" in given and found.is_settled else REVALIDATE
                return answer(orjson.dumps(found.document()), kept)


def _no_price(item_id: str, at: int, found: NothingInForce) -> Trouble:
    if found.currency is None:
        detail = f"item {item_id} has no price at {rfc3339(at)}: it is deleted or not there yet"
    else:
        detail = (
            f"no price of item {item_id} was in force in the window that is in {found.currency}, "
            f"its currency at {rfc3339(at)}"
        )
    return Trouble(problem(NO_PRICE_IN_FORCE, detail))
