"""A store's page: where it stands, what happened, and what can be done with it.  It follows changes by itself."""

from dataclasses import replace
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from nicegui import html

from app import texts
from app.pages.frame import Frame, page
from app.pages.live import Batch, Live
from app.pages.missing import render_missing
from app.pages.stores import due
from app.problems import Problem
from app.services import Services
from app.stores import EventView, StoreView
from components.about import About
from components.delete_dialog import DeleteDialog
from components.failure import Failure
from components.sign_in_details import SignInDetails
from components.stepper import Mark, Step, Stepper, steps, total
from components.store_header import StoreHeader
from components.timeline import Timeline
from provisioning.health import Health
from provisioning.models import now
from provisioning.plans import PLANS
from provisioning.states import State
from provisioning.templates import TEMPLATES

RUNNING = (State.REQUESTED, State.PROVISIONING, State.DELETING)


def register(services: Services, live: Live) -> None:
    @page(services, live, "/stores/{name}", texts.DOCUMENT_TITLES["store"])
    async def store(frame: Frame) -> Response | None:
        name = frame.request.path_params["name"]
        try:
            view = await services.stores.get(frame.reader, name)
            events = await services.stores.events(frame.reader, name)
        except Problem as problem:
            if problem.status != 404:
                raise
            return HTMLResponse(render_missing("store"), 404)
        StorePage(frame, view, events)
        return None


class StorePage:
    """The page while it is open in one browser."""

    def __init__(self, frame: Frame, store: StoreView, events: list[EventView]) -> None:
        self._frame, self._store, self._events = frame, store, events
        self._stores = frame.services.stores
        frame.client.title = texts.DOCUMENT_TITLES["store"].replace("{name}", store.name)
        self._place = html.div()
        with self._place:
            self._draw()
        frame.until_gone(frame.live.follow(self._on_batch))

    def _draw(self) -> None:
        store, t = self._store, texts.STORE
        facts = _facts(store, self._events)
        self._header = StoreHeader(facts, t, on_delete=self._ask_deletion, on_undo=self._undo)
        self._stepper = Stepper(self._steps(), t, label=t["progress"])
        self._failure = Failure(_reason(store), texts.FAILURE, on_retry=self._retry)
        with html.div().classes("columns"):
            with html.section():
                html.h2(t["timeline"])
                self._timeline = Timeline([_line(event) for event in self._events], t, running=self._is_running())
            with html.section():
                html.h2(t["about"])
                self._about = About(facts, t)
                html.h2(texts.DETAILS["title"])
                self._details = SignInDetails(texts.DETAILS, on_reveal=self._reveal)
        self._dialog = DeleteDialog(store.name, texts.DELETE, on_confirm=self._delete)

    async def _on_batch(self, batch: Batch) -> None:
        if self._store.name not in batch.names or self._place.is_deleted:
            return
        store = await batch.store(self._frame.reader, self._store.name)
        if store is None or store.id != self._store.id:  # gone, or another one that took the name
            self._say_gone()
            return
        newest = max((event.id for event in self._events), default=0)
        try:
            added = await self._stores.events(self._frame.reader, store.name, after=newest)
        except Problem:  # it went between the two looks
            self._say_gone()
            return
        self._store = store
        self._events = sorted([*self._events, *added], key=lambda event: (event.at, event.id))
        facts = _facts(store, self._events)
        self._header.show(facts)
        self._about.show(facts)
        self._stepper.show(self._steps())
        self._failure.show(_reason(store))
        self._timeline.add([_line(event) for event in added], running=self._is_running())

    def _say_gone(self) -> None:
        self._place.clear()
        with self._place, html.div().classes("card empty").props('role="status"'):
            html.h1(texts.GONE["title"].replace("{name}", self._store.name))
            html.p(texts.GONE["text"])
            html.a(texts.GONE["back"], href="/").classes("btn primary")

    async def _retry(self) -> None:
        _, refused = await self._frame.attempt(lambda actor: self._stores.retry(actor, self._store.name))
        if refused:
            self._failure.refuse(refused)

    async def _reveal(self) -> None:
        details, refused = await self._frame.attempt(lambda actor: self._stores.credentials(actor, self._store.name))
        if details:
            self._details.reveal(details.email, details.password)
        elif refused:
            self._details.refuse(refused)

    def _ask_deletion(self) -> None:
        minutes = self._frame.services.settings.undo_minutes
        words = texts.DELETE_WITH_UNDO if minutes and not self._is_stopped() else texts.DELETE
        time = texts.count(texts.MINUTES, round(minutes)) if minutes >= 1 else texts.MOMENT
        self._dialog.open({**words, "text": words["text"].replace("{time}", time)})

    async def _undo(self) -> None:
        _, refused = await self._frame.attempt(lambda actor: self._stores.undelete(actor, self._store.name))
        if refused:
            self._frame.notice(refused)

    async def _delete(self) -> None:
        at_once = self._is_stopped()
        _, refused = await self._frame.attempt(
            lambda actor: self._stores.delete(actor, self._store.name, at_once=at_once)
        )
        if refused:
            self._dialog.refuse(refused)
        else:
            self._dialog.close()

    def _steps(self) -> list[Step]:
        found = steps(self._store.state.value, _marks(self._events), _culprit(self._store))
        if self._is_stopped():  # nothing goes on: what comes next waits for its time
            found = [replace(step, state="next", since=None) if step.state == "now" else step for step in found]
        return found

    def _is_running(self) -> bool:
        return self._store.state in RUNNING and not self._is_stopped()

    def _is_stopped(self) -> bool:
        """Deleted, and to be taken back as long as there is time."""
        at = self._store.destroy_at
        return at is not None and at > now()


def _facts(store: StoreView, events: list[EventView]) -> dict[str, Any]:
    template = TEMPLATES[store.template].title if store.template in TEMPLATES else store.template
    note = ""
    if store.state is State.REQUESTED and store.queue_position:
        note = texts.STORES["queue"].replace("{n}", str(store.queue_position))
    return {
        "name": store.name,
        "state": store.state.value,
        "url": store.url,
        "admin_url": f"{store.url}/app",
        "owner": store.owner,
        "version": f"{template} {store.version}",
        "plan": PLANS[store.plan].title if store.plan in PLANS else store.plan,
        "created_at": store.created_at.isoformat(),
        "note": note,
        "degraded": store.health is Health.DEGRADED,
        "destroy_at": store.destroy_at.isoformat() if store.destroy_at else None,
        "due": due(store),
        "took": total(_marks(events)),
    }


def _marks(events: list[EventView]) -> list[Mark]:
    return [Mark(event.kind, event.at) for event in events]


def _culprit(store: StoreView) -> str:
    """The step that the reason of a failure speaks of: "Medusa pod failed to start" is about Medusa."""
    message = store.reason.message if store.reason else ""
    return next((key for key, title in texts.STORE["steps"].items() if message.startswith(title)), "")


def _reason(store: StoreView) -> dict[str, Any] | None:
    """What is the matter with the store, and whether it goes on by itself."""
    return {**store.reason.model_dump(), "passing": store.state is not State.FAILED} if store.reason else None


def _line(event: EventView) -> dict[str, Any]:
    return event.model_dump(mode="json")
