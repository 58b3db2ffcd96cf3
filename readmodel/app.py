"""The Flask application of the query API: its routes, wired to what they need."""

from collections.abc import Callable

import structlog
from flask import Flask, Response, request
from sqlalchemy import Engine

from eventlog.inspect import LogInspector
from ledger.engines import single_reads
from readmodel import params
from readmodel.answers import Answer, answer
from readmodel.commands import CommandRoutes
from readmodel.cursors import Cursors
from readmodel.item_routes import ItemRoutes
from readmodel.openapi import openapi
from readmodel.problems import problem_page, register_problems
from readmodel.status import StatusRoutes
from runtime.settings import Settings
from runtime.times import now_ms


def create_app(
    settings: Settings,
    engine: Engine,
    inspector: LogInspector,
    clock: Callable[[], int] = now_ms,
) -> Flask:
    """Build the application over a reading engine and a look at the log; `clock` gives
    milliseconds.
    """
    app = Flask("readmodel", static_folder=None, template_folder=None)
    app.response_class = Answer
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    public_url = settings.public_query_url
    reads = single_reads(engine)
    items = ItemRoutes(reads, Cursors(settings.cursor_secret), public_url)
    commands = CommandRoutes(reads, inspector, public_url, settings.public_command_url)
    status = StatusRoutes(
        engine, inspector, clock, settings.least_durability, settings.wait_replicas
    )
    description = openapi(public_url)

    def openapi_document() -> Response:
        params.read(request.args, {})
        return answer(description, {"Cache-Control": "no-cache"})

    for path, view in (
        ("/items", items.items),
        ("/items/<item_id>", items.item),
        ("/items/<item_id>/history", items.history),
        ("/commands/<command_id>", commands.command),
        ("/health/live", status.live),
        ("/health/ready", status.ready),
        ("/status", status.status),
        ("/problems/<code>", problem_page),
        ("/openapi.json", openapi_document),
    ):
        app.add_url_rule(path, path, view, methods=["GET"], provide_automatic_options=False)
    register_problems(app, public_url, structlog.get_logger("readmodel"))
    return app
