"""Prices that take effect by themselves: ask for one, and cancel it."""

import re

from fastapi import APIRouter, Request, Response

from api.bodies import JSON, read_body, require_known_parameters
from api.guard import caller_of
from api.headers import if_match
from api.problems import ProblemRaised, no_such_schedule
from api.requests import (
    Door,
    check_id,
    command_id_of,
    condition,
    payload_of,
    reason_in_any,
)
from api.schemas import ScheduleBody
from domain.commands import CancelScheduledPrice, SchedulePrice

# A scheduled price has the id of the command that asked for it.
_SCHEDULE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def routes(door: Door) -> APIRouter:
    """Make the routes."""
    router = APIRouter()

    @router.post("/items/{item_id}/scheduled-prices")
    async def schedule(request: Request, item_id: str) -> Response:
        require_known_parameters(request)
        check_id(item_id)
        expected = if_match(request)
        body = await read_body(request, ScheduleBody, JSON)
        now = door.clock()
        command_id = command_id_of(request, now)
        command = SchedulePrice(
            item_id,
            now,
            command_id,
            body.price,
            body.currency,
            body.effective_from,
            body.effective_until,
            caller_of(request).subject,
            body.reason,
            expected,
        )
        payload = payload_of(body, expected)
        return await door.accept(request, command, body.reason, payload, command_id)

    @router.delete("/items/{item_id}/scheduled-prices/{schedule_id}")
    async def cancel(request: Request, item_id: str, schedule_id: str) -> Response:
        check_id(item_id)
        expected, reason = if_match(request), await reason_in_any(request)
        if _SCHEDULE_ID.fullmatch(schedule_id) is None:
            raise ProblemRaised(no_such_schedule(item_id))
        now = door.clock()
        command = CancelScheduledPrice(item_id, now, schedule_id, expected)
        payload = [reason, condition(expected)]
        return await door.accept(request, command, reason, payload, command_id_of(request, now))

    return router
