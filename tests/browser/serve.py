"""`storefleet serve`, whose sandbox breaks and mends on request: SIGUSR1, no image can be pulled any more; SIGUSR2, all
is well again.  Everything else is the real thing."""

import asyncio
import signal
import sys

from nicegui import app as nicegui_app

from app.cli import main
from provisioning.sandbox import ImageFault


def take_requests() -> None:
    loop, services = asyncio.get_running_loop(), nicegui_app.state.services
    loop.add_signal_handler(signal.SIGUSR1, lambda: services.sandbox.faults.add(ImageFault("*")))
    loop.add_signal_handler(signal.SIGUSR2, lambda: services.sandbox.faults.clear())


if __name__ == "__main__":
    nicegui_app.on_startup(take_requests)
    sys.exit(main())
