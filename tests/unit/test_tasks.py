"""Background tasks end when they are told to."""

import asyncio

from provisioning.tasks import end


async def test_a_task_that_swallows_its_cancellation_is_asked_again():
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 2:
                    raise

    async def failing() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(failing()), asyncio.create_task(asyncio.sleep(60))]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await end(tasks, again_after=0.01)
    assert all(task.done() for task in tasks)
    assert swallowed == 3
    await end([])
