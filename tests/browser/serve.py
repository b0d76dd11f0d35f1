"""`storefleet serve` with people in it, whose sandbox breaks and mends on request: after SIGUSR1 no image can be pulled
any more, after SIGRTMIN two stores meet a cluster that speaks in markup, after SIGUSR2 all is well again.  SIGRTMIN + 1
and + 2 let it have the chart of a newer platform, and its own again.  Passwords are hashed quickly.  Everything else is
the real thing."""

import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from nicegui import app as nicegui_app

from app import passwords
from app.actor import COMMAND_LINE
from app.cli import main
from provisioning import templates
from provisioning.sandbox import ImageFault, UnschedulableFault
from tests.browser.dashboard import MARKUP, NEWER, PASSWORD, PEOPLE, READY
from tests.charts_of_another_time import charts

CHARTS = templates.CHARTS


async def add_people() -> None:
    users = nicegui_app.state.services.users
    for email in PEOPLE:
        if not await users.by_email(email):
            await users.create(COMMAND_LINE, email, PASSWORD)
    print(READY, flush=True)


def speak_markup() -> None:
    faults = nicegui_app.state.services.sandbox.faults
    faults.add(ImageFault("*", namespace="store-markup", message=MARKUP))
    faults.add(UnschedulableFault(namespace="store-markup-waits", message=MARKUP))


def use_charts(folder: Path) -> None:
    """As a platform does that starts with another chart: all stores are looked at."""
    templates.CHARTS = folder
    looking.append(asyncio.ensure_future(nicegui_app.state.services.engine.lead()))


looking: list[asyncio.Future[None]] = []


def take_requests() -> None:
    newer = charts(Path(tempfile.mkdtemp(dir=".")).resolve(), NEWER, "new")
    loop, services = asyncio.get_running_loop(), nicegui_app.state.services
    loop.add_signal_handler(signal.SIGUSR1, lambda: services.sandbox.faults.add(ImageFault("*")))
    loop.add_signal_handler(signal.SIGRTMIN, speak_markup)
    loop.add_signal_handler(signal.SIGRTMIN + 1, lambda: use_charts(newer))
    loop.add_signal_handler(signal.SIGRTMIN + 2, lambda: use_charts(CHARTS))
    loop.add_signal_handler(signal.SIGUSR2, lambda: services.sandbox.faults.clear())


if __name__ == "__main__":
    quick = passwords._argon2().using(rounds=1, memory_cost=8, parallelism=1)
    passwords._argon2 = lambda: quick
    nicegui_app.on_startup(add_people)
    nicegui_app.on_startup(take_requests)
    sys.exit(main())
