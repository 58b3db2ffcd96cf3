"""The Flask application of the query API: its routes, wired to what they need."""

import time
from collections.abc import Callable

import structlog
from flask import Flask, Response, g, request
from sqlalchemy import Engine

from eventlog.inspect import LogInspector
from ledger.engines import single_reads
from readmodel.answers import Answer
from readmodel.commands import CommandRoutes
from readmodel.cursors import Cursors, FeedCursors
from readmodel.exports.routes import ExportRoutes
from readmodel.feed.forms import Forms
from readmodel.feed.portions import Portions
from readmodel.feed.reading import Feed
from readmodel.feed.routes import ChangeRoutes
from readmodel.feed.schemas import SchemaRoutes
from readmodel.feed.stream import Streams
from readmodel.feed.stream_routes import StreamRoutes
from readmodel.front.list_memory import ListMemory
from readmodel.guard import MAX_BODY, Doorkeeper
from readmodel.hot.cache import ItemCache
from readmodel.hot.layer import HotItems
from readmodel.hot.row import ItemRows
from readmodel.import_routes import ImportRoutes
from readmodel.item_routes import ItemRoutes
from readmodel.item_time_routes import ItemTimeRoutes
from readmodel.lag import WaitingSince
from readmodel.list_tags import ListTags
from readmodel.meter import ROUTE, Meter
from readmodel.metrics import MetricRoutes
from readmodel.pages import PageRoutes
from readmodel.paging import Paging
from readmodel.params import refuse_other_bytes
from readmodel.price_routes import PriceRoutes
from readmodel.problems import register_problems
from readmodel.pulse import Pulse
from readmodel.rate import Limit, limit_here, unlimited
from readmodel.reads import Reads, freshness
from readmodel.request_log import Naming, request_id_of
from readmodel.schedule_routes import ScheduleRoutes
from readmodel.scopes import NEEDED
from readmodel.standings import Standings
from readmodel.status import StatusRoutes
from readmodel.turns import Turns
from readmodel.view_routes import ViewRoutes
from readmodel.web.imports import ImportPages
from readmodel.web.operations import OperationsPage
from readmodel.web.render import Pages
from readmodel.web.site import Site
from runtime.auth.guard import Guard, guard_of
from runtime.measures import Requests
from runtime.request_ids import HEADER
from runtime.response_headers import SECURITY_HEADERS
from runtime.settings import Settings
from runtime.times import now_ms

# Requests that wait at once, for what a client has written itself, and for what happens next: those
# beyond do not wait. And those that work at once, where nothing else is said.
WAITING = 32
POLLING = 32
WORKING = 4


