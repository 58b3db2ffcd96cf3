"""One item at a time: create, replace, patch, delete."""

from fastapi import APIRouter, Request, Response

from api import translate
from api.bodies import JSON, MERGE_PATCH, read_body, require_known_parameters
from api.headers import expected_by_put, if_match, take_no_condition
from api.ids import new_item_id
from api.requests import (
    Door,
    check_id,
    command_id_of,
    condition,
    payload_of,
    reason_in_any,
)
from api.schemas import CreateBody, PatchBody, ReplaceBody
from domain.commands import DeleteItem


def routes(door: Door) -> APIRouter:
    """Make the routes."""
    router = APIRouter()

    @router.post("/items")
    async def create(request: Request) -> Response:
        require_known_parameters(request)
        take_no_condition(request)
        body = await read_body(request, CreateBody, JSON)
        now = door.clock()
        command_id = command_id_of(request, now)
        keyed = "idempotency-key" in request.headers
        item_id = new_item_id(command_id, now, keyed=keyed)
        command = translate.create(body, item_id, now, door.currency)
        return await door.accept(request, command, body.reason, payload_of(body), command_id)

    @router.put("/items/{item_id}")
    async def replace(request: Request, item_id: str) -> Response:
        require_known_parameters(request)
        check_id(item_id)
        expected = door.require_condition(expected_by_put(request))
        body = await read_body(request, ReplaceBody, JSON)
        now = door.clock()
        command = translate.replace(body, item_id, now, door.currency, expected)
        payload = payload_of(body, expected)
        command_id = command_id_of(request, now)
        return await door.accept(request, command, body.reason, payload, command_id)

    @router.patch("/items/{item_id}")
    async def patch(request: Request, item_id: str) -> Response:
        require_known_parameters(request)
        check_id(item_id)
        expected = door.require_condition(if_match(request))
        body = await read_body(request, PatchBody, MERGE_PATCH)
        now = door.clock()
        command = translate.patch(body, item_id, now, expected)
        payload = payload_of(body, expected)
        command_id = command_id_of(request, now)
        return await door.accept(request, command, body.reason, payload, command_id)

    @router.delete("/items/{item_id}")
    async def delete(request: Request, item_id: str) -> Response:
        check_id(item_id)
        expected = door.require_condition(if_match(request))
        reason = await reason_in_any(request)
        now = door.clock()
        command = DeleteItem(item_id, now, expected)
        payload = [reason, condition(expected)]
        return await door.accept(request, command, reason, payload, command_id_of(request, now))

    return router
