"""Spans of the query API. Loaded only where traces are asked for (docs/tracing.md)."""

from collections.abc import Iterable
from typing import Any

from readmodel.hot.layer import TEMPLATE
from readmodel.meter import ROUTE, Application, Environ, StartResponse, written
from readmodel.request_log import SENT
from runtime.request_ids import read_request_id
from runtime.spans import Spans

_ASIDE = ("/health/", "/metrics")


class Traced:
    """A WSGI layer around all others, that in front of Flask too: a span per request until its
    answer begins, which takes the place of what the client said in `traceparent`.
    """

    def __init__(self, application: Application, spans: Spans) -> None:
        self._application = application
        self._spans = spans

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path.startswith(_ASIDE):
            return self._application(environ, start_response)
        status = "500"

        def start(line: str, *rest: Any) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, *rest)

        said = {
            name: environ[f"HTTP_{name.upper()}"]
            for name in ("traceparent", "tracestate")
            if f"HTTP_{name.upper()}" in environ
        }
        facts = {
            "user_agent.original": environ.get("HTTP_USER_AGENT"),
            "itemledger.request_id": read_request_id(environ.get(SENT)),
        }
        method, scheme = environ["REQUEST_METHOD"], environ["wsgi.url_scheme"]
        with self._spans.request(method, scheme, path, said, facts) as request:
            environ["HTTP_TRACEPARENT"] = request.traceparent
            try:
                return self._application(environ, start)
            finally:
                request.answered(_route(environ, path, status), int(status))


def _route(environ: Environ, path: str, status: str) -> str | None:
    """Tell the template of the route; what was answered in front of Flask is of one alone."""
    if ROUTE in environ:
        return written(environ[ROUTE])
    return TEMPLATE if status != "404" and path.startswith("/items/") else None
