"""Ending tasks of an event loop for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any

# Seconds until a task that has not ended is told again.
_AGAIN = 1.0


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel tasks and wait until they have ended. A cancellation that falls together with a
    time-out inside a library may be lost: then it is repeated.
    """
    left = {each for each in tasks if not each.done()}
    while left:
        for each in left:
            each.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN)
