"""Every way in, tried by those who must not get through it: another tenant, and people who were signed in once.

What there is to try is found at run time: the API's routes, the pages, and on each page that is opened everything that
its components can tell the server.  What cannot be guessed stands in sweep.py; what is new and not there fails
`test_nothing_is_left_out`, which says what to add.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from nicegui import Client
from nicegui import app as nicegui_app
from sqlmodel import col, select, update

from app.actor import Actor
from app.models import Token, User, UserSession
from app.services import Services
from provisioning.models import Outcome, now
from tests.integration.conftest import token_of
from tests.integration.sweep import (
    ARGUMENTS,
    BODIES,
    FORMS,
    NOTHING,
    PARAMETERS,
    PUBLIC,
    QUIET,
    Target,
    World,
    api_routes,
    filled,
    keys,
    leaves,
    outcome,
    request,
    without,
)
from tests.integration.whole import Handler, browser, open_page, whole


@pytest.fixture
async def world(parts: Services, anna: Actor, boris: Actor, admin: Actor) -> AsyncIterator[World]:
    made = World(parts, anna, boris, admin)
    store = await parts.stores.create(anna, "annas-shop", options={"title": "Annas geheimer Laden"})
    await parts.stores.create(boris, "boris-shop")
    secret = await parts.stores.credentials(anna, store.name)
    token = await token_of(parts, anna)
    await made.cookie(anna)
    async with parts.database.session() as session:
        tokens = (await session.exec(select(Token.id).where(col(Token.user_id) == anna.user_id))).one()
        sessions = (await session.exec(select(UserSession).where(col(UserSession.user_id) == anna.user_id))).one()
        await session.exec(update(User).values(password_hash=""))  # nobody has one here
        await session.commit()
    made.theirs = Target(store.name, anna.email, tokens, getattr(sessions, "id", "1" * 32))
    made.marks = [anna.email, anna.user_id, store.id, secret.password, "geheimer", token]
    async with whole(parts):
        yield made


async def test_nothing_is_left_out(world: World) -> None:
    unknown = []
    for method, path, route in api_routes(world.parts):
        unknown += [f"PARAMETERS[{key!r}]: what {method} {path} takes" for key in keys(path) if key not in PARAMETERS]
        if getattr(route, "body_field", None) is not None and (method, path) not in BODIES:
            unknown.append(f"BODIES[({method!r}, {path!r})]: a body that would be understood")
    for path in Client.page_routes.values():
        unknown += [f"PARAMETERS[{key!r}]: what the page {path} takes" for key in keys(path) if key not in PARAMETERS]
    for actor in (world.boris, world.admin):
        async for handler in handlers_of(world, actor, await world.cookie(actor)):
            if (handler.component, handler.event) not in ARGUMENTS:
                key = f"ARGUMENTS[({handler.component!r}, {handler.event!r})]"
                unknown.append(f"{key}: what the event of {handler.client.page.path} carries")
    for path in everything_else():
        if path not in FORMS:
            unknown.append(f"FORMS[{path!r}]: who may ask for it, and why (and a test of its own)")
    assert not unknown, "not swept; add to tests/integration/sweep.py:\n" + "\n".join(sorted(set(unknown)))


def everything_else() -> list[str]:
    """Paths of the application that are neither pages, nor the API's, nor NiceGUI's own."""
    theirs = ("/_nicegui", "/api", "/healthz", "/readyz", "/metrics")
    paths = {route.path for route in leaves(nicegui_app.routes)} - set(Client.page_routes.values())
    return sorted(path for path in paths if not path.startswith(theirs))


async def test_another_tenant_gets_nothing_by_the_api(world: World) -> None:
    before = world.of_anna(await world.rows())
    for method, path, _ in api_routes(world.parts):
        if (method, path) in PUBLIC:
            continue
        # Made anew for each, since some of them end their own session or token.
        session = browser(world.parts, await world.cookie(world.boris))
        token = browser(world.parts, Authorization=f"Bearer {await token_of(world.parts, world.boris)}")
        for asking in (session, token):
            async with asking:
                theirs = await request(asking, method, path, world.theirs)
                assert not world.leaks(theirs.text + str(theirs.headers), path), f"{method} {path} leaks"
                if "{" in path:
                    missing = await request(asking, method, path, NOTHING)
                    assert outcome(theirs, world.theirs) == outcome(missing, NOTHING), f"{method} {path} is an oracle"
                    assert theirs.status_code in (403, 404), f"{method} {path}"
    assert world.of_anna(await world.rows()) == before


async def test_what_is_refused_is_in_the_trail(world: World) -> None:
    """Each attempt to change what is another's: who it was, and that it was refused."""
    for method, path, _ in api_routes(world.parts):
        if method == "GET":
            continue
        async with browser(world.parts, await world.cookie(world.boris)) as asking:
            before = await world.entries()
            answer = await request(asking, method, path, world.theirs)
            new = (await world.entries())[len(before) :]
            assert new, f"{method} {path} ({answer.status_code}) is in no trail"
            assert {entry.actor for entry in new} == {world.boris.email}
            refused = answer.status_code >= 400
            assert {entry.outcome for entry in new} == {Outcome.REFUSED if refused else Outcome.OK}, f"{method} {path}"
            assert all(entry.error for entry in new if refused)


