"""What happens by the clock."""

from datetime import UTC
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from app.sessions import Sessions

if TYPE_CHECKING:
    from provisioning.engine import Engine


def schedule(engine: "Engine", sessions: Sessions) -> AsyncIOScheduler:
    """Started; a job that is still running when its time comes again is left alone."""
    scheduler = AsyncIOScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    scheduler.add_job(engine.dispatch, "interval", seconds=1)
    scheduler.add_job(engine.resync, "interval", seconds=60)
    scheduler.add_job(sessions.forget_expired, "interval", hours=1)
    scheduler.start()
    return scheduler
