"""Every problem code that this service answers, and what to do about it."""

from collections.abc import Mapping

from api.imports.problems import OWN as OF_IMPORTS
from domain.refusals import REFUSALS
from runtime.auth.codes import GUARDS
from runtime.problem_pages import MALFORMED_HEADER, NOT_DEAD, OF_OUTCOMES, ProblemCode, of_refusal

BAD_REQUEST = ProblemCode(
    "bad-request",
    400,
    "The request can not be read",
    "The request does not follow the rules of HTTP.",
    "Compare it with the description at /openapi.json.",
)
_OWN = (
    ProblemCode(
        "not-json",
        400,
        "The body is not JSON",
        "The body can not be parsed as JSON; `detail` names the line and column.",
        "Send one JSON document in UTF-8, without a byte order mark.",
    ),
    MALFORMED_HEADER,
    NOT_DEAD,
    ProblemCode(
        "bad-parameter",
        400,
        "A query parameter is not right",
        "The request has a query parameter that means nothing here, or one that can not be read.",
        "`errors` names it. Members of an item belong into the body, not into the URL.",
    ),
    BAD_REQUEST,
    ProblemCode(
        "not-found",
        404,
        "There is nothing here",
        "No resource of this service has this path.",
        "The paths are listed at /openapi.json. Items are read from the query API.",
    ),
    ProblemCode(
        "method-not-allowed",
        405,
        "This method does not work here",
        "The path exists, but not for this method; the header Allow lists those it has.",
        "Items are read from the query API.",
    ),
    ProblemCode(
        "body-too-large",
        413,
        "The body is too large",
        "A body has at most 1 MiB, that of a batch 8 MiB.",
        "Send fewer commands at once, or a shorter description.",
    ),
    ProblemCode(
        "unsupported-media-type",
        415,
        "The body is of a type that is not taken here",
        "The Content-Type is missing or not one that this request takes.",
        "Send application/json; PATCH takes application/merge-patch+json as well.",
    ),
    ProblemCode(
        "invalid-body",
        422,
        "The body is not what is asked for here",
        "The body is JSON, but not of the right shape or with values that no item may have.",
        "`errors` names every wrong spot by a JSON Pointer (RFC 6901) and says what it must be.",
    ),
    ProblemCode(
        "invalid-item-id",
        422,
        "No item can have this id",
        "The id in the path is not one that an item can have.",
        "An id is 1 to 64 of A-Z a-z 0-9 . _ ~ - and begins with a letter or a digit.",
    ),
    ProblemCode(
        "precondition-required",
        428,
        "A condition is required here",
        "This deployment takes no change of an item without a condition "
        "(ITEMLEDGER_REQUIRE_IF_MATCH).",
        "Send If-Match with the version you have read, or If-None-Match: * with a PUT that "
        "creates; in a row of a batch, if_version.",
    ),
    *OF_OUTCOMES,
    ProblemCode(
        "not-accepted",
        503,
        "Certainly not accepted",
        "Nothing is accepted at the moment: the log does not take commands, is not kept as safely "
        "as is asked for, is nearly full, or too many commands wait. Nothing of this request was "
        "stored.",
        "Try again after the seconds that Retry-After names. `detail` says what stands in the way "
        "and how it is mended.",
    ),
    ProblemCode(
        "not-ready",
        503,
        "Not ready",
        "This process accepts no commands: the log does not answer, is not kept as safely as is "
        "asked for, is nearly full, or too many commands wait. Or it accepts them, as `accepting` "
        "says, and they wait without any being applied. `checks` has the facts.",
        "`reason` says what stands in the way and how it is mended; this process goes on by "
        "itself.",
    ),
    ProblemCode(
        "outcome-unknown",
        504,
        "It is not known whether the command was accepted",
        "The log's answer did not come, and repeating for five seconds did not help; or the "
        "service was told to stop before the request was done.",
        "Send the same request with the same Idempotency-Key again: it is applied once at most. "
        "Without a key, ask the query API for the `command_id` in the problem, if there is one.",
    ),
    ProblemCode(
        "internal-error",
        500,
        "Something is broken here",
        "A defect of this service.",
        "The service's log has the details. Please report it.",
    ),
)

CATALOGUE: Mapping[str, ProblemCode] = {
    **{
        each.code: of_refusal(each.code, each.kind, each.title, each.__doc__, each.mend)
        for each in REFUSALS
    },
    **{each.code: each for each in (*_OWN, *OF_IMPORTS, *GUARDS)},
}
