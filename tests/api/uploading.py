"""One upload of an import by itself: its parts are the real ones, on a real Valkey."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from api.imports.feeder import Log
from api.imports.formats import Format
from api.imports.lanes import Lanes
from api.imports.rows import Given
from api.imports.unpacking import Unpacker
from api.imports.upload import Plan, Upload
from eventlog.batcher import Batcher
from eventlog.clients import appending_pool, asking_client
from eventlog.import_state import ImportStates
from runtime.times import now_ms

IMPORT_ID = "0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a"


@dataclass(frozen=True, slots=True)
class Parts:
    """What uploads of one process share."""

    log: Log
    states: ImportStates
    redis: Redis

    def upload(
        self, chunks: Iterable[bytes] | AsyncIterator[bytes], format_: Format, *, gzip: bool = False
    ) -> Upload:
        pieces = chunks if isinstance(chunks, AsyncIterator) else _one_by_one(chunks)
        plan = Plan(Given(IMPORT_ID, "rosa", None, "EUR"), dry=False, stop=False, keyed=True)
        unpacker = Unpacker(gzip=gzip, charset=None)
        return Upload(plan, self.log, self.states, now_ms, pieces, unpacker, format_)


@asynccontextmanager
async def parts(url: str) -> AsyncGenerator[Parts]:
    def ring(_: set[int]) -> None:
        """There is nobody to be woken."""

    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(asking_client(url))
        batcher = await stack.enter_async_context(Batcher(appending_pool(url), ring))
        yield Parts(Log(batcher, Lanes(redis, 1), 1), ImportStates(redis), redis)


async def _one_by_one(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for each in chunks:
        yield each
