"""Commands that met a defect: an operator has them tried again, or gives them up."""

import re
from typing import Literal

import orjson
from fastapi import APIRouter, Request, Response
from redis.exceptions import RedisError

from api.bodies import require_known_parameters
from api.guard import caller_of
from api.imports.feeder import Log, Stuck, Unwanted
from api.problems import ProblemRaised, bad_parameter, not_accepted, outcome_unknown, retry_after
from api.requests import Clock, command_id_of
from eventlog.envelope import Order
from runtime.problem_pages import NOT_DEAD
from runtime.problems import Problem

# What the id of a command may look like; one of a row has its number behind a dot.
_ID = re.compile(r"[A-Za-z0-9._~-]{1,100}")
_NUMBER = re.compile(r"0|[1-9][0-9]*")


def routes(log: Log, clock: Clock, query_url: str) -> APIRouter:
    """Make the routes. Orders go on the log, in the partition that the command is of: the worker
    that obeys them is the only one who knows whether there is such a dead command.
    """
    router = APIRouter()

    @router.post("/dead/{command_id}/replay")
    async def replay(request: Request, command_id: str) -> Response:
        return await order(request, command_id, "replay")

    @router.post("/dead/{command_id}/discard")
    async def discard(request: Request, command_id: str) -> Response:
        return await order(request, command_id, "discard")

    async def order(
        request: Request, command_id: str, what: Literal["replay", "discard"]
    ) -> Response:
        partition = _partition(request, log.partitions)
        if _ID.fullmatch(command_id) is None:
            raise bad_parameter("command_id", "invalid-command-id", "is the id of no command")
        given = Order(command_id_of(request, clock()), what, command_id, caller_of(request).subject)
        try:
            position = await log.append(partition, given, refusable=True)
        except Unwanted as unwanted:
            raise ProblemRaised(not_accepted(str(unwanted)), retry_after()) from unwanted
        except (RedisError, OSError) as error:
            raise ProblemRaised(
                not_accepted(f"the log is not to be reached: {error}"), retry_after()
            ) from error
        except Stuck as stuck:
            if stuck.certain:
                raise ProblemRaised(not_accepted(str(stuck)), retry_after()) from stuck
            raise ProblemRaised(outcome_unknown(given.id, str(stuck)), retry_after()) from stuck
        url = f"{query_url}/commands/{given.id}?token={position.token}"
        document = {
            "command_id": given.id,
            "status": "accepted",
            "token": position.token,
            "links": {"command": url},
        }
        headers = {"Location": url, "Consistency-Token": position.token, "Retry-After": "1"}
        return Response(orjson.dumps(document), 202, headers, media_type="application/json")

    return router


def _partition(request: Request, partitions: int) -> int:
    """Read in which partition the command is; its token begins with it. Raises ProblemRaised where
    there is none of this number.
    """
    require_known_parameters(request, "partition")
    given = request.query_params.get("partition", "")
    if _NUMBER.fullmatch(given) is None:
        detail = f"the partition of the command, a number from 0 to {partitions - 1}"
        raise bad_parameter("partition", "invalid-partition", detail)
    if int(given) >= partitions:
        detail = f"partitions are from 0 to {partitions - 1}: no command of {given} is dead"
        raise ProblemRaised(Problem(NOT_DEAD.status, NOT_DEAD.code, NOT_DEAD.title, detail))
    return int(given)
