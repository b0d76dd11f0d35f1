"""Everybody's page of their own account."""

from datetime import timedelta
from typing import Any

from fastapi import Response

from app.actor import Actor, Scope
from app.pages.frame import Frame, page
from app.pages.live import Live
from app.problems import Problem
from app.services import Services
from app.sign_in import known_browser
from app.texts import account as texts
from app.tokens import NewToken
from components.account import AccountSettings
from provisioning.models import now


def register(services: Services, live: Live) -> None:
    @page(services, live, "/account", texts.DOCUMENT_TITLE)
    async def account(frame: Frame) -> Response | None:
        await AccountPage(frame).build()
        return None


class AccountPage:
    """The page while it is open in one browser."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._services = frame, frame.services

    async def build(self) -> None:
        services, reader = self._services, self._frame.reader
        refused = self._frame.request.query_params.get("connected") == "no"
        facts = {
            **await self._read(reader),
            "scopes": [each.value for each in Scope if reader.admin or each is not Scope.ADMIN],
            "provider": services.settings.oidc_name if services.provider else "",
            "trouble": texts.ACCOUNT["connected_no"] if refused else "",
        }
        self._account = AccountSettings(
            facts,
            texts.ACCOUNT,
            on_password=self._change_password,
            on_end=self._end,
            on_end_others=self._end_others,
            on_make=self._make,
            on_revoke=self._revoke,
            on_disconnect=self._disconnect,
        )

    async def _read(self, actor: Actor) -> dict[str, Any]:
        password, identity = await self._services.identities.ways_in(actor)
        sessions = await self._services.sessions.list(actor)
        tokens = await self._services.tokens.list(actor)
        return {
            "sessions": [each.model_dump(mode="json") for each in sessions],
            "tokens": [each.model_dump(mode="json") for each in tokens],
            "password": password,
            "identity": identity,
        }

    async def _refresh(self) -> None:
        facts, refused = await self._frame.attempt(self._read)
        if facts:
            self._account.show(**facts)
        elif refused:
            self._frame.notice(refused)

    async def _change_password(self, old: str, new: str) -> None:
        browser = known_browser(self._services, self._frame.request, self._frame.reader.email)
        _, refused = await self._frame.attempt(
            lambda actor: self._services.users.change_password(actor, old, new, browser=browser)
        )
        if refused:
            self._account.refuse("password", refused)
            return
        self._account.password_changed()
        await self._refresh()

    async def _end(self, session_id: str) -> None:
        _, refused = await self._frame.attempt(lambda actor: self._services.sessions.end(actor, session_id))
        if refused:
            self._frame.notice(refused)
        await self._refresh()

    async def _end_others(self) -> None:
        _, refused = await self._frame.attempt(lambda actor: self._services.sessions.end_all(actor, but_this=True))
        if refused:
            self._frame.notice(refused)
        await self._refresh()

    async def _make(self, name: str, scope: str, days: int | None) -> None:
        async def make(actor: Actor) -> NewToken:
            user = await self._services.users.by_email(actor.email)
            if user is None or scope not in list(Scope):
                raise Problem(422, "There is no such scope.")
            expires_at = now() + timedelta(days=days) if days else None
            return await self._services.tokens.create(actor, user, name, expires_at, Scope(scope))

        made, refused = await self._frame.attempt(make)
        if made is None:
            self._account.refuse("token", refused or "")
            return
        self._account.made(made.name, made.token)
        await self._refresh()

    async def _revoke(self, token_id: str) -> None:
        _, refused = await self._frame.attempt(lambda actor: self._services.tokens.revoke(actor, token_id))
        if refused:
            self._frame.notice(refused)
        await self._refresh()

    async def _disconnect(self) -> None:
        _, refused = await self._frame.attempt(self._services.identities.disconnect)
        if refused:
            self._frame.notice(refused)
        await self._refresh()
