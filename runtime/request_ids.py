"""By what a request is found again in logs, in the ledger and in traces: the id that its sender or
a proxy gave it (`X-Request-ID`), and the trace that it is part of (W3C Trace Context).
"""

import re

HEADER = "X-Request-ID"

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/+=@-]{0,127}")
# Neither a version that there will never be, nor an id of nothing but zeros.
_TRACE = re.compile("(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def read_request_id(sent: str | None) -> str | None:
    """Read an `X-Request-ID`; what could not stand in a log as it is, is none."""
    return sent if sent and _REQUEST_ID.fullmatch(sent) else None


def read_trace(sent: str | None) -> str | None:
    """Read a `traceparent` of the W3C's form; anything else is no trace and is not kept."""
    return sent if sent and _TRACE.fullmatch(sent) else None


def trace_id_of(trace: str) -> str:
    """Tell the 32 digits that a whole trace has in common, of a `traceparent`."""
    return trace[3:35]


def named(request_id: str | None, trace: str | None) -> dict[str, str]:
    """Write for a log line what is known of them."""
    known = {} if request_id is None else {"request_id": request_id}
    return known if trace is None else {**known, "trace_id": trace_id_of(trace)}
