"""Every way in, tried by those who must not get through it: another tenant, and people who were signed in once.

What there is to try is found at run time: the API's routes, the pages, and on each page that is opened everything that
its components can tell the server.  The tables below hold only what cannot be guessed; what is new and not in them
fails `test_nothing_is_left_out`, which says what to add.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from nicegui import Client
from nicegui import app as nicegui_app
from sqlmodel import SQLModel, col, select, update

from app import api
from app.actor import Actor
from app.models import User, UserSession
from app.services import Services
from provisioning.models import AuditEntry, Outcome, now
from tests.integration.conftest import token_of
from tests.integration.whole import Handler, browser, open_page, whole

# For everybody, with or without a session.
PUBLIC = {
    ("GET", "/healthz"): "a supervisor asks",
    ("GET", "/readyz"): "a supervisor asks",
    ("GET", "/metrics"): "a supervisor asks",
    ("GET", "/api/openapi.json"): "the API's description",
}

# Path parameters: another tenant's (of anna's), and the same for what is not there.
PARAMETERS: dict[str, tuple[Callable[["World"], str], str]] = {
    "name": (lambda world: world.store, "not-there"),
    "email": (lambda world: world.anna.email, "not-there@example.com"),
    "id": (lambda world: world.store_id, "0" * 32),
}

# Bodies that would be understood, by route.  A list: each of them is tried.
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/v1/stores"): {"name": "brand-new", "options": {"title": "New"}},
    ("POST", "/api/v1/stores/{name}/rotate-secrets"): {"secrets": ["database"]},
    ("PUT", "/api/v1/users/{email}/limit"): {"stores": 7},
}

# What the components' events carry, where that is anything; `name` is the store's.
ARGUMENTS: dict[tuple[str, str], Callable[[str], Any]] = {
    ("StoreList", "query"): lambda name: {"q": name, "state": ""},
    ("StoreList", "more"): lambda name: None,
    ("StoreList", "create"): lambda name: None,
    ("StoreList", "undo"): lambda name: name,
    ("CreateDialog", "check"): lambda name: "brand-new",
    ("CreateDialog", "create"): lambda name: {"name": "brand-new", "template": "medusa", "plan": "small"},
    ("StoreHeader", "delete"): lambda name: None,
    ("StoreHeader", "undo"): lambda name: None,
    ("Failure", "retry"): lambda name: None,
    ("SignInDetails", "reveal"): lambda name: None,
    ("DeleteDialog", "confirm"): lambda name: None,
    ("Parts", "log"): lambda name: {"part": "medusa", "pod": "", "container": "", "previous": False},
    ("UsageCharts", "range"): lambda name: "day",
    ("UsageCharts", "scale"): lambda name: True,
    ("BulkDialog", "act"): lambda name: {"action": "delete", "names": [name]},
    ("CreateDialog", "tell"): lambda name: None,
    ("CreateDialog", "resume"): lambda name: name,
    ("ActivityList", "query"): lambda name: {"q": name},
    ("ActivityList", "more"): lambda name: None,
    ("ActivityList", "verify"): lambda name: None,
    ("Figures", "choose"): lambda name: "day",
    ("OrphanList", "look"): lambda name: None,
    ("OrphanList", "clean"): lambda name: name,
}

# What may happen without an effect that shows at once, and why.
QUIET = {
    ("StoreList", "more"): "there is no further page",
    ("UsageCharts", "scale"): "there is nothing to draw yet",
    ("UsageCharts", "range"): "the page draws anew by itself, a moment later",
}

# Answered by plain routes of the application itself: forms and files.
FORMS = {
    "/sign-in": "people who are not signed in begin here",
    "/sign-out": "ends one's own session",
    "/setup": "needs a link that is shown once, on the console",
    "/assets/{fingerprint}/{name}": "style and script, the same for everybody",
    "/favicon.ico": "a picture",
}


@dataclass
class World:
    """Two tenants with a store each, an administrator, and what gives anna away."""

    parts: Services
    anna: Actor
    boris: Actor
    admin: Actor
    store: str = "annas-shop"
    store_id: str = ""
    marks: list[str] = field(default_factory=list)

    def parameters(self, path: str, *, there: bool = True) -> str:
        """`path` with its parameters filled in."""

        def fill(found: re.Match[str]) -> str:
            theirs, missing = PARAMETERS[found.group(1)]
            return theirs(self) if there else missing

        return re.sub(r"\{(\w+)(?::\w+)?\}", fill, path)

    async def cookie(self, actor: Actor) -> str:
        user = await self.parts.users.by_email(actor.email)
        assert user is not None
        return await self.parts.sessions.open(user, address="", agent="")

    async def rows(self) -> dict[str, list[Any]]:
        """All that is stored, but for who looked when."""
        async with self.parts.database.session() as session:
            tables = [each for each in SQLModel.metadata.sorted_tables if each.name not in ("audit", "user_session")]
            columns = {each.name: [column for column in each.c if column.name != "last_used_at"] for each in tables}
            return {name: sorted(map(repr, await session.exec(select(*of)))) for name, of in columns.items()}

    async def entries(self) -> list[AuditEntry]:
        async with self.parts.database.session() as session:
            return list(await session.exec(select(AuditEntry).order_by(col(AuditEntry.id))))

    def of_anna(self, rows: dict[str, list[Any]]) -> list[str]:
        return sorted(row for table in rows.values() for row in table if any(mark in row for mark in self.marks))


@pytest.fixture
async def world(parts: Services, anna: Actor, boris: Actor, admin: Actor) -> AsyncIterator[World]:
    made = World(parts, anna, boris, admin)
    store = await parts.stores.create(anna, made.store, options={"title": "Annas geheimer Laden"})
    await parts.stores.create(boris, "boris-shop")
    secret = await parts.stores.credentials(anna, made.store)
    made.store_id = store.id
    made.marks = [anna.email, anna.user_id, store.id, secret.password, "geheimer"]
    async with whole(parts):
        yield made


def leaves(routes: list[Any]) -> Iterator[Any]:
    """The routes themselves, also those of the routers in them."""
    for route in routes:
        if within := getattr(route, "effective_candidates", None):  # FastAPI keeps a router that is included as it is
            yield from leaves(within())
        else:
            yield route


def api_routes(parts: Services) -> list[tuple[str, str, Any]]:
    """(method, path, route) of everything that the API answers."""
    application: FastAPI = api.build(parts)
    routes = {(method, route.path): route for route in leaves(application.routes) for method in route.methods}
    described = {(method.upper(), path) for path, item in application.openapi()["paths"].items() for method in item}
    assert described <= set(routes), "the description knows routes that were not found here"
    return [(*key, routes[key]) for key in sorted(routes) if key[0] != "HEAD"]


def outcome(answer: httpx.Response, *names: str) -> tuple[int, str, dict[str, str]]:
    """The whole answer, whatever was asked for left out of it."""
    text, headers = answer.text, dict(answer.headers)
    for each in ("content-length", "content-security-policy"):
        headers.pop(each, None)
    told = json.dumps(headers)
    for name in names:
        text, told = text.replace(name, "NAME"), told.replace(name, "NAME")
    text = re.sub(r'data-now="\d+"|<code>[0-9a-f]{8}</code>', "", text)  # the time, and an id to ask for help with
    return answer.status_code, text, json.loads(told)


async def request(world: World, asking: httpx.AsyncClient, method: str, path: str, *, there: bool) -> httpx.Response:
    body = BODIES.get((method, path))
    return await asking.request(method, world.parameters(path, there=there), json=body)


def asked_for(world: World, path: str) -> tuple[str, ...]:
    names = re.findall(r"\{(\w+)", path)
    return tuple(each for name in names for each in (PARAMETERS[name][0](world), PARAMETERS[name][1]))


async def test_nothing_is_left_out(world: World) -> None:
    unknown = []
    for method, path, route in api_routes(world.parts):
        unknown += [
            f"PARAMETERS[{name!r}]: what {method} {path} takes, of another tenant and of nobody"
            for name in re.findall(r"\{(\w+)", path)
            if name not in PARAMETERS
        ]
        if getattr(route, "body_field", None) is not None and (method, path) not in BODIES:
            unknown.append(f"BODIES[({method!r}, {path!r})]: a body that would be understood")
    for path in Client.page_routes.values():
        unknown += [
            f"PARAMETERS[{name!r}]: what the page {path} takes"
            for name in re.findall(r"\{(\w+)", path)
            if name not in PARAMETERS
        ]
    for actor in (world.boris, world.admin):
        async for handler in handlers_of(world, actor, await world.cookie(actor)):
            if (handler.component, handler.event) not in ARGUMENTS:
                key = f"ARGUMENTS[({handler.component!r}, {handler.event!r})]"
                unknown.append(f"{key}: what the event of {handler.client.page.path} carries")
    for path in everything_else():
        if path not in FORMS:
            unknown.append(f"FORMS[{path!r}]: who may ask for it, and why (and a test of its own)")
    assert not unknown, "not swept; add to tests/integration/test_sweep.py:\n" + "\n".join(sorted(set(unknown)))


def everything_else() -> list[str]:
    """Paths of the application that are neither pages, nor the API's, nor NiceGUI's own."""
    theirs = ("/_nicegui", "/api", "/healthz", "/readyz", "/metrics")
    paths = {route.path for route in leaves(nicegui_app.routes)} - set(Client.page_routes.values())
    return sorted(path for path in paths if not path.startswith(theirs))


async def test_another_tenant_gets_nothing_by_the_api(world: World) -> None:
    before = world.of_anna(await world.rows())
    session = browser(world.parts, await world.cookie(world.boris))
    token = browser(world.parts, Authorization=f"Bearer {await token_of(world.parts, world.boris)}")
    async with session, token:
        for method, path, _ in api_routes(world.parts):
            if (method, path) in PUBLIC:
                continue
            for asking in (session, token):
                theirs = await request(world, asking, method, path, there=True)
                if "{" in path:
                    missing = await request(world, asking, method, path, there=False)
                    names = asked_for(world, path)
                    assert outcome(theirs, *names) == outcome(missing, *names), f"{method} {path} tells what is there"
                    assert theirs.status_code in (403, 404), f"{method} {path}"
                answer = theirs.text + str(theirs.headers)
                assert not [mark for mark in world.marks if mark in answer], f"{method} {path} leaks"
    assert world.of_anna(await world.rows()) == before


async def test_what_is_refused_is_in_the_trail(world: World) -> None:
    """Each attempt to change what is another's: who it was, and that it was refused."""
    async with browser(world.parts, await world.cookie(world.boris)) as asking:
        for method, path, _ in api_routes(world.parts):
            if method == "GET":
                continue
            before = await world.entries()
            answer = await request(world, asking, method, path, there=True)
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
                theirs = await request(world, asking, method, path, there=True)
                if (method, path) in PUBLIC:
                    assert not [mark for mark in world.marks if mark in theirs.text], f"{method} {path}"
                    continue
                assert theirs.status_code == 401, f"{method} {path}"
                if "{" in path:
                    missing = await request(world, asking, method, path, there=False)
                    assert outcome(theirs) == outcome(missing), f"{method} {path} tells what is there"
    assert await world.rows() == {**before, "users": (await world.rows())["users"]}


