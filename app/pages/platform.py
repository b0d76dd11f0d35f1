"""The administrators' page: what runs now, what the cluster has left, and what has lost its store.

What runs now follows changes by itself; orphans are looked for on a visit, after every removal and when asked, since a
look goes through the whole cluster.
"""

import asyncio
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from nicegui import html

from app import texts
from app.actor import Actor
from app.pages.frame import Frame, page
from app.pages.live import Batch, Live
from app.pages.missing import render_missing
from app.pages.stores import due
from app.platform import Now, Orphans
from app.services import Services
from app.stores import StoreView
from components.at_work import AtWork
from components.orphan_list import OrphanList
from provisioning.plans import PLANS


def register(services: Services, live: Live) -> None:
    @page(services, live, "/platform", texts.DOCUMENT_TITLES["platform"])
    async def platform(frame: Frame) -> Response | None:
        if not frame.reader.admin:
            return HTMLResponse(render_missing("page"), 404)
        PlatformPage(frame, await services.platform.now(frame.reader))
        return None


class PlatformPage:
    """The page while it is open in one browser."""

    def __init__(self, frame: Frame, now: Now) -> None:
        self._frame, self._platform = frame, frame.services.platform
        with html.div().classes("platform"):
            html.h1(texts.PLATFORM["title"])
            self._at_work = AtWork(_facts(now), texts.PLATFORM)
            self._orphans = OrphanList(texts.ORPHANS, on_look=self._look, on_clean=self._clean)
        frame.until_gone(frame.live.follow(self._on_batch))
        looking = asyncio.create_task(self._look(), name="page: look for orphans")
        frame.until_gone(looking.cancel)

    async def _on_batch(self, batch: Batch) -> None:
        if not self._at_work.is_deleted:
            self._at_work.show(_facts(await self._platform.now(self._frame.reader)))

    async def _look(self) -> None:
        found, refused = await self._frame.attempt(self._platform.orphans)
        self._orphans.show(_found(found) if found else None, refused or "")

    async def _clean(self, orphan_id: str) -> None:
        async def clean(actor: Actor) -> Orphans:
            await self._platform.clean(actor, orphan_id)
            return await self._platform.orphans(actor)

        found, refused = await self._frame.attempt(clean)
        if found:
            self._orphans.show(_found(found))
        else:
            self._orphans.refuse(refused or "")


def _facts(now: Now) -> dict[str, Any]:
    """What runs now, as the page shows it."""
    capacity = now.capacity
    plans = {plan: PLANS[plan].title for plan in capacity.more_stores} if capacity else {}
    return {
        "at_once": now.at_once,
        "in_flight": now.in_flight,
        "working": len(now.working),
        "on_the_way": len(now.working) + len(now.queue),
        "deletions": len(now.deleting),
        "trusted": now.cluster == "connected",
        "detail": now.detail,
        "view_age": now.view_age_seconds,
        "leader": now.leader.model_dump(mode="json") if now.leader else None,
        "rows": [_row(store) for store in (*now.working, *now.deleting, *now.queue)],
        "capacity": capacity.model_dump() if capacity else None,
        "plans": plans,
    }


def _row(store: StoreView) -> dict[str, Any]:
    place = store.queue_position
    return {"name": store.name, "state": store.state.value, "owner": store.owner, "place": place, "due": due(store)}


def _found(orphans: Orphans) -> dict[str, Any]:
    return orphans.model_dump(mode="json")
