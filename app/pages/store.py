"""A store's page: where it stands, what happened, what is inside, and what can be done with it.

It follows changes by itself: those of the store by `live`, those of its objects in the cluster and of what it uses by
`inside`, gathered, so that a busy cluster costs an open page two small messages a second at most.
"""

import asyncio
import logging
from dataclasses import replace
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from nicegui import html

from app.inside_views import PartsView, UsageView
from app.pages import store_facts
from app.pages.frame import Frame, page
from app.pages.live import Batch, Live
from app.pages.missing import render_missing
from app.problems import Problem
from app.services import Services
from app.store_views import EventView, StoreView
from app.texts import store as texts
from app.texts.amounts import MINUTES, MOMENT, count
from app.texts.failures import FAILURE
from components.about import About
from components.confirm_dialog import ConfirmDialog
from components.delete_dialog import DeleteDialog
from components.failure import Failure
from components.log_view import LogView
from components.parts import Parts
from components.rotate_dialog import RotateDialog
from components.sign_in_details import SignInDetails
from components.stepper import Step, Stepper, late_at, steps, with_usual
from components.store_header import StoreHeader
from components.timeline import Timeline
from components.update_notice import UpdateNotice
from components.usage_charts import UsageCharts
from provisioning.models import now
from provisioning.rotation import Part
from provisioning.states import State

log = logging.getLogger(__name__)

RUNNING = (State.REQUESTED, State.PROVISIONING, State.DELETING)
PAUSE = 0.5  # seconds between two looks inside


def register(services: Services, live: Live) -> None:
    @page(services, live, "/stores/{name}", texts.DOCUMENT_TITLE)
    async def store(frame: Frame) -> Response | None:
        name = frame.request.path_params["name"]
        inside = services.inside
        try:
            view = await services.stores.get(frame.reader, name)
            events = await services.stores.events(frame.reader, name)
            parts, usage = await inside.parts(frame.reader, name), await inside.usage(frame.reader, name)
        except Problem as problem:
            if problem.status != 404:
                raise
            return HTMLResponse(render_missing("store"), 404)
        usual = await services.usual.steps(view.template)
        StorePage(frame, view, events, dict(usual), parts, usage)
        return None


