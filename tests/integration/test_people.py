"""People: roles, invitations, sessions and tokens, through the API and the services, and who may do what about whom."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, select, update

from app import api
from app.actor import COMMAND_LINE, Actor, Scope
from app.guard import Guard
from app.models import Invitation, Token, UserSession
from app.problems import Problem
from app.services import Services
from provisioning.models import AuditEntry, now
from tests.integration.conftest import BOTH_DATABASES, add_user, token_of

PASSWORD = "correct horse"


class Caller:
    """Asks the API as one actor, by a token."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self._http, self.token = http, token

    async def __call__(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self._http.request(method, f"/api/v1{path}", json=body, headers=headers)


@pytest.fixture
async def http(parts: Services) -> Any:
    transport = httpx.ASGITransport(Guard(api.build(parts)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
async def as_admin(http: httpx.AsyncClient, parts: Services, admin: Actor) -> Caller:
    return Caller(http, await token_of(parts, admin))


@pytest.fixture
async def as_anna(http: httpx.AsyncClient, parts: Services, anna: Actor) -> Caller:
    return Caller(http, await token_of(parts, anna))


async def session_of(parts: Services, actor: Actor) -> tuple[str, Actor]:
    user = await parts.users.by_email(actor.email)
    assert user is not None
    proof = await parts.sessions.open(user, address="203.0.113.5", agent="Firefox")
    known = await parts.sessions.actor(proof)
    assert known is not None
    return proof, known


async def trail(parts: Services, *actions: str) -> list[AuditEntry]:
    async with parts.database.session() as session:
        query = select(AuditEntry).where(col(AuditEntry.action).in_(actions)).order_by(col(AuditEntry.id))
        return list(await session.exec(query))


# ---- invitations


@BOTH_DATABASES
async def test_an_invitation_makes_one_account_once(parts: Services, admin: Actor) -> None:
    made = await parts.invitations.create(admin, " New@Example.com", admin=True, base="https://shop.example.com/")
    assert made.link.startswith("https://shop.example.com/invitation?token=")
    assert timedelta(hours=71) < made.expires_at - now() <= timedelta(hours=72)
    proof = made.link.partition("=")[2]
    assert await parts.invitations.email_of(proof) == "new@example.com"
    accepted = await asyncio.gather(
        *(parts.invitations.accept(proof, PASSWORD, address="203.0.113.5") for _ in range(4)), return_exceptions=True
    )
    users = [each for each in accepted if not isinstance(each, BaseException)]
    assert [(user.email, user.admin) for user in users] == [("new@example.com", True)]
    assert {each.status for each in accepted if isinstance(each, Problem)} == {403}
    assert await parts.invitations.email_of(proof) is None
    assert await parts.invitations.list(admin) == []
    async with parts.database.session() as session:
        assert proof not in str(list(await session.exec(select(AuditEntry))))


async def test_a_new_invitation_takes_the_place_of_the_old(parts: Services, admin: Actor) -> None:
    links = [(await parts.invitations.create(admin, "new@example.com", base="http://t")).link for _ in range(2)]
    first, second = (link.partition("=")[2] for link in links)
    assert [each.email for each in await parts.invitations.list(admin)] == ["new@example.com"]
    with pytest.raises(Problem, match="not valid any more"):
        await parts.invitations.accept(first, PASSWORD, address="")
    with pytest.raises(Problem, match="at least 8"):
        await parts.invitations.accept(second, "short", address="")
    assert (await parts.invitations.accept(second, PASSWORD, address="")).email == "new@example.com"


@BOTH_DATABASES
async def test_invitations_that_cannot_be_used(parts: Services, admin: Actor) -> None:
    made = await parts.invitations.create(admin, "new@example.com", base="http://t")
    proof = made.link.partition("=")[2]
    async with parts.database.session() as session:
        await session.exec(update(Invitation).values(expires_at=now() - timedelta(seconds=1)))
        await session.commit()
    for guess in (proof, "guess", "", "\0", made.id):
        with pytest.raises(Problem, match="not valid any more"):
            await parts.invitations.accept(guess, PASSWORD, address="")
    assert await parts.invitations.list(admin) == []
    made = await parts.invitations.create(admin, "new@example.com", base="http://t")
    await parts.invitations.revoke(admin, made.id)
    with pytest.raises(Problem, match="not valid any more"):
        await parts.invitations.accept(made.link.partition("=")[2], PASSWORD, address="")
    assert await parts.users.by_email("new@example.com") is None


async def test_who_may_not_invite_any_more_leaves_no_door_open(parts: Services, admin: Actor) -> None:
    other = await add_user(parts, "other@example.com", admin=True)
    for action in ("demote", "disable"):
        made = await parts.invitations.create(other, "accomplice@example.com", admin=True, base="http://t")
        if action == "demote":
            await parts.users.set_admin(admin, other.email, False)
        else:
            await parts.users.set_disabled(admin, other.email, True)
        assert await parts.invitations.email_of(made.link.partition("=")[2]) is None
        await parts.users.set_admin(admin, other.email, True)


async def test_invitations_over_the_api(as_admin: Caller, as_anna: Caller) -> None:
    answer = await as_admin("POST", "/invitations", {"email": "new@example.com"})
    assert answer.status_code == 201
    assert answer.json()["link"].startswith("http://test/invitation?token=")
    [listed] = (await as_admin("GET", "/invitations")).json()["items"]
    assert listed == {key: value for key, value in answer.json().items() if key != "link"}
    for email in ("not an address", "<b>@example.com", "a@b\r\nX: y", "x" * 300):
        assert (await as_admin("POST", "/invitations", {"email": email})).status_code == 422
    assert (await as_admin("POST", "/invitations", {"email": "anna@example.com"})).status_code == 409
    assert (await as_anna("POST", "/invitations", {"email": "x@example.com"})).status_code == 403
    assert (await as_anna("GET", "/invitations")).status_code == 403
    assert (await as_anna("DELETE", f"/invitations/{listed['id']}")).status_code == 403
    assert (await as_admin("DELETE", f"/invitations/{listed['id']}")).status_code == 204
    assert (await as_admin("DELETE", f"/invitations/{listed['id']}")).status_code == 404


# ---- roles


@BOTH_DATABASES
async def test_there_is_always_an_administrator(parts: Services, admin: Actor) -> None:
    for refused in (
        parts.users.set_admin(admin, admin.email, False),
        parts.users.set_disabled(admin, admin.email, True),
    ):
        with pytest.raises(Problem, match="the only administrator"):
            await refused
    other = await add_user(parts, "other@example.com", admin=True)
    answers = await asyncio.gather(  # each the other one, at the same time
        parts.users.set_admin(admin, other.email, False),
        parts.users.set_disabled(other, admin.email, True),
        return_exceptions=True,
    )
    assert [each.status for each in answers if isinstance(each, Problem)] == [409]
    people = (await parts.users.list(COMMAND_LINE)).items
    assert sum(each.admin and not each.disabled for each in people) == 1


@BOTH_DATABASES
async def test_a_role_counts_at_once(as_admin: Caller, as_anna: Caller, parts: Services, anna: Actor) -> None:
    _, by_session = await session_of(parts, anna)
    heard: list[str] = []
    parts.user_changes.subscribe(heard.append)
    answer = await as_admin("PATCH", f"/users/{anna.email}", {"admin": True})
    assert (answer.status_code, answer.json()["admin"]) == (200, True)
    assert heard == [anna.user_id]
    assert await parts.sessions.living({by_session.session_id}) == {by_session.session_id: True}
    assert (await as_anna("GET", "/users")).status_code == 403  # the token was made to do less
    assert (await as_admin("PATCH", f"/users/{anna.email}", {"disabled": True})).status_code == 200
    assert (await as_anna("GET", "/me")).status_code == 401
    assert await parts.sessions.living({by_session.session_id}) == {}
    assert (await as_admin("PATCH", f"/users/{anna.email}", {"disabled": False})).status_code == 200
    assert (await as_anna("GET", "/me")).status_code == 200
    assert await parts.sessions.list(by_session) == []  # what was ended stays so
    noted = await trail(parts, "user.role", "user.disable", "user.enable")
    assert [(each.action, each.detail["user"]) for each in noted] == [
        ("user.role", anna.email),
        ("user.disable", anna.email),
        ("user.enable", anna.email),
    ]


async def test_people_are_listed_and_found(as_admin: Caller, parts: Services) -> None:
    for n in range(5):
        await add_user(parts, f"person-{n}@example.com")
    seen, cursor = [], ""
    while cursor is not None:
        page = (await as_admin("GET", f"/users?q=person&limit=2{cursor and '&cursor=' + cursor}")).json()
        seen += [each["email"] for each in page["items"]]
        cursor = page["next"]
    assert seen == [f"person-{n}@example.com" for n in range(5)]
    assert (await as_admin("GET", "/users?q=%25")).json()["items"] == []
    assert (await as_admin("GET", "/users?q=%00")).status_code == 200
    assert (await as_admin("GET", "/users?limit=0")).status_code == 422


FOR_ADMINISTRATORS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("GET", "/users", None),
    ("PATCH", "/users/{email}", {"admin": True}),
    ("PATCH", "/users/{email}", {"disabled": True}),
    ("GET", "/sessions?user={email}", None),
    ("DELETE", "/sessions?user={email}", None),
    ("GET", "/tokens?user={email}", None),
    ("POST", "/tokens", {"name": "x", "scope": "read", "days": 1, "user": "{email}"}),
)


async def test_nobody_else_learns_or_changes_anything(as_anna: Caller, boris: Actor, parts: Services) -> None:
    for method, path, body in FOR_ADMINISTRATORS:
        answers = []
        for email in (boris.email, "nobody@example.com"):
            given = {key: value.format(email=email) if key == "user" else value for key, value in (body or {}).items()}
            answers.append(await as_anna(method, path.format(email=email), given or None))
        assert [answer.status_code for answer in answers] == [403, 403], (method, path)
        assert answers[0].json() == answers[1].json()  # not even who has an account
    assert not (await parts.users.get(COMMAND_LINE, boris.email)).admin


# ---- sessions


@BOTH_DATABASES
async def test_sessions_are_listed_and_ended(as_anna: Caller, parts: Services, anna: Actor, boris: Actor) -> None:
    proofs = [await session_of(parts, anna) for _ in range(3)]
    _, of_boris = await session_of(parts, boris)
    listed = (await as_anna("GET", "/sessions")).json()["items"]
    assert {each["id"] for each in listed} == {actor.session_id for _, actor in proofs}
    assert {(each["agent"], each["address"], each["current"]) for each in listed} == {("Firefox", "203.0.113.5", False)}
    assert "hash" not in str(listed)
    assert [each.current for each in await parts.sessions.list(proofs[0][1])].count(True) == 1
    heard: list[str] = []
    parts.user_changes.subscribe(heard.append)
    assert (await as_anna("DELETE", f"/sessions/{proofs[0][1].session_id}")).status_code == 204
    assert await parts.sessions.actor(proofs[0][0]) is None
    assert (await as_anna("DELETE", f"/sessions/{proofs[0][1].session_id}")).status_code == 404
    assert (await as_anna("DELETE", f"/sessions/{of_boris.session_id}")).status_code == 404
    assert await parts.sessions.end_all(proofs[1][1], but_this=True) == 1
    assert await parts.sessions.actor(proofs[1][0])
    assert (await as_anna("DELETE", "/sessions")).json() == {"ended": 1}
    assert await parts.sessions.actor(proofs[1][0]) is None
    assert await parts.sessions.living({of_boris.session_id}) == {of_boris.session_id: False}
    assert heard == [anna.user_id] * 3


async def test_last_seen_costs_no_write_for_each_request(parts: Services, anna: Actor) -> None:
    proof, actor = await session_of(parts, anna)

    async def seen() -> Any:
        return (await parts.sessions.list(actor))[0].last_seen_at

    first = await seen()
    await parts.sessions.actor(proof)
    assert await seen() == first
    async with parts.database.session() as session:
        await session.exec(update(UserSession).values(last_seen_at=now() - timedelta(minutes=2)))
        await session.commit()
    await parts.sessions.actor(proof)
    assert now() - await seen() < timedelta(minutes=1)


@BOTH_DATABASES
async def test_another_password_ends_the_other_sessions(parts: Services) -> None:
    dora = await parts.users.create(COMMAND_LINE, "dora@example.com", PASSWORD)
    as_dora = Actor(dora.id, dora.email, False, "token")
    (mine, actor), (other, _) = await session_of(parts, as_dora), await session_of(parts, as_dora)
    with pytest.raises(Problem, match="Sign in to change"):
        await parts.users.change_password(as_dora, PASSWORD, "another password")
    with pytest.raises(Problem, match="another one") as refused:
        await parts.users.change_password(actor, "wrong", "another password")
    assert refused.value.status == 403
    with pytest.raises(Problem, match="at least 8"):
        await parts.users.change_password(actor, PASSWORD, "short")
    await parts.users.change_password(actor, PASSWORD, "another password")
    assert await parts.sessions.actor(mine)
    assert await parts.sessions.actor(other) is None
    assert await parts.users.authenticate(dora.email, PASSWORD, address="") is None
    assert await parts.users.authenticate(dora.email, "another password", address="")
    noted = await trail(parts, "password.change")
    assert [each.outcome for each in noted] == ["refused", "refused", "ok"]
    assert "another password" not in str(noted)


async def test_a_stolen_session_cannot_try_passwords(parts: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    dora = await parts.users.create(COMMAND_LINE, "dora@example.com", PASSWORD)
    _, actor = await session_of(parts, Actor(dora.id, dora.email, False, "token"))
    for _ in range(5):
        with pytest.raises(Problem, match="another one"):
            await parts.users.change_password(actor, "wrong", "another password")
    for password in ("wrong", PASSWORD):
        with pytest.raises(Problem, match="too many attempts") as refused:
            await parts.users.change_password(actor, password, "another password")
        assert refused.value.status == 429
    assert len(await trail(parts, "sign_in.throttled")) == 1


# ---- tokens


async def token(caller: Caller, scope: str, days: int | None = 30, **more: Any) -> httpx.Response:
    return await caller("POST", "/tokens", {"name": "ci", "scope": scope, "days": days, **more})


@BOTH_DATABASES
async def test_tokens_are_made_listed_and_revoked(
    http: httpx.AsyncClient, as_anna: Caller, as_admin: Caller, anna: Actor, parts: Services
) -> None:
    answer = await token(as_admin, "write", user=anna.email)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["user"], made["scope"]) == (anna.email, "write")
    caller = Caller(http, made["token"])
    assert (await caller("GET", "/me")).json()["scope"] == "write"
    listed = (await as_anna("GET", "/tokens")).json()["items"]
    this = next(each for each in listed if each["id"] == made["id"])
    assert this["last_used_at"]
    assert made["token"] not in str(listed)
    assert (await as_anna("DELETE", f"/tokens/{made['id']}")).status_code == 204
    assert (await caller("GET", "/me")).status_code == 401
    assert (await as_anna("DELETE", f"/tokens/{made['id']}")).status_code == 404
    noted = await trail(parts, "token.create", "token.revoke")
    assert [(each.action, each.outcome) for each in noted][-3:] == [
        ("token.create", "ok"),
        ("token.revoke", "ok"),
        ("token.revoke", "refused"),
    ]
    assert made["token"] not in str(noted)


@pytest.mark.parametrize(
    ("scope", "works", "refused"),
    [
        ("read", ["GET /stores", "GET /me", "GET /tokens", "GET /sessions"], ["POST /stores", "DELETE /sessions"]),
        ("write", ["GET /stores", "POST /stores", "DELETE /sessions"], ["GET /users", "GET /audit", "GET /platform"]),
        ("admin", ["GET /stores", "POST /stores", "GET /users", "GET /audit", "GET /invitations"], []),
    ],
)
async def test_a_token_may_do_no_more_than_its_scope(
    http: httpx.AsyncClient,
    as_admin: Caller,
    parts: Services,
    anna: Actor,
    scope: str,
    works: list[str],
    refused: list[str],
) -> None:
    await parts.stores.create(anna, "of-anna")
    caller = Caller(http, (await token(as_admin, scope)).json()["token"])
    for request, fine in [*((each, True) for each in works), *((each, False) for each in refused)]:
        method, path = request.split()
        answer = await caller(method, path, {"name": "shop"} if method == "POST" else None)
        assert answer.is_success is fine, (request, answer.text)
        assert fine or answer.status_code == 403
    shown = [each["name"] for each in (await caller("GET", "/stores")).json()["items"]]
    assert ("of-anna" in shown) is (scope == "admin")  # administrators' rights only where they were asked for


async def test_a_token_for_looking_changes_nothing_and_shows_no_secret(
    http: httpx.AsyncClient, parts: Services, anna: Actor
) -> None:
    await parts.stores.create(anna, "shop")
    reading = replace(anna, scope=Scope.READ)
    stores = parts.stores
    for refused in (
        stores.create(reading, "another"),
        stores.delete(reading, "shop"),
        stores.retry(reading, "shop"),
        stores.undelete(reading, "shop"),
        stores.credentials(reading, "shop"),
        parts.sessions.end(reading, "x"),
        parts.sessions.end_all(reading),
        parts.tokens.revoke(reading, "x"),
    ):
        with pytest.raises(Problem, match="may only read") as problem:
            await refused
        assert problem.value.status == 403
    assert (await stores.get(reading, "shop")).state == "REQUESTED"


@BOTH_DATABASES
async def test_a_token_makes_none_that_outdoes_it(http: httpx.AsyncClient, as_anna: Caller, parts: Services) -> None:
    first = (await token(as_anna, "write", 10)).json()
    caller = Caller(http, first["token"])
    for scope, days in (("write", 11), ("write", None)):
        assert (await token(caller, scope, days)).status_code == 403
    assert (await token(caller, "admin", 1)).status_code == 422  # she is none
    child = (await token(caller, "read", 5)).json()
    reading = Caller(http, child["token"])
    assert (await reading("GET", "/me")).status_code == 200
    assert (await token(reading, "read", 1)).status_code == 403
    await as_anna("DELETE", f"/tokens/{first['id']}")
    assert (await reading("GET", "/me")).status_code == 401  # it ends with the one that made it


NO_TOKENS: tuple[dict[str, Any], ...] = (
    {"name": "", "scope": "read", "days": 1},
    {"name": "x" * 101, "scope": "read", "days": 1},
    {"name": "x", "scope": "root", "days": 1},
    {"name": "x", "scope": "read", "days": 0},
    {"name": "x", "scope": "read", "days": 10**9},
    {"name": "x", "scope": "read"},
    {"name": "\n\0 ", "scope": "read", "days": 1},
    {"name": "x", "scope": "admin", "days": 1},
)


async def test_tokens_that_cannot_be(as_anna: Caller) -> None:
    for body in NO_TOKENS:
        answer = await as_anna("POST", "/tokens", body)
        assert answer.status_code == 422, (body, answer.text)


async def test_there_are_not_endlessly_many(as_anna: Caller, parts: Services) -> None:
    answers = [await token(as_anna, "read") for _ in range(50)]
    assert [answer.status_code for answer in answers] == [201] * 49 + [409]
    async with parts.database.session() as session:
        await session.exec(update(Token).where(col(Token.name) == "ci").values(expires_at=now()))
        await session.commit()
    assert (await token(as_anna, "read")).status_code == 201