async def test_those_who_may_do_get_something_by_the_api(world: World) -> None:
    """The sweep's requests are such as would be answered: what it shows is not that they are malformed."""
    async with browser(world.parts, await world.cookie(world.admin)) as asking:
        routes = [each for each in api_routes(world.parts) if not each[1].endswith("/stream")]  # which has no end
        for method, path, _ in sorted(routes, key=lambda each: each[0] == "DELETE"):
            answer = await request(world, asking, method, path, there=True)
            assert answer.status_code not in (400, 401, 403, 405, 422), f"{method} {path}: {answer.text}"


async def test_another_tenant_gets_nothing_by_pages(world: World) -> None:
    async with browser(world.parts, await world.cookie(world.boris)) as asking:
        for path in Client.page_routes.values():
            theirs, handlers = await open_page(asking, world.parameters(path))
            assert not [mark for mark in world.marks if mark in theirs.text], path
            if "{" in path:
                missing, _ = await open_page(asking, world.parameters(path, there=False))
                names = asked_for(world, path)
                assert outcome(theirs, *names) == outcome(missing, *names), f"{path} tells what is there"
                assert (theirs.status_code, handlers) == (404, [])


async def test_strangers_are_led_to_sign_in_by_every_page_and_leave_nothing_behind(world: World) -> None:
    for cookie in (None, "forged", *await ended_sessions(world)):
        async with browser(world.parts, cookie) as asking:
            for path in Client.page_routes.values():
                known = set(Client.instances)
                theirs, missing = [await asking.get(world.parameters(path, there=there)) for there in (True, False)]
                assert theirs.status_code == 303, path
                assert theirs.headers["location"].startswith("/sign-in"), path
                assert theirs.text == missing.text == ""
                assert set(Client.instances) == known, "whoever is not signed in makes us keep a page in memory"


