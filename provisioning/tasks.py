"""How background tasks are ended."""

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_AFTER = 15.0  # seconds; longer than a helm that is asked to end may take


async def end(tasks: Iterable["asyncio.Task[Any]"], again_after: float = AGAIN_AFTER) -> None:
    """Cancel `tasks` and wait until they have ended, however they do.

    A cancellation that meets a library just as it handles a time-out or a lost connection of its own may be swallowed
    there, and the task then goes on for ever (a fault run found one): so it is asked again.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        ended, pending = await asyncio.wait(pending, timeout=again_after)
        for task in ended:
            if not task.cancelled():
                task.exception()  # was told by whoever ran it
