"""The administrators' page of people: who has an account, what they may do, their sessions, who is invited."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse

from app.actor import Actor
from app.pages.frame import Frame, page
from app.pages.live import Live
from app.pages.missing import render_missing
from app.problems import Problem
from app.services import Services
from app.texts import users as texts
from app.users import UserPage, UserView
from components.people import People

PAGE = 50  # people at a time


def register(services: Services, live: Live) -> None:
    @page(services, live, "/users", texts.DOCUMENT_TITLE)
    async def users(frame: Frame) -> Response | None:
        if not frame.reader.admin:
            return HTMLResponse(render_missing("page"), 404)
        await UsersPage(frame).build()
        return None


class UsersPage:
    """The page while it is open in one browser."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._services = frame, frame.services
        self._q = frame.request.query_params.get("q", "")[:100]
        self._refreshing: asyncio.Task[None] | None = None

    async def build(self) -> None:
        found, invitations = await self._read(self._frame.reader)
        self._people = People(
            found,
            invitations,
            texts.USERS,
            me=self._frame.reader.email,
            usual_limit=self._services.settings.stores_per_user,
            q=self._q,
            on_search=self._search,
            on_more=self._more,
            on_invite=self._invite,
            on_take_back=self._take_back,
            on_open=self._open,
            on_role=lambda email, admin: self._change(
                email, lambda actor: self._services.users.set_admin(actor, email, admin)
            ),
            on_limit=lambda email, stores: self._change(
                email, lambda actor: self._services.users.limit(actor, email, stores)
            ),
            on_disable=lambda email, disabled: self._change(
                email, lambda actor: self._services.users.set_disabled(actor, email, disabled)
            ),
            on_end=self._end,
            on_password_link=self._make_password_link,
        )
        self._frame.until_gone(self._services.user_changes.subscribe(self._on_change))

    async def _read(self, actor: Actor) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        found = await self._services.users.list(actor, q=self._q, limit=PAGE)
        invitations = await self._services.invitations.list(actor)
        return _shown(found), [each.model_dump(mode="json") for each in invitations]

    def _on_change(self, user_id: str) -> None:
        """Somebody was changed, perhaps by another administrator."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh(), name="page: users")

    async def _refresh(self) -> None:
        read, refused = await self._frame.attempt(self._read)
        if read and not self._people.is_deleted:
            self._people.show(*read)
        elif refused:
            self._frame.notice(refused)

    async def _search(self, q: str) -> None:
        self._q = q
        await self._refresh()

    async def _more(self, q: str, cursor: str) -> None:
        found, refused = await self._frame.attempt(
            lambda actor: self._services.users.list(actor, q=q, limit=PAGE, cursor=cursor)
        )
        if found and q == self._q:
            self._people.append(_shown(found))
        elif refused:
            self._frame.notice(refused)

    async def _invite(self, email: str, admin: bool) -> None:
        made, refused = await self._frame.attempt(
            lambda actor: self._services.invitations.create(actor, email, admin=admin, base=self._base())
        )
        if made is None:
            self._people.refuse(refused or "")
            return
        self._people.invited(made.email, made.link)
        await self._refresh()

    async def _make_password_link(self, email: str) -> None:
        made, refused = await self._frame.attempt(
            lambda actor: self._services.password_links.create(actor, email, base=self._base())
        )
        if made is None:
            self._people.refuse(refused or "")
        else:
            self._people.linked(made.email, made.link)

    def _base(self) -> str:
        """Our own address, for links."""
        url = self._frame.request.url
        return self._services.settings.url or f"{url.scheme}://{url.netloc}"

    async def _take_back(self, invitation_id: str) -> None:
        _, refused = await self._frame.attempt(lambda actor: self._services.invitations.revoke(actor, invitation_id))
        if refused:
            self._frame.notice(refused)
        await self._refresh()

    async def _open(self, email: str) -> None:
        sessions, refused = await self._frame.attempt(lambda actor: self._sessions(actor, email))
        if sessions is None:
            self._people.refuse(refused or "")
        else:
            self._people.opened(sessions)

    async def _end(self, email: str, session_id: str) -> None:
        async def end(actor: Actor) -> None:
            if session_id:
                await self._services.sessions.end(actor, session_id)
            else:
                await self._services.sessions.end_all(actor, await self._user(actor, email))

        if await self._change(email, end):
            await self._open(email)

    async def _change(self, email: str, act: Callable[[Actor], Awaitable[Any]]) -> bool:
        async def change(actor: Actor) -> UserView:
            await act(actor)
            return await self._services.users.get(actor, email)

        person, refused = await self._frame.attempt(change)
        if person is None:
            self._people.refuse(refused or "")
            return False
        self._people.changed(person.model_dump(mode="json"))
        return True

    async def _sessions(self, actor: Actor, email: str) -> list[dict[str, Any]]:
        found = await self._services.sessions.list(actor, await self._user(actor, email))
        return [each.model_dump(mode="json") for each in found]

    async def _user(self, actor: Actor, email: str) -> Any:
        await self._services.users.get(actor, email)  # asks whether the actor may know
        user = await self._services.users.by_email(email)
        if user is None:
            raise Problem(404, "There is no account with this e-mail address.")
        return user


def _shown(found: UserPage) -> dict[str, Any]:
    return found.model_dump(mode="json")