class StorePage:
    """The page while it is open in one browser."""

    def __init__(
        self,
        frame: Frame,
        store: StoreView,
        events: list[EventView],
        usual: dict[str, float],
        parts: PartsView,
        usage: UsageView,
    ) -> None:
        self._frame, self._store, self._events, self._usual = frame, store, events, usual
        self._stores, self._inside = frame.services.stores, frame.services.inside
        self._day = False
        self._asked_revision: int | None = None  # to which a rollback was offered
        self._stale = asyncio.Event()  # there may be something new inside
        frame.client.title = texts.DOCUMENT_TITLE.replace("{name}", store.name)
        self._place = html.div()
        with self._place:
            self._draw(parts, usage)
        frame.until_gone(frame.live.follow(self._on_batch))
        frame.until_gone(self._inside.follow(store.name, self._stale.set))
        frame.until_gone(frame.live.follow_cluster(lambda status: self._stale.set()))
        looking = asyncio.create_task(self._keep_looking(), name=f"page of {store.name}: inside")
        frame.until_gone(lambda: looking.cancel() and None)

    def _draw(self, parts: PartsView, usage: UsageView) -> None:
        store, t = self._store, texts.STORE
        facts = store_facts.facts(store, self._events)
        self._header = StoreHeader(facts, t, on_delete=self._ask_deletion, on_undo=self._undo)
        self._update = UpdateNotice(store_facts.update(store), texts.UPDATE, on_upgrade=self._ask_upgrade)
        self._stepper = Stepper(self._steps(), t, label=t["progress"])
        self._failure = Failure(self._reason(), FAILURE, on_retry=self._retry, on_rollback=self._ask_rollback)
        lines = [store_facts.line(event) for event in self._events[-store_facts.MOST_LINES :]]
        with html.div().classes("columns"):
            with html.section():
                html.h2(t["timeline"])
                self._timeline = Timeline(lines, t, running=self._is_running())
            with html.section():
                html.h2(texts.PARTS["title"])
                self._parts = Parts(store_facts.parts(parts), texts.PARTS, on_log=self._open_log)
                html.h2(t["about"])
                self._about = About(facts, t, on_rollback=self._ask_rollback)
                html.h2(texts.DETAILS["title"])
                self._details = SignInDetails(
                    texts.DETAILS, on_reveal=self._reveal, on_rotate=self._ask_rotation, rotatable=self._is_rotatable()
                )
        with html.section().classes("wide"):
            html.h2(texts.USE["title"])
            self._usage = UsageCharts(store_facts.usage(usage), texts.USE, on_range=self._show_range)
        with html.section().classes("wide"):
            html.h2(texts.LOGS["title"])
            self._logs = LogView(f"/api/v1/stores/{store.name}/logs", store_facts.sources(parts), texts.LOGS)
        self._dialog = DeleteDialog(store.name, texts.DELETE, on_confirm=self._delete)
        self._rotation = RotateDialog(store.name, texts.ROTATE, on_confirm=self._rotate)
        self._upgrade_dialog = ConfirmDialog("upgrade", texts.UPGRADE, on_confirm=self._upgrade)
        self._rollback_dialog = ConfirmDialog("rollback", texts.ROLLBACK, on_confirm=self._rollback)

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
        facts = store_facts.facts(store, self._events)
        self._header.show(facts)
        self._about.show(facts)
        self._update.show(store_facts.update(store))
        self._stepper.show(self._steps())
        self._failure.show(self._reason())
        self._timeline.add([store_facts.line(event) for event in added], running=self._is_running())
        self._details.show(rotatable=self._is_rotatable())
        if any(event.kind == "secrets.rotated" for event in added):
            self._details.forget()
        self._stale.set()

    async def _keep_looking(self) -> None:
        """Show what is inside whenever it may be different, until the browser has left or the store is gone."""
        await self._inside.sample()  # who opens a page need not wait for the clock
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                await self._look_inside()
            except Problem:  # gone, which `_on_batch` tells
                return
            except Exception:
                log.exception("a page could not show what is inside %s", self._store.name)
            await asyncio.sleep(PAUSE)

    async def _look_inside(self) -> None:
        reader, name = self._frame.reader, self._store.name
        parts = await self._inside.parts(reader, name)
        usage = await self._inside.usage(reader, name, day=self._day)
        if self._place.is_deleted or self._parts.is_deleted:
            return
        self._parts.show(store_facts.parts(parts))
        self._timeline.warn([each.model_dump(mode="json") for each in parts.warnings])
        self._logs.show(store_facts.sources(parts))
        self._usage.show(store_facts.usage(usage))

    def _show_range(self, chosen: str) -> None:
        self._day = chosen == "day"
        self._stale.set()

    def _open_log(self, chosen: dict[str, Any]) -> None:
        self._logs.open({key: chosen.get(key) for key in ("part", "pod", "container", "previous")})

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

    def _ask_rotation(self) -> None:
        self._rotation.open()

    async def _rotate(self, chosen: list[str]) -> None:
        parts = [part for part in Part if part.value in chosen]
        _, refused = await self._frame.attempt(lambda actor: self._stores.rotate(actor, self._store.name, parts))
        if refused:
            self._rotation.refuse(refused)
        else:
            self._rotation.accept()

    def _ask_upgrade(self) -> None:
        if words := store_facts.upgrade(self._store):
            self._upgrade_dialog.open(words)

    async def _upgrade(self) -> None:
        _, refused = await self._frame.attempt(lambda actor: self._stores.upgrade(actor, self._store.name))
        _answer(self._upgrade_dialog, refused)

    def _ask_rollback(self) -> None:
        if words := store_facts.rollback(self._store):
            self._asked_revision = self._store.rollback.revision if self._store.rollback else None
            self._rollback_dialog.open(words)

    async def _rollback(self) -> None:
        """To the revision that was told when it was asked, whatever is the one before by now."""
        revision = self._asked_revision
        _, refused = await self._frame.attempt(lambda actor: self._stores.rollback(actor, self._store.name, revision))
        _answer(self._rollback_dialog, refused)

    def _is_rotatable(self) -> bool:
        return self._store.state is State.READY and not self._stores.secrets_elsewhere

    def _ask_deletion(self) -> None:
        minutes = self._frame.services.settings.undo_minutes
        words = texts.DELETE_WITH_UNDO if minutes and not self._is_stopped() else texts.DELETE
        time = count(MINUTES, round(minutes)) if minutes >= 1 else MOMENT
        self._dialog.open({**words, "text": words["text"].replace("{time}", time)})

    async def _undo(self) -> None:
        _, refused = await self._frame.attempt(lambda actor: self._stores.undelete(actor, self._store.name))
        if refused:
            self._header.refuse()
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

    def _reason(self) -> dict[str, Any] | None:
        admin = self._frame.reader.admin
        return store_facts.failure(self._store, admin=admin, late_at=late_at(self._steps()))

    def _steps(self) -> list[Step]:
        state = self._store.state.value
        found = steps(state, store_facts.marks(self._events), store_facts.culprit(self._store))
        if self._is_stopped():  # nothing goes on: what comes next waits for its time
            found = [replace(step, state="next", since=None) if step.state == "now" else step for step in found]
        return with_usual(found, self._usual)

    def _is_running(self) -> bool:
        return self._store.state in RUNNING and not self._is_stopped()

    def _is_stopped(self) -> bool:
        """Deleted, and to be taken back as long as there is time."""
        at = self._store.destroy_at
        return at is not None and at > now()


def _answer(dialog: ConfirmDialog, refused: str | None) -> None:
    if refused:
        dialog.refuse(refused)
    else:
        dialog.accept()
