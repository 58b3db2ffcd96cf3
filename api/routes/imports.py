"""Files of any number of rows, and what can be done to one while it is taken in."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson
import structlog
from fastapi import APIRouter, Request, Response
from redis.exceptions import RedisError
from starlette.requests import ClientDisconnect

from api.batch_keys import Remember, first_or_same
from api.counts import Counts
from api.guard import caller_of
from api.headers import idempotency_key, preferences
from api.ids import fingerprint, uuid7
from api.imports import problems
from api.imports.asking import Asked, asked_of
from api.imports.feeder import Log, Stuck, Unwanted
from api.imports.formats import BadHeader
from api.imports.lanes import Lost
from api.imports.rows import Given
from api.imports.unpacking import Unreadable
from api.imports.upload import DEFECT, Broken, Clock, Ended, Over, Plan, Taken, Upload, resuming
from api.imports.wishes import require_the_same
from api.problems import ProblemRaised, internal_error, not_accepted, retry_after
from api.requests import command_id_of, reason_of
from eventlog.envelope import ImportMark, Mark, RevertRows
from eventlog.import_state import FED, ImportStates, State
from runtime.keyed_ids import uuid8
from runtime.problems import Problem

log = structlog.get_logger()

# What an import's id may look like: nothing else is looked for.
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


# Seconds within which a feeder hears that its import is cancelled, and lets go of it.
_LETS_GO = 3.0


@dataclass(frozen=True, slots=True)
class Imports:
    """What imports are taken in with. `is_lasting` says of a reason to accept nothing whether an
    operator has to mend it.
    """

    log: Log
    states: ImportStates
    remember: Remember
    clock: Clock
    currency: str
    query_url: str
    counts: Counts
    is_lasting: Callable[[str], bool] = lambda _: False


def routes(imports: Imports) -> APIRouter:
    """Make the routes."""
    router = APIRouter()

    @router.post("/imports")
    async def import_(request: Request) -> Response:
        asked, preferred = asked_of(request), preferences(request)
        import_id = command_id_of(request, imports.clock())
        if idempotency_key(request) is not None:
            await require_the_same(imports.remember, import_id, asked.payload)
        ended = await _ended(imports, import_id, asked, request)
        status: str = "running" if ended.state == "received" else ended.state
        headers: dict[str, str] = {"Vary": "Prefer"}
        settled = await _settled(imports, import_id, ended, preferred.wait)
        if settled is not None:
            headers["Preference-Applied"] = f"wait={preferred.wait}"
        if ended.again:
            headers["Idempotent-Replayed"] = "true"
        final = settled is not None
        return _answer(imports, import_id, settled or status, headers, final=final, rows=ended.rows)

    _control_routes(router, imports)
    return router


def _control_routes(router: APIRouter, imports: Imports) -> None:
    @router.post("/imports/{import_id}/pause")
    async def pause(request: Request, import_id: str) -> Response:
        return await _control(imports, request, import_id, "paused")

    @router.post("/imports/{import_id}/resume")
    async def resume(request: Request, import_id: str) -> Response:
        return await _control(imports, request, import_id, "resumed")

    @router.post("/imports/{import_id}/cancel")
    async def cancel(request: Request, import_id: str) -> Response:
        return await _control(imports, request, import_id, "cancelled")

    @router.post("/imports/{import_id}/revert")
    async def revert(request: Request, import_id: str) -> Response:
        _require_id(import_id)
        reason, now = reason_of(request), imports.clock()
        new_id = command_id_of(request, now)
        if idempotency_key(request) is not None:
            await first_or_same(imports.remember, new_id, fingerprint(reason))
        sender = caller_of(request).subject
        try:
            again = await _revert(imports, import_id, new_id, sender, reason)
        except Unwanted as unwanted:
            raise _unwanted(imports, unwanted) from unwanted
        except (RedisError, OSError, Stuck) as error:
            raise _refused(error) from error
        headers = {"Idempotent-Replayed": "true"} if again else {}
        return _answer(imports, new_id, "running", headers)


async def _ended(imports: Imports, import_id: str, asked: Asked, request: Request) -> Ended:
    """Take the upload in; whatever ends it early is a problem."""
    caller = caller_of(request)
    keyed = idempotency_key(request) is not None
    given = Given(import_id, caller.subject, asked.reason, imports.currency, "ops" in caller.scopes)
    upload = Upload(
        Plan(given, asked.dry, asked.stop, keyed, asked.file),
        imports.log,
        imports.states,
        imports.clock,
        request.stream(),
        asked.unpacker(),
        asked.format(),
    )
    try:
        with imports.counts.upload():
            return await upload.run()
    except Taken:
        detail = f"another upload feeds import {import_id}"
        running = problems.problem(problems.IMPORT_RUNNING, detail, import_id=import_id)
        raise ProblemRaised(running, {"Retry-After": "5"}) from None
    except Over as over:
        raise ProblemRaised(problems.over(import_id, over.state)) from None
    except BadHeader as error:
        raise ProblemRaised(problems.problem(problems.INVALID_COLUMNS, str(error))) from error
    except Unwanted as unwanted:
        raise _unwanted(imports, unwanted) from unwanted
    except (RedisError, OSError) as error:
        raise _refused(error) from error
    except Broken as broken:
        raise _broken(broken, keyed=keyed) from broken


def _broken(broken: Broken, *, keyed: bool) -> Exception:
    match broken.__cause__:
        case Unreadable() as error:
            after = f"after {broken.rows:,} rows, which are accepted: " if broken.rows else ""
            return ProblemRaised(problems.problem(problems.UNREADABLE_UPLOAD, f"{after}{error}"))
        case Stuck() as stuck:
            detail = _accepted(str(stuck), broken, keyed=keyed)
            code = problems.UPLOAD_FAILED
            # Where it is not known, sending again is as safe as where it is.
            status = code.status if stuck.certain else 504
            return ProblemRaised(Problem(status, code.code, code.title, detail), retry_after())
        case Lost() as lost:
            given_up = problems.problem(problems.UPLOAD_FAILED, str(lost))
            return ProblemRaised(given_up, retry_after())
        case ClientDisconnect() as gone:
            # Nobody reads the answer.
            return gone
        case _:
            return ProblemRaised(
                replace(internal_error(), detail=_accepted(DEFECT, broken, keyed=keyed))
            )


def _accepted(why: str, broken: Broken, *, keyed: bool) -> str:
    return (
        f"{why}; of {broken.rows:,} rows that were read all but the last are accepted; "
        f"{resuming(keyed=keyed)}"
    )


async def _settled(
    imports: Imports, import_id: str, ended: Ended, seconds: int
) -> Literal["done", "stopped", "cancelled"] | None:
    """Wait until all rows are final, and that they are all, and say how it has ended; `None` where
    that takes longer.
    """
    if not seconds:
        return None
    try:
        async with asyncio.timeout(seconds):
            await imports.log.lanes.applied(ended.last)
            found = await imports.states.read(import_id)
    except (TimeoutError, Lost, RedisError, OSError):
        return None
    if ended.state != "received":
        return ended.state
    return "stopped" if found is not None and found.state == "stopped" else "done"


async def _control(imports: Imports, request: Request, import_id: str, mark: Mark) -> Response:
    """Pause, resume or cancel: said to the feeder at once, and to the ledger by way of the log."""
    _require_id(import_id)
    reason_of(request)
    # To do it twice is to do it once; but a key that is none is told.
    idempotency_key(request)
    to, since, status = _MOVES[mark]
    try:
        step = await imports.states.move(import_id, to, *since)
        if step.before is None:
            detail = f"no import {import_id} is known"
            raise ProblemRaised(problems.problem(problems.IMPORT_NOT_FOUND, detail))
        if not step.done:
            raise ProblemRaised(problems.over(import_id, step.before))
        now = imports.clock()
        await imports.log.say(
            ImportMark(uuid7(now), import_id, mark, caller_of(request).subject, now)
        )
    except (RedisError, OSError, Stuck) as error:
        raise _refused(error) from error
    return _answer(imports, import_id, status, {})


# By mark: the state to be, those it may follow, and how the query API calls it.
_MOVES: Mapping[Mark, tuple[State, tuple[State, ...], str]] = {
    "paused": ("paused", FED, "paused"),
    "resumed": ("receiving", FED, "receiving"),
    "cancelled": ("cancelled", (*FED, "failed", "cancelled"), "cancelled"),
}


async def _revert(
    imports: Imports, import_id: str, new_id: str, actor: str, reason: str | None
) -> bool:
    """Begin a revert, and say whether it had been before."""
    await _require_at_rest(imports, import_id)
    again = await imports.states.read(new_id) is not None
    now = imports.clock()
    begun = ImportMark(uuid8(new_id, "begun"), new_id, "begun", actor, now, reverts=import_id)
    await imports.log.say(begun, refusable=True)
    # The workers go on with it from partition to partition, and say when it ends.
    first = uuid8(new_id, "revert")
    await imports.log.append(0, RevertRows(first, new_id, import_id, "", actor, reason, now))
    try:
        await imports.states.receive(new_id)
    except (RedisError, OSError) as error:
        # It is on the log all the same; only who looks at once does not find it yet.
        log.warning("a revert is not put down", import_id=new_id, error=str(error))
    return again


async def _require_at_rest(imports: Imports, import_id: str) -> None:
    """Refuse what rows may still come behind; wait a little where they are about to end."""
    deadline = asyncio.get_running_loop().time() + _LETS_GO
    while (found := await imports.states.read(import_id)) is not None:
        if found.state in FED:
            detail = f"rows of import {import_id} may still come: cancel it first"
            raise ProblemRaised(problems.problem(problems.IMPORT_RUNNING, detail))
        if not found.is_fed(imports.clock()):
            return
        if asyncio.get_running_loop().time() > deadline:
            detail = f"rows of import {import_id} may still come, although it is {found.state}"
            running = problems.problem(problems.IMPORT_RUNNING, detail)
            raise ProblemRaised(running, {"Retry-After": "5"})
        await asyncio.sleep(_LETS_GO / 50)  # between two looks at whether its feeder has let go


def _require_id(import_id: str) -> None:
    if _ID.fullmatch(import_id) is None:
        detail = f"no import {import_id} is known"
        raise ProblemRaised(problems.problem(problems.IMPORT_NOT_FOUND, detail))


def _refused(error: Exception) -> ProblemRaised:
    return ProblemRaised(not_accepted(f"the log is not to be reached: {error}"), retry_after())


def _unwanted(imports: Imports, unwanted: Unwanted) -> ProblemRaised:
    """Refuse as a single command would be."""
    why = str(unwanted)
    lasting = imports.is_lasting(why)
    return ProblemRaised(not_accepted(why, lasting=lasting), retry_after(lasting=lasting))


def _answer(
    imports: Imports,
    import_id: str,
    status: str,
    headers: Mapping[str, str],
    *,
    final: bool = False,
    **members: Any,
) -> Response:
    url = f"{imports.query_url}/imports/{import_id}"
    links = {"import": url, "rows": f"{url}/rows"}
    document = {"import_id": import_id, "status": status, **members, "links": links}
    return Response(
        orjson.dumps(document),
        200 if final else 202,
        {"Location": url, **({} if final else {"Retry-After": "1"}), **headers},
        media_type="application/json",
    )