async def test_another_tenant_gets_nothing_by_what_happens_on_pages(world: World, caplog: Any) -> None:
    before = world.of_anna(await world.rows())
    async for handler in handlers_of(world, world.boris, await world.cookie(world.boris)):
        arguments = ARGUMENTS[handler.component, handler.event]
        theirs = await handler.fire(arguments(world.store))
        missing = await handler.fire(arguments("not-there"))
        where = f"{handler.component}.{handler.event}"
        assert not [mark for mark in world.marks if mark in theirs], where
        if arguments(world.store) != arguments("not-there"):
            assert theirs.replace(world.store, "not-there") == missing, f"{where} tells what is there"
    assert world.of_anna(await world.rows()) == before
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_those_who_may_get_something_by_what_happens_on_pages(world: World) -> None:
    """As for the API: what the sweep lets happen would be heard."""
    for actor in (world.boris, world.admin):
        async for handler in handlers_of(world, actor, await world.cookie(actor)):
            before = await world.rows()
            told = await handler.fire(ARGUMENTS[handler.component, handler.event]("boris-shop"))
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
        for handler in handlers:
            told = await handler.fire(ARGUMENTS[handler.component, handler.event]("boris-shop"))
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
            mine = path.replace("{name}", "boris-shop")
            _, handlers = await open_page(asking, world.parameters(mine))
            for handler in handlers:
                yield handler
