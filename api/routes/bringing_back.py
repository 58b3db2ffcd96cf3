"""Bring a deleted item back, or an earlier version of one."""

from fastapi import APIRouter, Request, Response

from api.bodies import JSON, read_body, require_known_parameters
from api.headers import if_match
from api.requests import (
    Door,
    check_id,
    command_id_of,
    condition,
    payload_of,
    reason_in_any,
)
from api.schemas import RevertBody
from domain.commands import RestoreItem, RevertItem


def routes(door: Door) -> APIRouter:
    """Make the routes."""
    router = APIRouter()

    @router.post("/items/{item_id}/restore")
    async def restore(request: Request, item_id: str) -> Response:
        check_id(item_id)
        expected = door.require_condition(if_match(request))
        reason = await reason_in_any(request)
        now = door.clock()
        command = RestoreItem(item_id, now, expected)
        payload = [reason, condition(expected)]
        return await door.accept(request, command, reason, payload, command_id_of(request, now))

    @router.post("/items/{item_id}/revert")
    async def revert(request: Request, item_id: str) -> Response:
        require_known_parameters(request)
        check_id(item_id)
        expected = door.require_condition(if_match(request))
        body = await read_body(request, RevertBody, JSON)
        now = door.clock()
        command = RevertItem(item_id, now, body.to_version, expected)
        payload = payload_of(body, expected)
        command_id = command_id_of(request, now)
        return await door.accept(request, command, body.reason, payload, command_id)

    return router
