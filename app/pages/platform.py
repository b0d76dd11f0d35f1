"""The administrators' page: what runs now, what the cluster has left, the figures over a time, and what has lost its
store.

What runs now follows changes by itself, and the figures after it, a moment later and also when time alone makes others
of them; orphans are looked for on a visit, after every removal and when asked, since a look goes through the whole
cluster.
"""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from nicegui import html

from app.actor import Actor
from app.pages.frame import Frame, page
from app.pages.live import Batch, Live
from app.pages.missing import render_missing
from app.pages.stores import due
from app.platform import Now, Orphans
from app.services import Services
from app.statistics import KEPT, Figures, Span
from app.store_views import StoreView
from app.texts import platform as texts
from components.at_work import AtWork
from components.chart import Chart, Plot, Series
from components.figures import Figures as FiguresElement
from components.orphan_list import OrphanList
from provisioning.plans import PLANS

TIME_GOES_BY = 60.0  # seconds after which the figures are others though nothing happened


def register(services: Services, live: Live) -> None:
    @page(services, live, "/platform", texts.DOCUMENT_TITLE)
    async def platform(frame: Frame) -> Response | None:
        if not frame.reader.admin:
            return HTMLResponse(render_missing("page"), 404)
        span, trouble = _span(frame.request.query_params.get("range", ""))
        figures = await services.statistics.over(frame.reader, span)
        PlatformPage(frame, await services.platform.now(frame.reader), figures, trouble)
        return None


class PlatformPage:
    """The page while it is open in one browser."""

    def __init__(self, frame: Frame, now: Now, figures: Figures, trouble: str) -> None:
        self._frame, self._platform = frame, frame.services.platform
        self._span, self._changed = figures.span, asyncio.Event()
        with html.div().classes("platform"):
            html.h1(texts.PLATFORM["title"])
            self._at_work = AtWork(_facts(now), texts.PLATFORM)
            shown = figures.model_dump(mode="json", exclude={"steps", "until"})
            self._figures = FiguresElement(shown, list(Span), texts.STATISTICS, self._choose, trouble)
            with self._figures:
                self._outcomes = Chart(texts.CHARTS["outcomes"], outcomes(figures), texts.CHARTS)
                self._times = Chart(texts.CHARTS["times"], times(figures), texts.CHARTS)
            self._orphans = OrphanList(texts.ORPHANS, on_look=self._look, on_clean=self._clean)
        frame.until_gone(frame.live.follow(self._on_batch))
        looking = asyncio.create_task(self._look(), name="page: look for orphans")
        frame.until_gone(looking.cancel)
        counting = asyncio.create_task(self._keep_counting(), name="page: figures")
        frame.until_gone(counting.cancel)

    async def _on_batch(self, batch: Batch) -> None:
        if not self._at_work.is_deleted:
            self._changed.set()
            self._at_work.show(_facts(await self._platform.now(self._frame.reader)))

    async def _choose(self, span: str) -> None:
        self._span = Span(span)
        await self._count()

    async def _keep_counting(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), TIME_GOES_BY)
            await asyncio.sleep(KEPT)  # until then the last answer would be given again, at least
            self._changed.clear()
            asked = datetime.now(UTC)
            counted = await self._count()
            if counted and counted < asked:  # an answer of before, given again
                self._changed.set()

    async def _count(self) -> datetime | None:
        """Show the figures; the answer is the time of which they are, None where there are none to show."""
        span = self._span
        figures, refused = await self._frame.attempt(lambda actor: self._frame.services.statistics.over(actor, span))
        if refused:
            self._frame.notice(refused)
        if figures is None or span is not self._span or self._figures.is_deleted:
            return None
        self._figures.show(figures.model_dump(mode="json", exclude={"steps", "until"}))
        self._outcomes.show(outcomes(figures))
        self._times.show(times(figures))
        return figures.until

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


def _span(asked: str) -> tuple[Span, str]:
    """What the address asks for, and a sentence where there is no such thing."""
    if not asked or asked in list(Span):
        return Span(asked or Span.DAY), ""
    return Span.DAY, texts.STATISTICS["no_such_span"].replace("{span}", asked[:40])


def outcomes(figures: Figures) -> Plot:
    """What became of stores."""
    series = [
        Series(texts.CHARTS["ready"], [step.ready for step in figures.steps], "brand", "bars"),
        Series(texts.CHARTS["failed"], [step.failed for step in figures.steps], "bad-solid", "bars"),
        Series(texts.CHARTS["requested"], [step.requested for step in figures.steps], "busy", "line"),
        Series(texts.CHARTS["deleted"], [step.deleted for step in figures.steps], "ink-3", "dashes"),
    ]
    return Plot([step.at.isoformat() for step in figures.steps], figures.step_seconds, series, "count")


def times(figures: Figures) -> Plot:
    """How long stores took."""
    series = [
        Series(texts.CHARTS["p50"], [step.p50 for step in figures.steps], "brand"),
        Series(texts.CHARTS["p95"], [step.p95 for step in figures.steps], "warn-dot", "dashes"),
    ]
    return Plot([step.at.isoformat() for step in figures.steps], figures.step_seconds, series, "seconds")


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
