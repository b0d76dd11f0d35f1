"""What the sweep (test_sweep.py) cannot guess: who is after what, and how each route and handler is asked.

Routes, pages and handlers are found at run time; what is new and not in these tables fails a test, which says what to
add.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from sqlmodel import SQLModel, col, select

from app import api
from app.actor import Actor
from app.services import Services
from provisioning.models import AuditEntry

# For everybody, with or without a session.
PUBLIC = {
    ("GET", "/healthz"): "a supervisor asks",
    ("GET", "/readyz"): "a supervisor asks",
    ("GET", "/metrics"): "a supervisor asks",
    ("GET", "/api/openapi.json"): "the API's description",
}


@dataclass(frozen=True)
class Target:
    """What somebody may be after: one tenant's things."""

    store: str
    email: str
    token: str = "0" * 32
    session: str = "1" * 32
    invitation: str = "2" * 32
    orphan: str = "3" * 32

    def parts(self) -> list[str]:
        return sorted(vars(self).values(), key=len, reverse=True)


NOTHING = Target("not-there", "not-there@example.com", "a" * 32, "b" * 32, "c" * 32, "d" * 32)

# Path parameters, by what stands before them in the path, or by their names alone.
PARAMETERS: dict[str, Callable[[Target], str]] = {
    "name": lambda of: of.store,
    "email": lambda of: of.email,
    "orphans/id": lambda of: of.orphan,
    "tokens/id": lambda of: of.token,
    "sessions/id": lambda of: of.session,
    "invitations/id": lambda of: of.invitation,
}

# Bodies that would be understood, by route.
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/v1/stores"): {"name": "brand-new", "options": {"title": "New"}},
    ("POST", "/api/v1/stores/{name}/rotate-secrets"): {"secrets": ["database"]},
    ("POST", "/api/v1/stores/{name}/rollback"): {"revision": 1},
    ("PUT", "/api/v1/users/{email}/limit"): {"stores": 7},
    ("PATCH", "/api/v1/users/{email}"): {"disabled": False},
    ("POST", "/api/v1/invitations"): {"email": "new@example.com"},
    ("POST", "/api/v1/tokens"): {"name": "new", "scope": "read", "days": 1},
}

# What the components' events carry, where that is anything; for what somebody is `after`.
ARGUMENTS: dict[tuple[str, str], Callable[[Target], Any]] = {
    ("StoreList", "query"): lambda of: {"q": of.store, "state": ""},
    ("StoreList", "more"): lambda of: None,
    ("StoreList", "create"): lambda of: None,
    ("StoreList", "undo"): lambda of: of.store,
    ("CreateDialog", "check"): lambda of: "brand-new",
    ("CreateDialog", "create"): lambda of: {"name": "brand-new", "template": "medusa", "plan": "small"},
    ("StoreHeader", "delete"): lambda of: None,
    ("StoreHeader", "undo"): lambda of: None,
    ("Failure", "retry"): lambda of: None,
    ("Failure", "rollback"): lambda of: None,
    ("About", "rollback"): lambda of: None,
    ("UpdateNotice", "upgrade"): lambda of: None,
    ("ConfirmDialog", "confirm"): lambda of: None,
    ("SignInDetails", "reveal"): lambda of: None,
    ("SignInDetails", "rotate"): lambda of: None,
    ("RotateDialog", "confirm"): lambda of: ["database"],
    ("DeleteDialog", "confirm"): lambda of: None,
    ("Parts", "log"): lambda of: {"part": "medusa", "pod": "", "container": "", "previous": False},
    ("UsageCharts", "range"): lambda of: "day",
    ("UsageCharts", "scale"): lambda of: True,
    ("BulkDialog", "act"): lambda of: {"action": "delete", "names": [of.store]},
    ("CreateDialog", "tell"): lambda of: None,
    ("CreateDialog", "resume"): lambda of: of.store,
    ("ActivityList", "query"): lambda of: {"q": of.store},
    ("ActivityList", "more"): lambda of: None,
    ("ActivityList", "verify"): lambda of: None,
    ("Figures", "choose"): lambda of: "day",
    ("OrphanList", "look"): lambda of: None,
    ("OrphanList", "clean"): lambda of: of.orphan,
    ("AccountSettings", "password"): lambda of: ["wrong", "a new password"],
    ("AccountSettings", "end"): lambda of: of.session,
    ("AccountSettings", "endOthers"): lambda of: None,
    ("AccountSettings", "make"): lambda of: ["new", "read", 1],
    ("AccountSettings", "revoke"): lambda of: of.token,
    ("AccountSettings", "disconnect"): lambda of: None,
    ("People", "search"): lambda of: of.email,
    ("People", "more"): lambda of: [of.email, ""],
    ("People", "invite"): lambda of: ["new@example.com", False],
    ("People", "takeBack"): lambda of: of.invitation,
    ("People", "open"): lambda of: of.email,
    ("People", "role"): lambda of: [of.email, False],
    ("People", "limit"): lambda of: [of.email, 3],
    ("People", "disable"): lambda of: [of.email, True],
    ("People", "end"): lambda of: [of.email, of.session],
    ("People", "passwordLink"): lambda of: of.email,
    ("StoreNotifications", "wanted"): lambda of: None,
}

