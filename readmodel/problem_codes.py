"""Every problem code that this service answers or reports, and what to do about it."""

from collections.abc import Mapping

from domain.refusals import REFUSALS
from readmodel.guard import BODY_TOO_LARGE
from runtime.auth.codes import GUARDS
from runtime.problem_pages import MALFORMED_HEADER, NOT_DEAD, OF_OUTCOMES, ProblemCode, of_refusal

BAD_PARAMETER = ProblemCode(
    "bad-parameter",
    400,
    "A query parameter is not right",
    "A query parameter is unknown here, given twice, or has a value it does not take.",
    "The members of errors name each parameter and say what it takes. A cursor only continues "
    "the list it came from: same filters, same sort.",
)
BAD_REQUEST = ProblemCode(
    "bad-request",
    400,
    "The request can not be read",
    "The request does not follow the rules of HTTP as this service reads them.",
    "Compare the request with the description at /openapi.json.",
)
NOT_FOUND = ProblemCode(
    "not-found",
    404,
    "There is nothing here",
    "No resource of this service has this path.",
    "The paths are listed at /openapi.json. Commands are sent to the command API.",
)
NOT_ACCEPTABLE = ProblemCode(
    "not-acceptable",
    406,
    "None of the forms is acceptable",
    "The header Accept names no media type in which this resource is to be had.",
    "`detail` names those that are. Without Accept the first of them comes.",
)
METHOD_NOT_ALLOWED = ProblemCode(
    "method-not-allowed",
    405,
    "This method does not work here",
    "This service only answers reads. The header Allow lists the methods of the path.",
    "Send changes to the command API.",
)
VERSION_NOT_FOUND = ProblemCode(
    "version-not-found",
    404,
    "The item has not come to this version",
    "The item exists, and its last version is lower than the one that is asked for.",
    "Choose a version from 1 to `current_version`; the item's history lists them.",
)
NOT_YET_CREATED = ProblemCode(
    "not-yet-created",
    404,
    "The item was not there yet",
    "The item exists, and its creation took effect after the moment that is asked for.",
    "Ask for a later moment; `detail` names the first one at which the item is there.",
)
NO_PRICE_IN_FORCE = ProblemCode(
    "no-price-in-force",
    404,
    "No price was in force",
    "At the moment that is asked for the item has no price (it is deleted then, or not there yet), "
    "or no price in the same currency was in force in the window before it.",
    "`detail` says which. The item's prices show when which price was in force.",
)
COMMAND_NOT_FOUND = ProblemCode(
    "command-not-found",
    404,
    "No such command",
    "No command of this id was accepted, or its outcome is older than what is kept.",
    "Ask at the Location of the 202 answer as it is, its token included.",
)
COMMAND_LOST = ProblemCode(
    "command-lost",
    409,
    "The command was lost",
    "The log of accepted commands came back without this one, and it had not been applied.",
    "Send it again. The operator finds what else is missing at /status, under gaps.",
)
PROJECTION_BEHIND = ProblemCode(
    "projection-behind",
    503,
    "Not applied yet",
    "The request asked with handling=strict for an answer that has its own write, and the write is "
    "not applied yet.",
    "Ask again after Retry-After, wait with Prefer: wait=5, or leave handling=strict out: then the "
    "answer comes as it is, with Projection-Lag.",
)
VIEW_UNBUILT = ProblemCode(
    "view-unbuilt",
    503,
    "The view is being built",
    "This release brought a view that the workers are building from the ledger for the first time.",
    "Ask again later. /status shows how far it is, under projections.",
)
IMPORT_NOT_FOUND = ProblemCode(
    "import-not-found",
    404,
    "No such import",
    "No import of this id was ever begun.",
    "Ask at the Location of the answer to POST /imports as it is. GET /imports lists them all.",
)
CURSOR_AHEAD = ProblemCode(
    "cursor-ahead",
    409,
    "The cursor is ahead of the ledger",
    "The cursor has seen events that the database does not hold: that was set back.",
    "Do not go on from this cursor: what happens now would be passed over. Take a new export and "
    "follow from its cursor, or read the feed again from the beginning.",
)
REPLICA_BEHIND = ProblemCode(
    "replica-behind",
    503,
    "The replica is behind the cursor",
    "The database that was asked is a replica, and has not yet come to the place of the cursor.",
    "Ask again after Retry-After seconds, with the same cursor. Where it stays so, the database "
    "was set back: take a new export and follow from its cursor.",
)
TOO_MANY_FOLLOWERS = ProblemCode(
    "too-many-followers",
    503,
    "As many follow as may at once",
    "Each stream keeps a connection and its share of this process, and all its places are taken.",
    "Ask again after Retry-After seconds, follow page by page with Prefer: wait=20, or have the "
    "operator raise ITEMLEDGER_FOLLOWERS_LIMIT or start another query process.",
)
TOO_MANY_EXPORTS = ProblemCode(
    "too-many-exports",
    503,
    "Others are exporting",
    "Each export keeps a snapshot of the database; as many as there may be at once are running.",
    "Ask again after Retry-After seconds.",
)
SCHEMA_NOT_FOUND = ProblemCode(
    "schema-not-found",
    404,
    "No such schema",
    "This release knows no such event type, or no such version of it.",
    "GET /schemas/events lists them all. Events of a newer release come without a schema.",
)
LOG_UNAVAILABLE = ProblemCode(
    "log-unavailable",
    503,
    "The log does not answer",
    "What is asked for needs the log of accepted commands (Redis), and it does not answer.",
    "Ask again after Retry-After seconds. Items and final outcomes are served meanwhile.",
)
DATABASE_UNAVAILABLE = ProblemCode(
    "database-unavailable",
    503,
    "The database does not answer",
    "The database that keeps items and outcomes does not answer or is too busy.",
    "Ask again after Retry-After seconds.",
)
NOT_READY = ProblemCode(
    "not-ready",
    503,
    "Not ready",
    "At least one thing that reads need is missing, or commands wait and nothing moves (pump); "
    "checks says which.",
    "An old or missing schema is mended by itemledger migrate; a pump that stands still by seeing "
    "to the workers; otherwise see to the engine named. Reads go on without the pump: for=reads "
    "leaves it out.",
)
INTERNAL_ERROR = ProblemCode(
    "internal-error",
    500,
    "Something is broken here",
    "Something went wrong inside the service; it is in its log.",
    "Try again; if it stays, report it with the time of the request.",
)

