"""`storefleet serve` with people in it, whose sandbox breaks and mends on request: after SIGUSR1 no image can be pulled
any more, after SIGRTMIN two stores meet a cluster that speaks in markup, after SIGUSR2 all is well again.  Passwords
are hashed quickly.  Everything else is the real thing."""

import asyncio
import signal
import sys

from nicegui import app as nicegui_app

from app import passwords
from app.actor import COMMAND_LINE
from app.cli import main
from provisioning.sandbox import ImageFault, UnschedulableFault
from tests.browser.dashboard import MARKUP, PASSWORD, PEOPLE, READY


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


def take_requests() -> None:
    loop, services = asyncio.get_running_loop(), nicegui_app.state.services
    loop.add_signal_handler(signal.SIGUSR1, lambda: services.sandbox.faults.add(ImageFault("*")))
    loop.add_signal_handler(signal.SIGRTMIN, speak_markup)
    loop.add_signal_handler(signal.SIGUSR2, lambda: services.sandbox.faults.clear())


if __name__ == "__main__":
    quick = passwords._argon2().using(rounds=1, memory_cost=8, parallelism=1)
    passwords._argon2 = lambda: quick
    nicegui_app.on_startup(add_people)
    nicegui_app.on_startup(take_requests)
    sys.exit(main())
