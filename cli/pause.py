"""Wait a moment between two looks at something that cannot be waited for."""

import asyncio
import contextlib

_LOOK_EVERY = 0.05


async def pause(asked: asyncio.Event) -> None:
    """Come back after a moment, or at once where it is to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asked.wait(), _LOOK_EVERY)