_OWN = (
    BAD_PARAMETER,
    MALFORMED_HEADER,
    BAD_REQUEST,
    NOT_FOUND,
    NOT_ACCEPTABLE,
    METHOD_NOT_ALLOWED,
    VERSION_NOT_FOUND,
    NOT_YET_CREATED,
    NO_PRICE_IN_FORCE,
    CURSOR_AHEAD,
    REPLICA_BEHIND,
    TOO_MANY_EXPORTS,
    TOO_MANY_FOLLOWERS,
    SCHEMA_NOT_FOUND,
    COMMAND_NOT_FOUND,
    COMMAND_LOST,
    PROJECTION_BEHIND,
    VIEW_UNBUILT,
    IMPORT_NOT_FOUND,
    *OF_OUTCOMES,
    NOT_DEAD,
    LOG_UNAVAILABLE,
    DATABASE_UNAVAILABLE,
    NOT_READY,
    INTERNAL_ERROR,
    BODY_TOO_LARGE,
    *GUARDS,
)
_REFUSALS = (
    of_refusal(each.code, each.kind, each.title, each.__doc__, each.mend) for each in REFUSALS
)

PROBLEM_CODES: Mapping[str, ProblemCode] = {each.code: each for each in (*_OWN, *_REFUSALS)}


def title_of(code: str) -> str:
    """Find the title of a code; one of a later release is its own title."""
    known = PROBLEM_CODES.get(code)
    return code if known is None else known.title
