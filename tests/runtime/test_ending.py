"""Ending tasks of an event loop for certain."""

import asyncio
import contextlib

from runtime.ending import end


def test_a_task_that_loses_a_cancellation_is_told_again() -> None:
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        lost += 1
        await asyncio.Event().wait()

    async def scenario() -> None:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)  # it begins
        async with asyncio.timeout(30):
            await end([task])
        assert task.cancelled()

    asyncio.run(scenario())
    assert lost == 1


def test_what_has_ended_is_left_alone() -> None:
    async def scenario() -> int:
        task = asyncio.create_task(asyncio.sleep(0, 7))  # ends at once
        value = await task
        await end([task])
        return value

    assert asyncio.run(scenario()) == 7
