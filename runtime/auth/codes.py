"""The problems of guards: what is refused before anybody looks at what is asked for."""

from runtime.problem_pages import ProblemCode

UNAUTHENTICATED = ProblemCode(
    "unauthenticated",
    401,
    "It is not known who asks",
    "The request has no token, or one that is not valid: not of this deployment, expired, revoked.",
    "Send Authorization: Bearer and a token. itemledger token create makes one, or the identity "
    "provider does. `detail` says what is wrong with the one that was sent.",
)
INSUFFICIENT_SCOPE = ProblemCode(
    "insufficient-scope",
    403,
    "The token does not allow this",
    "The token is valid, and lacks a scope that this request needs.",
    "`detail` names the scope. Ask for a token that has it.",
)
FOREIGN_HOST = ProblemCode(
    "foreign-host",
    421,
    "This service is not known by that name",
    "The service runs without tokens, for this machine alone, and the header Host names another: a "
    "web page may have got its own name to lead here.",
    "Use the address that itemledger up prints. Under another name, set ITEMLEDGER_COMMAND_URL and "
    "ITEMLEDGER_QUERY_URL, or give the service keys (ITEMLEDGER_TOKEN_SECRET).",
)
FOREIGN_ORIGIN = ProblemCode(
    "foreign-origin",
    403,
    "A page of another origin asks",
    "The service runs without tokens, for this machine alone, and a web page of somebody else "
    "sends the request.",
    "Pages of the query API may ask. For others give the service keys (ITEMLEDGER_TOKEN_SECRET).",
)
UNDECIDED = ProblemCode(
    "token-undecided",
    503,
    "Whether the token is valid can not be told",
    "The identity provider's keys, or what has been revoked, are not known to this process now.",
    "Try again after the seconds that Retry-After names.",
)
RATE_LIMITED = ProblemCode(
    "rate-limited",
    429,
    "Too many requests",
    "This caller sends more than ITEMLEDGER_RATE_LIMIT allows.",
    "Try again after the seconds that Retry-After names; a batch carries a thousand commands.",
)
URI_TOO_LONG = ProblemCode(
    "uri-too-long",
    414,
    "The URL is too long",
    "A path and its query have at most 8 KiB together.",
    "Ask for less at once.",
)
HEADERS_TOO_LARGE = ProblemCode(
    "headers-too-large",
    431,
    "The headers are too large",
    "Names and values of all headers have at most 32 KiB together.",
    "Send fewer or shorter headers.",
)

# Of both services.
GUARDS = (
    UNAUTHENTICATED,
    INSUFFICIENT_SCOPE,
    FOREIGN_HOST,
    FOREIGN_ORIGIN,
    UNDECIDED,
    RATE_LIMITED,
    URI_TOO_LONG,
    HEADERS_TOO_LARGE,
)
