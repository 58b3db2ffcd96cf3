"""The command API, put together."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from redis.asyncio import Redis

from api import problems, request_log, turnstile
from api.accept import Acceptor, nobody
from api.answers import Answers
from api.batch_keys import Remember
from api.counts import Counts
from api.edge import Edge
from api.guard import guarding
from api.hot import Hot, told
from api.hot_asked import Reader
from api.hot_commands import Commands
from api.imports.feeder import Log
from api.imports.lanes import Lanes
from api.limits import BodyLimit
from api.meter import Meter
from api.metrics import exposition
from api.paths import TrailingSlash
from api.rate import Limit, unlimited
from api.requests import Door
from api.routes import batch, bringing_back, dead, docs, health, imports, items, scheduled_prices
from api.routes import metrics as metrics_page
from api.routes import problems as problem_pages
from api.routes.imports import Imports
from api.waiting import Waiters
from api.watch import Watch
from eventlog.batcher import Batcher
from eventlog.import_state import ImportStates
from runtime.auth.guard import Guard, guard_of
from runtime.auth.visitors import origin_of
from runtime.failpoints import Reach, nowhere
from runtime.settings import Settings

# Seconds for which an operator's order is tried: somebody waits for the answer.
_ORDER_PATIENCE = 5.0


def create_app(
    settings: Settings,
    partitions: int,
    batcher: Batcher,
    waiters: Waiters,
    clock: Callable[[], int],
    remember: Remember,
    ping: Callable[[], Awaitable[object]],
    watch: Watch,
    asking: Redis,
    reach: Reach = nowhere,
    guard: Guard | None = None,
    limit: Limit = unlimited,
) -> FastAPI:
    """Put the application together from what it works with; it opens and closes the watch, the
    batcher and the waiters. `asking` is for small questions to the log's Redis. Without a guard of
    its own it has that of its settings.
    """
    guard = guard or guard_of(settings)
    counts, lanes = Counts(), Lanes(asking, partitions)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with watch, batcher, waiters:
            yield

    app = FastAPI(
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(guarding(guard, origin_of(settings.public_query_url), limit))],
    )
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, service_url=settings.public_command_url)
    turns = asyncio.Semaphore(turnstile.WIDTH)
    app.add_middleware(turnstile.Turnstile, streams="/imports", turns=turns)
    app.add_middleware(TrailingSlash)
    app.add_middleware(Edge, guard=guard, settings=settings)
    app.add_middleware(Meter, counts=counts)
    heard = request_log.tell if settings.log_requests else nobody
    acceptor = Acceptor(batcher, waiters, partitions, watch.is_lasting, counts, reach, heard)
    answers = Answers(settings.public_command_url, settings.public_query_url)
    currency = settings.default_currency
    if limit is unlimited:
        app.add_middleware(
            Hot,
            told=Meter(Edge(told, guard, settings), counts),
            reader=Reader(guard, strict=settings.require_if_match),
            commands=Commands(acceptor, answers, clock, currency),
            counts=counts,
            turns=turns,
        )
    door = Door(acceptor, answers, clock, currency, strict=settings.require_if_match)
    app.include_router(batch.routes(door, remember))
    app.include_router(items.routes(door))
    app.include_router(bringing_back.routes(door))
    app.include_router(scheduled_prices.routes(door))
    app.include_router(
        imports.routes(
            Imports(
                Log(batcher, lanes, partitions),
                ImportStates(asking),
                remember,
                clock,
                currency,
                settings.public_query_url,
                counts,
                watch.is_lasting,
            )
        )
    )
    orders = Log(batcher, lanes, partitions, patience=_ORDER_PATIENCE)
    app.include_router(dead.routes(orders, clock, settings.public_query_url))
    app.include_router(health.routes(ping, watch, guard))
    app.include_router(
        metrics_page.routes(exposition(counts, watch, guard, batcher, waiters, lanes))
    )
    app.include_router(problem_pages.routes(settings.public_command_url))
    app.include_router(docs.routes(settings.public_command_url))
    problems.install(app, settings.public_command_url, settings.public_query_url)
    return app