# What may happen without an effect that shows at once, and why.
QUIET = {
    ("StoreNotifications", "wanted"): "what happens later is told",
    ("StoreList", "more"): "there is no further page",
    ("UpdateNotice", "upgrade"): "there is no newer release to ask about",
    ("About", "rollback"): "there is no earlier release to ask about",
    ("Failure", "rollback"): "there is no earlier release to ask about",
    ("Figures", "choose"): "the page draws anew by itself, a moment later",
    ("UsageCharts", "scale"): "there is nothing to draw yet",
    ("UsageCharts", "range"): "the page draws anew by itself, a moment later",
}

# Answered by plain routes of the application itself: forms and files.
FORMS = {
    "/sign-in": "people who are not signed in begin here",
    "/sign-out": "ends one's own session",
    "/setup": "needs a link that is shown once, on the console",
    "/invitation": "needs a link that one person was sent",
    "/password": "needs a link that one person was sent",
    "/sign-in/oidc": "people who are not signed in begin here",
    "/sign-in/oidc/callback": "needs what the provider and our own cookie say",
    "/assets/{fingerprint}/{name}": "style and script, the same for everybody",
    "/favicon.ico": "a picture",
}


CHANGE = ("content-length", "content-security-policy")  # headers that differ in any two answers


@dataclass
class World:
    """Two tenants with a store each, and an administrator."""

    parts: Services
    anna: Actor
    boris: Actor
    admin: Actor
    theirs: Target = NOTHING  # anna's
    marks: list[str] = field(default_factory=list)  # what gives anna away

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

    def leaks(self, told: str, asked: str = "") -> list[str]:
        """What of anna's is told; not that somebody named her in asking."""
        return [mark for mark in self.marks if mark in told and not (mark == self.anna.email and "{email}" in asked)]

    async def entries(self) -> list[AuditEntry]:
        async with self.parts.database.session() as session:
            return list(await session.exec(select(AuditEntry).order_by(col(AuditEntry.id))))

    def of_anna(self, rows: dict[str, list[Any]]) -> list[str]:
        return sorted(row for table in rows.values() for row in table if any(mark in row for mark in self.marks))


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


def outcome(answer: httpx.Response, of: Target) -> tuple[int, str, str]:
    """The whole answer, whatever was asked for left out of it."""
    headers = {name: value for name, value in answer.headers.items() if name not in CHANGE}
    text = re.sub(r'data-now="\d+"|<code>[0-9a-f]{8}</code>', "", answer.text)  # the time, and an id to quote
    return answer.status_code, without(text, of), without(json.dumps(headers), of)


PARAMETER = re.compile(r"(?:(\w+)/)?\{(\w+)(?::\w+)?\}")


def keys(path: str) -> list[str]:
    """The entries of PARAMETERS that `path` asks for."""
    return [name if name in PARAMETERS else f"{before}/{name}" for before, name in PARAMETER.findall(path)]


def filled(path: str, of: Target) -> str:
    values = [PARAMETERS[key](of) for key in keys(path)]
    return re.sub(r"\{[^}]*\}", lambda _: values.pop(0), path)


async def request(asking: httpx.AsyncClient, method: str, path: str, of: Target) -> httpx.Response:
    return await asking.request(method, filled(path, of), json=BODIES.get((method, path)))


def without(told: str, of: Target) -> str:
    """What was said, whatever was asked for left out of it."""
    for part, name in zip(of.parts(), NOTHING.parts(), strict=True):
        told = told.replace(part, name)
    return told
