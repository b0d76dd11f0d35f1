"""Everything that `main.build` wires, in the test's own process: pages, forms, API, guard, asked without a network."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from nicegui import Client, core, ui
from nicegui import app as nicegui_app
from nicegui.element import Element
from nicegui.testing.general import nicegui_reset_globals

from app import main
from app.services import Services
from app.sign_in import cookie_name
from components import theme

PATIENCE = 30  # seconds
NICEGUI_OWN = {"sub_pages_open", "sub_pages_navigate"}
"""Events of NiceGUI's own on every page: a page within a page is opened, and we have none."""


@asynccontextmanager
async def whole(parts: Services) -> AsyncIterator[None]:
    """Serve `parts` by NiceGUI's application; afterwards it is as it was."""
    handlers = dict(core.sio.handlers["/"])
    with nicegui_reset_globals(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("NICEGUI_USER_SIMULATION", "true")
        patch.setattr(main, "compose", lambda settings: parts)
        patch.setattr(nicegui_app, "build_middleware_stack", nicegui_app.build_middleware_stack)
        main.build(parts.settings)
        ui.run(**theme.RUN_OPTIONS)
        async with nicegui_app.router.lifespan_context(nicegui_app):
            yield
        Client.page_routes.clear()  # or the pages' modules are taken from other tests as well
    core.sio.handlers["/"] = handlers


def browser(parts: Services, cookie: str | None = None, **headers: str) -> httpx.AsyncClient:
    """A browser with this session's cookie, or a program with these headers."""
    cookies = {cookie_name(parts.settings.secure): cookie} if cookie is not None else {}
    transport = httpx.ASGITransport(nicegui_app)
    return httpx.AsyncClient(transport=transport, base_url="http://test", cookies=cookies, headers=headers)


@dataclass(frozen=True)
class Handler:
    """What a page does when its component tells of an event."""

    client: Client
    element: Element
    listener: str
    component: str  # its class
    event: str

    async def fire(self, args: Any) -> str:
        """Let it happen, with what a browser would send along; all that the page is told then, as JSON."""
        outbox, before = self.client.outbox, asyncio.all_tasks()
        outbox.messages.clear()
        outbox.updates.clear()
        message = {"id": self.element.id, "listener_id": self.listener, "args": [json.dumps(args)]}
        self.client.handle_event(message)
        while begun := asyncio.all_tasks() - before:
            done, _ = await asyncio.wait(begun, timeout=PATIENCE)
            assert done, f"{self.component}.{self.event} comes to no end"
        updates = [each._to_dict() for each in outbox.updates.values() if isinstance(each, Element)]
        return json.dumps([[kind, data] for _, kind, data in outbox.messages] + updates, default=str)


async def open_page(asking: httpx.AsyncClient, path: str) -> tuple[httpx.Response, list[Handler]]:
    """The page's answer, and what can happen on it (nothing where the answer is no live page)."""
    known = set(Client.instances)
    answer = await asking.get(path)
    if "x-nicegui-content" not in answer.headers:
        return answer, []
    [new] = set(Client.instances) - known
    client = Client.instances[new]
    handlers = [
        Handler(client, element, listener.id, type(element).__name__, listener.type)
        for element in client.elements.values()
        for listener in element._event_listeners.values()
        if listener.handler is not None and listener.type not in NICEGUI_OWN
    ]
    return answer, handlers
