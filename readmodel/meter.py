"""Counts every request that Flask answers. The layer in front of it counts its own."""

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

from runtime.measures import NO_ROUTE, Requests

# Under this name whoever knows it leaves the route of a request in its WSGI environment: a template
# of `readmodel.scopes`.
ROUTE = "itemledger.route"
# And under this one, when it came, as `time.perf_counter` tells it: it may have stood in line.
BEGUN = "itemledger.begun"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


def written(template: str) -> str:
    """Write a template of a route as the command API and both descriptions write it."""
    return template.replace("<", "{").replace(">", "}")


class Meter:
    """`templates` are the routes that there are."""

    def __init__(
        self, application: Application, requests: Requests, templates: Iterable[str]
    ) -> None:
        self._application = application
        self._requests = requests
        self._routes = {each: written(each) for each in (*templates, NO_ROUTE)}

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
            route = self._routes[environ.get(ROUTE, NO_ROUTE)]
            self._requests.count(environ["REQUEST_METHOD"], route, status, perf_counter() - begun)
