"""A store's timeline as Server-Sent Events.

The database is what counts: a change that somebody publishes in this process only wakes the stream, which then reads
what is new.  It also reads at each heartbeat, so that nothing published elsewhere is missed, and asks anew who is
listening, as it does when it hears that the person's sessions or rights may be others, so that a token or a session
that ended ends its streams as well.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator

from starlette.requests import Request

from app.actor import Actor
from app.problems import Problem
from app.services import Services
from app.sign_in import actor_of
from app.store_views import EventView, StoreView
from provisioning.changes import Change

HEARTBEAT = 15.0  # seconds: shorter than the patience of the proxies in between


async def follow(
    services: Services, request: Request, actor: Actor, store: StoreView, after: int
) -> AsyncGenerator[str, None]:
    """The stream's text: events with an id greater than `after`, then those that come, until the store is gone."""
    woken = asyncio.Event()

    def wake(change: Change) -> None:
        if change.store_id == store.id:
            woken.set()

    asked_anew = False

    def ask_anew(user_id: str) -> None:
        nonlocal asked_anew
        if user_id == actor.user_id:
            asked_anew = True
            woken.set()

    unsubscribe, unsubscribe_user = services.changes.subscribe(wake), services.user_changes.subscribe(ask_anew)
    try:
        yield "retry: 2000\n\n"
        while not services.stopping.is_set():
            woken.clear()
            if asked_anew:
                asked_anew = False
                if await actor_of(request) is None:
                    return
            try:
                if (await services.stores.get(actor, store.name)).id != store.id:
                    break  # another store has the name by now
                news = await services.stores.events(actor, store.name, after)
            except Problem:
                break
            for event in sorted(news, key=lambda event: event.id):
                after = event.id
                yield _message(event)
            if not await _either(woken, services.stopping, HEARTBEAT):
                if await actor_of(request) is None:
                    return
                yield ": still here\n\n"
        if not services.stopping.is_set():
            yield f"event: gone\ndata: {json.dumps({'name': store.name, 'message': 'The store was deleted.'})}\n\n"
    finally:
        unsubscribe()
        unsubscribe_user()


def _message(event: EventView) -> str:
    return f"id: {event.id}\ndata: {event.model_dump_json()}\n\n"


async def _either(first: asyncio.Event, second: asyncio.Event, seconds: float) -> bool:
    """Was one of them set within `seconds`?"""
    waits = [asyncio.create_task(first.wait()), asyncio.create_task(second.wait())]
    try:
        done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for wait in waits:
            wait.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*waits, return_exceptions=True)