async def test_strangers_get_nothing_by_the_api(world: World) -> None:
    before = await world.rows()
    ended = await ended_sessions(world)
    strangers = [browser(world.parts), browser(world.parts, Authorization="Bearer sf_forged")]
    strangers += [browser(world.parts, cookie) for cookie in ended]
    for asking in strangers:
        async with asking:
            for method, path, _ in api_routes(world.parts):
                theirs = await request(asking, method, path, world.theirs)
                if (method, path) in PUBLIC:
                    assert not [mark for mark in world.marks if mark in theirs.text], f"{method} {path}"
                    continue
                assert theirs.status_code == 401, f"{method} {path}"
                if "{" in path:
                    missing = await request(asking, method, path, NOTHING)
                    assert outcome(theirs, world.theirs) == outcome(missing, NOTHING), f"{method} {path} is an oracle"
    assert await world.rows() == {**before, "users": (await world.rows())["users"]}


async def test_those_who_may_do_get_something_by_the_api(world: World) -> None:
    """The sweep's requests are such as would be answered: what it shows is not that they are malformed."""
    routes = [each for each in api_routes(world.parts) if not each[1].endswith("/stream")]  # which has no end
    for method, path, _ in sorted(routes, key=lambda each: each[0] == "DELETE"):
        async with browser(world.parts, await world.cookie(world.admin)) as asking:
            answer = await request(asking, method, path, world.theirs)
            assert answer.status_code not in (400, 401, 403, 405, 422), f"{method} {path}: {answer.text}"


async def test_another_tenant_gets_nothing_by_pages(world: World) -> None:
    async with browser(world.parts, await world.cookie(world.boris)) as asking:
        for path in Client.page_routes.values():
            theirs, handlers = await open_page(asking, filled(path, world.theirs))
            assert not world.leaks(theirs.text, path), path
            if "{" in path:
                missing, _ = await open_page(asking, filled(path, NOTHING))
                assert outcome(theirs, world.theirs) == outcome(missing, NOTHING), f"{path} is an oracle"
                assert (theirs.status_code, handlers) == (404, [])


async def test_strangers_are_led_to_sign_in_by_every_page_and_leave_nothing_behind(world: World) -> None:
    for cookie in (None, "forged", *await ended_sessions(world)):
        async with browser(world.parts, cookie) as asking:
            for path in Client.page_routes.values():
                known = set(Client.instances)
                theirs, missing = [await asking.get(filled(path, of)) for of in (world.theirs, NOTHING)]
                assert theirs.status_code == 303, path
                assert theirs.headers["location"].startswith("/sign-in"), path
                assert theirs.text == missing.text == ""
                assert set(Client.instances) == known, "whoever is not signed in makes us keep a page in memory"


async def test_another_tenant_gets_nothing_by_what_happens_on_pages(world: World, caplog: Any) -> None:
    before = world.of_anna(await world.rows())
    async for handler in handlers_of(world, world.boris, await world.cookie(world.boris)):
        arguments = ARGUMENTS[handler.component, handler.event]
        where = f"{handler.component}.{handler.event}"
        theirs = without(await handler.fire(arguments(world.theirs)), world.theirs)
        assert not world.leaks(theirs), where
        if arguments(world.theirs) != arguments(NOTHING):
            assert theirs == without(await handler.fire(arguments(NOTHING)), NOTHING), f"{where} is an oracle"
    assert world.of_anna(await world.rows()) == before
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_those_who_may_get_something_by_what_happens_on_pages(world: World) -> None:
    """As for the API: what the sweep lets happen would be heard."""
    own = Target("boris-shop", world.boris.email)
    for actor in (world.boris, world.admin):
        async for handler in handlers_of(world, actor, await world.cookie(actor)):
            before = await world.rows()
            told = await handler.fire(ARGUMENTS[handler.component, handler.event](own))
            quiet = told == "[]" and await world.rows() == before
            assert not quiet or (handler.component, handler.event) in QUIET, (
                f"{handler.component}.{handler.event} does nothing for {actor.email}"
            )


async def sign_out(world: World, actor: Actor, cookie: str) -> None:
    await world.parts.sessions.close(cookie, address="")


async def expire(world: World, actor: Actor, cookie: str) -> None:
    async with world.parts.database.session() as session:
        await session.exec(update(UserSession).values(expires_at=now() - timedelta(seconds=1)))
        await session.commit()


async def disable(world: World, actor: Actor, cookie: str) -> None:
    async with world.parts.database.session() as session:
        await session.exec(update(User).where(col(User.id) == actor.user_id).values(disabled=True))
        await session.commit()


ENDS = [sign_out, expire, disable]


@pytest.mark.parametrize("end", ENDS)
async def test_a_page_that_is_still_open_does_nothing_more(world: World, end: Any, caplog: Any) -> None:
    for actor in (world.boris, world.admin):
        cookie = await world.cookie(actor)
        handlers = [handler async for handler in handlers_of(world, actor, cookie)]
        assert handlers
        await end(world, actor, cookie)
        before = await world.rows()
        boris = await world.parts.users.by_email(world.boris.email)
        assert boris is not None
        private = [*world.marks, boris.id, "boris-shop.localhost"]
        own = Target("boris-shop", world.boris.email)
        for handler in handlers:
            told = await handler.fire(ARGUMENTS[handler.component, handler.event](own))
            where = f"{handler.component}.{handler.event}"
            assert not [mark for mark in private if mark in told], f"{where} answers {actor.email}, who is out"
        assert await world.rows() == before
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def ended_sessions(world: World) -> list[str]:
    """Cookies of an administrator that were good once: signed out, expired, disabled."""
    cookies = []
    for end in ENDS:
        cookies.append(await world.cookie(world.admin))
        await end(world, world.admin, cookies[-1])
    return cookies


async def handlers_of(world: World, actor: Actor, cookie: str) -> AsyncIterator[Handler]:
    """All that can happen on the pages that `actor` may open (of boris: on those of his own store)."""
    async with browser(world.parts, cookie) as asking:
        for path in Client.page_routes.values():
            _, handlers = await open_page(asking, filled(path, Target("boris-shop", world.boris.email)))
            for handler in handlers:
                yield handler