def create_app(
    settings: Settings,
    engine: Engine,
    inspector: LogInspector,
    clock: Callable[[], int] = now_ms,
    guard: Guard | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    turns: Turns | None = None,
    pulse: Pulse | None = None,
    cache: ItemCache | None = None,
    lists: ListMemory | None = None,
    streams: Streams | None = None,
    requests: Requests | None = None,
    remembers: bool = True,
) -> Flask:
    """Build the application over a reading engine and a look at the log; `clock` gives
    milliseconds, `monotonic` seconds. Without a guard of its own it has that of its settings.
    `turns` says how many requests work and wait at once, and by `pulse` they wait. `cache` holds
    items as long as somebody keeps it right, `lists` has what was answered of them; `streams` feeds
    those who follow; `requests` are counted. It `remembers` where the layer in front of Flask may
    answer from the cache.
    """
    app = Flask("readmodel", static_folder=None, template_folder=None)
    app.response_class = Answer
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    public_url = settings.public_query_url
    turns = turns or Turns(WORKING, WAITING, POLLING)
    pulse = pulse or Pulse(engine)
    cache = cache or ItemCache(0)
    reads = Reads(engine, WaitingSince(inspector, clock), pulse, turns, clock)
    lookups = single_reads(engine)
    paging = Paging(Cursors(settings.cursor_secret), public_url)
    times = ItemTimeRoutes(reads, paging, public_url)
    items = ItemRoutes(reads, paging, ListTags(settings.cursor_secret), public_url, times)
    priced = PriceRoutes(reads, paging, clock)
    scheduled = ScheduleRoutes(reads, paging)
    views = ViewRoutes(reads)
    commands = CommandRoutes(lookups, inspector, public_url, settings.public_command_url)
    standings, requests = Standings(inspector, clock, monotonic), requests or Requests()
    wanted = settings.least_durability, settings.wait_replicas
    status = StatusRoutes(engine, inspector, standings, clock, *wanted)
    memories = cache, lists or ListMemory(0)
    metrics = MetricRoutes(engine, inspector, standings, requests, *memories, clock, *wanted)
    imported = ImportRoutes(
        lookups,
        inspector,
        paging,
        public_url,
        settings.public_command_url,
        clock,
    )
    pages = PageRoutes(public_url)
    streams = streams or streams_of(settings, engine, pulse)
    cursors, forms = streams.portions.cursors, streams.portions.forms
    feed = Feed(engine, cursors, pulse, turns)
    followed = ChangeRoutes(reads, feed, cursors, forms, public_url)
    guard = guard or guard_of(settings)
    door = Doorkeeper(guard, _limit(settings))
    streamed = StreamRoutes(reads, feed, streams, door)
    schemas = SchemaRoutes(public_url)
    exported = ExportRoutes(engine, reads, cursors, public_url)
    for_people = Pages(
        public_url,
        settings.public_command_url,
        settings.default_currency,
        wants_tokens=guard.wants_tokens,
    )
    import_pages = ImportPages(for_people, imported, lookups, paging)
    operations = OperationsPage(for_people, status.document, lookups, clock)
    site = Site(for_people, reads, paging, cursors, import_pages, operations, door, settings, clock)
    for path, view in (
        ("/items", items.items),
        ("/items/<item_id>", items.item),
        ("/items/<item_id>/history", items.history),
        ("/items/<item_id>/diff", times.diff),
        ("/items/<item_id>/prices", priced.prices),
        ("/items/<item_id>/prior-price", priced.prior_price),
        ("/items/<item_id>/scheduled-prices", scheduled.scheduled_prices),
        ("/items/<item_id>/scheduled-prices/<schedule_id>", scheduled.scheduled_price),
        ("/stats", views.stats),
        ("/views/<name>", views.view),
        ("/commands/<command_id>", commands.command),
        ("/imports", imported.imports),
        ("/imports/<import_id>", imported.import_),
        ("/imports/<import_id>/rows", imported.rows),
        ("/changes", followed.changes),
        ("/changes/stream", streamed.stream),
        ("/schemas/events", schemas.schemas),
        ("/schemas/events/<type_name>/<version>", schemas.schema),
        ("/exports/items", exported.items),
        ("/health/live", status.live),
        ("/health/ready", status.ready),
        ("/status", status.status),
        ("/metrics", metrics.metrics),
        ("/problems", pages.problems),
        ("/problems/<code>", pages.problem),
        ("/openapi.json", pages.openapi),
        ("/docs", pages.docs),
        ("/docs/<asset>", pages.docs_asset),
        *site.routes(),
    ):
        app.add_url_rule(path, path, view, methods=["GET"], provide_automatic_options=False)
    for path, view in site.forms():
        app.add_url_rule(
            path, f"POST {path}", view, methods=["POST"], provide_automatic_options=False
        )
    _guard(app, door)
    register_problems(
        app,
        public_url,
        settings.public_command_url,
        site.explain,
        structlog.get_logger("readmodel"),
    )
    # Flask names this as its extension point, and declares it as a method.
    flask = turns.around(Naming(app.wsgi_app))
    metered = Meter(flask, requests, NEEDED)
    known = cache if remembers else ItemCache(0)
    app.wsgi_app = HotItems(metered, requests, turns, door, ItemRows(engine), known)
    return app


def streams_of(settings: Settings, engine: Engine, pulse: Pulse) -> Streams:
    """Make what feeds followers, which wait by the pulse."""
    cursors = FeedCursors(settings.cursor_secret)
    forms = Forms(cursors, settings.public_query_url)
    return Streams(Portions(engine, forms, cursors), pulse, settings.followers_limit)


def _guard(app: Flask, door: Doorkeeper) -> None:
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    def check() -> None:
        rule = request.url_rule
        if rule is not None:
            request.environ[ROUTE] = rule.rule
        # Where there is nothing, there is nothing to guard.
        needed = () if rule is None else NEEDED[rule.rule]
        g.caller = door.let_in(request.environ, needed)
        refuse_other_bytes(request.query_string)

    def complete(response: Response) -> Response:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.update(freshness())
        request_id = request_id_of(request.environ)
        if request_id is not None:
            response.headers[HEADER] = request_id
        return response

    app.before_request(check)
    app.after_request(complete)


def _limit(settings: Settings) -> Limit:
    return unlimited if settings.rate_limit is None else limit_here(settings.rate_limit)
