"""The pages of a session that has ended, in this process and in another one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from app import api, services
from app.actor import COMMAND_LINE, Actor
from app.api.stream import follow
from app.migrations import migrate
from app.pages import open_pages
from app.pages.open_pages import OpenPages
from app.services import Services
from app.settings import Settings
from provisioning.database import Database
from provisioning.notices import Listener
from provisioning.secrets import new_key
from tests.integration.conftest import add_user, token_of
from tests.integration.test_notices import listening
from tests.integration.test_people import session_of

NEVER = 3600.0


@dataclass(eq=False)
class Page:
    """One that is open."""

    reader: Actor
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
async def pages(parts: Services) -> AsyncIterator[OpenPages]:
    pages = OpenPages(parts)
    yield pages
    await pages.stop()


async def opened(parts: Services, pages: OpenPages, who: Actor) -> Any:
    page: Any = Page((await session_of(parts, who))[1])
    pages.add(page)
    return page


async def closes(page: Any) -> None:
    async with asyncio.timeout(20):
        await page.closed.wait()


async def test_pages_end_with_their_session_and_no_others(
    parts: Services, pages: OpenPages, anna: Actor, boris: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_pages, "LOOK_EVERY", NEVER)
    first, second, of_boris = [await opened(parts, pages, who) for who in (anna, anna, boris)]
    await parts.sessions.end(COMMAND_LINE, first.reader.session_id)
    await closes(first)
    assert not second.closed.is_set()
    await parts.users.set_admin(COMMAND_LINE, anna.email, True)
    await closes(second)  # it was built for somebody who may do less
    await parts.users.set_disabled(COMMAND_LINE, boris.email, True)
    await closes(of_boris)


async def test_what_nobody_tells_of_is_seen_all_the_same(
    parts: Services, pages: OpenPages, anna: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_pages, "LOOK_EVERY", 0.05)
    page, other = await opened(parts, pages, anna), Database(parts.settings.database_address)
    await services.Sessions(other).end_all(COMMAND_LINE, await parts.users.by_email(anna.email))  # as a command does
    await closes(page)
    await other.close()


@pytest.mark.parametrize("by", ["token", "session"])
async def test_streams_end_as_well(parts: Services, anna: Actor, by: str) -> None:
    await parts.stores.create(anna, "shop")
    if by == "token":
        header = ("authorization", f"Bearer {await token_of(parts, anna)}")
    else:
        header = ("cookie", f"storefleet={(await session_of(parts, anna))[0]}")
    headers = [tuple(part.encode() for part in header)]
    scope = {"type": "http", "app": api.build(parts), "headers": headers, "client": ("127.0.0.1", 1)}
    lines = follow(parts, Request(scope), anna, await parts.stores.get(anna, "shop"), 0)
    assert "retry" in await anext(lines)
    assert "Store requested" in await anext(lines)
    more = asyncio.ensure_future(anext(lines))
    await asyncio.sleep(0.05)
    assert not more.done()
    if by == "token":
        await parts.tokens.revoke(COMMAND_LINE, (await parts.tokens.list(anna))[0].id)
    else:
        await parts.sessions.end_all(anna)
    with pytest.raises(StopAsyncIteration):  # long before the heartbeat
        await asyncio.wait_for(more, 10)


async def test_pages_that_another_process_serves(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_pages, "LOOK_EVERY", NEVER)
    settings = Settings(database_url=postgres_url, data_dir=tmp_path, key=new_key())
    async with contextlib.AsyncExitStack() as stack:
        here, there = (services.compose(settings) for _ in range(2))
        for each in (here, there):
            stack.push_async_callback(each.database.close)
        await migrate(here.database)
        anna = await add_user(here, "anna@example.com")
        listener = Listener(there.database, lambda change: None, there.user_changes.publish)
        listener.start()
        stack.push_async_callback(listener.stop)
        await listening(here.database, 1)
        pages = OpenPages(there)
        stack.push_async_callback(pages.stop)
        page = await opened(there, pages, anna)
        await here.sessions.end(COMMAND_LINE, page.reader.session_id)
        await closes(page)
