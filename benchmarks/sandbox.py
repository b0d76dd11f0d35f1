"""From the wish to READY, and from the deletion to nothing, on the sandbox."""

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.figures import show
from tests.integration.fleet import fleet_on, sandbox_in


def run(arguments: list[str]) -> None:
    asyncio.run(_run(int(arguments[0]) if arguments else 5))


async def _run(runs: int) -> None:
    made, deleted = [], []
    with tempfile.TemporaryDirectory() as folder:
        async with sandbox_in(speed=50) as sandbox, fleet_on(sandbox, Path(folder)) as fleet:
            for number in range(runs):
                name, begun = f"shop-{number}", time.monotonic()
                await fleet.ask(name)
                await fleet.settled(name)
                made.append(time.monotonic() - begun)
                begun = time.monotonic()
                await fleet.delete(name)
                await fleet.gone(name)
                deleted.append(time.monotonic() - begun)
    show("sandbox, 50 times as fast: wish to READY", made)
    show("sandbox, 50 times as fast: deletion to nothing", deleted)
