"""What happens by the clock."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from app.audit import Audit
from app.inside import Inside
from app.sessions import Sessions

if TYPE_CHECKING:
    from provisioning.engine import Engine
    from provisioning.sweep import Sweep

Job = Callable[[], Awaitable[None]]


class Clock:
    """Runs jobs again and again; one that is still running when its time comes again is left alone."""

    def __init__(self, engine: "Engine", sessions: Sessions, sweep: "Sweep", audit: Audit, inside: Inside) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._every(1, engine.dispatch)
        self._every(60, engine.resync)
        self._every(15, inside.sample)
        self._every(300, _only_if(engine, sweep.run))
        self._every(3600, sessions.forget_expired)
        self._every(3600, audit.log_head, at_once=True)  # else one that never runs for an hour would never note it

    def start(self) -> None:
        self._scheduler.start()

    async def stop(self) -> None:
        """Begin nothing more, and let what is running come to its end: the scheduler itself would cut it off."""
        self._scheduler.pause()
        if self._running:
            await asyncio.wait(self._running, timeout=5)
        self._scheduler.shutdown(wait=False)

    def _every(self, seconds: int, job: Job, *, at_once: bool = False) -> None:
        async def counted() -> None:
            if task := asyncio.current_task():
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            await job()

        more = {"next_run_time": datetime.now(UTC)} if at_once else {}
        self._scheduler.add_job(counted, "interval", seconds=seconds, name=job.__name__, **more)


def _only_if(engine: "Engine", job: Job) -> Job:
    """What one of several processes does for all."""

    async def led() -> None:
        if engine.acting:
            await job()

    led.__name__ = job.__name__
    return led
