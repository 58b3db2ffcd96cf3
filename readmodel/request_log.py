"""What is logged of a request has the ids that it came with; and, where it is asked for
(`ITEMLEDGER_LOG_REQUESTS`), there is a line for every request.
"""

import uuid
from collections.abc import Iterable, Mapping, MutableMapping
from time import perf_counter
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from readmodel.meter import BEGUN, Application, Environ, StartResponse
from runtime.request_ids import named, read_request_id, read_trace

SENT = "HTTP_X_REQUEST_ID"
# Under this name the environment of a request keeps the id that was made for it.
_MADE = "itemledger.request_id"

log = structlog.get_logger("readmodel")


def request_id_of(environ: Mapping[str, Any]) -> str | None:
    """Tell the id of a request: the one it came with, or that was made for it; `None` where there
    is none.
    """
    return read_request_id(environ.get(SENT)) or environ.get(_MADE)


def name_request(environ: MutableMapping[str, Any]) -> str:
    """Tell the id of a request; make one where it came with none."""
    request_id = request_id_of(environ)
    if request_id is None:
        request_id = environ[_MADE] = uuid.uuid4().hex
    return request_id


class Naming:
    """A WSGI layer: whatever is logged while a request is answered has its ids."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        known = _ids(environ)
        if not known:
            return self._application(environ, start_response)
        with bound_contextvars(**known):
            return self._application(environ, start_response)


class RequestLog:
    """A WSGI layer around all others: a line per request, once its answer begins."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begun: float = environ.get(BEGUN) or perf_counter()
        status = "500"

        def start(line: str, *rest: Any) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, *rest)

        try:
            return self._application(environ, start)
        finally:
            log.info(
                "answered",
                method=environ["REQUEST_METHOD"],
                path=environ["PATH_INFO"],
                status=int(status),
                ms=round((perf_counter() - begun) * 1000, 1),
                **_ids(environ),
            )


def _ids(environ: Mapping[str, Any]) -> dict[str, str]:
    return named(request_id_of(environ), read_trace(environ.get("HTTP_TRACEPARENT")))
