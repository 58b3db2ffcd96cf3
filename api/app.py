"""The command API, put together."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import openapi, problems
from api.accept import Acceptor
from api.answers import Answers
from api.batch_keys import Remember
from api.limits import BodyLimit
from api.paths import TrailingSlash
from api.routes import batch, health, items
from api.routes import problems as problem_pages
from api.waiting import Waiters
from api.watch import Watch
from eventlog.batcher import Batcher
from runtime.failpoints import Reach, nowhere
from runtime.settings import Settings


def create_app(
    settings: Settings,
    partitions: int,
    batcher: Batcher,
    waiters: Waiters,
    clock: Callable[[], int],
    remember: Remember,
    ping: Callable[[], Awaitable[object]],
    watch: Watch,
    reach: Reach = nowhere,
) -> FastAPI:
    """Put the application together from what it works with; it opens and closes the watch, the
    batcher and the waiters.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with watch, batcher, waiters:
            yield

    app = FastAPI(
        title="itemledger command API",
        version="0.1.0",
        description="Commands in. 202 means: on disk in the log, and applied exactly once.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, service_url=settings.public_command_url)
    app.add_middleware(TrailingSlash)
    acceptor = Acceptor(batcher, waiters, partitions, watch.is_lasting, reach)
    answers = Answers(settings.public_command_url, settings.public_query_url)
    currency = settings.default_currency
    app.include_router(batch.routes(acceptor, answers, clock, currency, remember))
    app.include_router(items.routes(acceptor, answers, clock, currency))
    app.include_router(health.routes(ping, watch))
    app.include_router(problem_pages.routes())
    problems.install(app, settings.public_command_url)
    openapi.install(app)
    return app
