"""What every live page has in common: somebody signed in, our shell around it, and our own words when it breaks."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from nicegui import Client, ui

from app.actor import Actor
from app.pages.live import Live
from app.pages.missing import failure_id, render_missing
from app.pages.notifications import notify
from app.problems import Problem
from app.services import Services
from app.sign_in import actor_of, sign_in_address
from app.status import ClusterStatus
from app.texts import frame as texts
from app.texts.amounts import count
from components import theme

Answer = TypeVar("Answer")

ACCOUNT = "/account"
NAVIGATION = (  # (text and icon, path, and what is below it; for administrators only?)
    ("stores", "/", "/stores/", False),
    ("activity", "/activity", "/activity/", True),
    ("platform", "/platform", "/platform/", True),
    ("users", "/users", "/users/", True),
    ("settings", "/settings", "/settings/", True),
)


class Frame:
    """A page being served to one browser."""

    def __init__(self, services: Services, live: Live, request: Request, actor: Actor, client: Client) -> None:
        self.services, self.live, self.request, self.client = services, live, request, client
        self.reader = actor  # who opened the page
        self._ends: list[Callable[[], None]] = []
        client.on_delete(self._end)
        self.until_gone(live.open_pages.add(self))

    async def attempt(self, act: Callable[[Actor], Awaitable[Answer]]) -> tuple[Answer | None, str | None]:
        """Let whoever is signed in now do `act`: (its answer, None), or (None, a sentence that says why not).

        Asked for every act, because a page outlives the session that opened it; who is signed out is led to the form.
        """
        try:
            actor = await actor_of(self.request)
            if actor is None:
                self.close()
                return None, texts.SIGNED_OUT
            return await act(actor), None
        except Problem as problem:
            return None, problem.detail
        except Exception as error:
            return None, texts.BROKEN.replace("{id}", failure_id(error))

    def notice(self, sentence: str) -> None:
        """A short notice of something that did not work."""
        self.client.run_javascript(f"Storefleet.toast({json.dumps(sentence)}, true)")

    def until_gone(self, end: Callable[[], None]) -> None:
        """Call `end` when the browser has left the page for good, or its reader may not see it any more."""
        self._ends.append(end)

    def close(self) -> None:
        """Take the page away from its reader: nothing is shown on it any more, and nothing can be done by it."""
        self._end()
        if not self.client.is_deleted:
            self.client.run_javascript("location.reload()")  # leads to sign-in and back here
            self.client.remove_all_elements()  # should the browser not obey

    def _end(self) -> None:
        while self._ends:
            self._ends.pop()()


Build = Callable[[Frame], Awaitable[Response | None]]


def page(services: Services, live: Live, path: str, title: str) -> Callable[[Build], Build]:
    """Serve the decorated function as a live page at `path`; it may answer with a Response instead."""

    def register(build: Build) -> Build:
        live.paths.add(path)

        @ui.page(path, title=title, response_timeout=20.0)
        async def view(request: Request, client: Client) -> Response | None:
            try:
                actor = await actor_of(request)
                if actor is None or actor.via != "session":  # whose end its pages would not see
                    client.delete()  # or NiceGUI keeps it for a minute, for whoever asks
                    return RedirectResponse(sign_in_address(request), 303)
                frame = Frame(services, live, request, actor, client)
                answer = await build(frame)
                if answer is None:
                    _surround(frame)
                return answer
            except Exception as error:
                return HTMLResponse(render_missing("broken", quote=failure_id(error)), 500)

        return build

    return register


def _surround(frame: Frame) -> None:
    client = frame.client
    client.content.props("id=content tabindex=-1").classes("page")
    ui.add_head_html(theme.head())
    ui.add_body_html(
        theme.shell(
            texts=texts.SHELL,
            navigation=_navigation(frame),
            email=frame.reader.email,
            account=ACCOUNT if ACCOUNT in frame.live.paths else "",
            cluster=cluster_line(frame.services.status()),
        )
    )

    def show(status: ClusterStatus) -> None:
        client.run_javascript(f"Storefleet.cluster({json.dumps(asdict(cluster_line(status)))})")

    frame.until_gone(frame.live.follow_cluster(show))
    notify(frame)


def _navigation(frame: Frame) -> list[theme.NavItem]:
    """The entries whose pages are served, and meant for who reads."""
    here = frame.request.url.path
    return [
        theme.NavItem(texts.SHELL[key], path, key, current=here == path or here.startswith(below))
        for key, path, below, admins in NAVIGATION
        if path in frame.live.paths and (frame.reader.admin or not admins)
    ]


def cluster_line(status: ClusterStatus) -> theme.Cluster:
    t: dict[str, Any] = texts.CLUSTER
    if status.cluster == "connected":
        version = (status.version or "").lstrip("v").partition("+")[0]
        parts = [t["sandbox_line"] if status.sandbox else "", f"Kubernetes {version}" if version else ""]
        if status.node_count is not None:
            parts.append(count(t["nodes"], status.node_count))
        line, notice = " · ".join(part for part in parts if part) or t["connected"], ""
    elif status.cluster == "connecting":
        line, notice = t["connecting"], ""
    elif status.cluster == "another":
        line, notice = t["is_another"], t["another"]
    else:
        line, notice = t["is_away"], t["away"]
    return theme.Cluster(status.cluster, line, notice, t["sandbox"] if status.sandbox else "")
