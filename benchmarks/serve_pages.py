"""`storefleet serve` that also tells how many pages it holds open, at /benchmark/pages.  Else it is the real thing."""

import sys

from fastapi.responses import PlainTextResponse, Response
from nicegui import Client, core
from nicegui import app as nicegui_app

from app.cli import main


async def count() -> Response:
    return PlainTextResponse(str(len(Client.instances)))


if __name__ == "__main__":
    nicegui_app.on_startup(lambda: core.app.add_api_route("/benchmark/pages", count))
    sys.exit(main())
