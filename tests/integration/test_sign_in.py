"""Signing in and out over HTTP forms: cookies, sessions, setup links, and nothing told to strangers."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import col, select, update

from app import sign_in, startup
from app.actor import COMMAND_LINE, Actor, Scope
from app.command_error import CommandError
from app.models import Token, User, UserSession
from app.problems import Problem
from app.services import Services
from app.settings import Settings
from provisioning.models import now
from tests.integration.conftest import BOTH_DATABASES, add_user, token_of

EMAIL, PASSWORD = "dora@example.com", "correct horse"
FORM = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
async def dora(parts: Services) -> User:
    return await parts.users.create(COMMAND_LINE, EMAIL, PASSWORD)


async def sessions(parts: Services) -> list[UserSession]:
    async with parts.database.session() as session:
        return list(await session.exec(select(UserSession)))


@BOTH_DATABASES
async def test_in_and_out(browser: httpx.AsyncClient, parts: Services, dora: User) -> None:
    answer = await browser.post("/sign-in", data={"email": " Dora@Example.com ", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("storefleet=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie  # over plain HTTP the browser would drop it
    proof = browser.cookies["storefleet"]
    [row] = await sessions(parts)
    assert await parts.sessions.actor(proof) == Actor(dora.id, EMAIL, admin=False, via="session", session_id=row.id)
    assert proof not in row.id_hash
    assert (await browser.get("/sign-in")).status_code == 303  # nothing to sign in to
    answer = await browser.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert await sessions(parts) == []
    assert await parts.sessions.actor(proof) is None
    assert "storefleet" not in browser.cookies


async def test_under_tls_the_cookie_is_bound_to_the_host(tmp_path: Path, parts: Services, dora: User) -> None:
    parts.settings = Settings(data_dir=tmp_path, url="https://storefleet.example.com")
    app = FastAPI()
    app.state.services = parts
    app.include_router(sign_in.router(parts))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://test") as client:
        cookie = (await client.post("/sign-in", data=FORM)).headers["set-cookie"]
        assert cookie.startswith("__Host-storefleet=")
        assert "Secure" in cookie
        assert "Domain" not in cookie
        assert (await client.get("/sign-in")).status_code == 303


@pytest.mark.parametrize(
    "form",
    [
        {"email": EMAIL, "password": "wrong"},
        {"email": "nobody@example.com", "password": PASSWORD},
        {"email": EMAIL, "password": ""},
        {"email": "", "password": ""},
        {"email": EMAIL},
        {"email": "a\x00b@example.com", "password": PASSWORD},
        {"email": "' OR 1=1 --", "password": "x"},
        {"email": EMAIL, "password": "x" * 5000},
    ],
)
async def test_strangers_are_told_the_same_whatever_is_wrong(
    browser: httpx.AsyncClient, parts: Services, dora: User, form: dict[str, str]
) -> None:
    answer = await browser.post("/sign-in", data=form)
    assert answer.status_code == 401
    assert "The e-mail address or the password is wrong." in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert await sessions(parts) == []


async def test_what_was_typed_is_shown_as_text(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/sign-in", data={"email": '"><script>alert(1)</script>', "password": "x"})
    assert "<script>alert" not in answer.text
    answer = await browser.get("/sign-in", params={"next": '/"><script>alert(1)</script>'})
    assert "<script>alert" not in answer.text


async def test_a_form_that_is_too_large(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/sign-in", data={"email": "x" * 100_000})).status_code == 413


async def test_a_form_of_another_site(browser: httpx.AsyncClient, dora: User) -> None:
    answer = await browser.post("/sign-in", data=FORM, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/stores/bikeshop?tab=1", "/stores/bikeshop?tab=1"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
async def test_afterwards_one_is_with_us(browser: httpx.AsyncClient, dora: User, target: str, leads_to: str) -> None:
    answer = await browser.post("/sign-in", data={**FORM, "next": target})
    assert answer.headers["location"] == leads_to


@BOTH_DATABASES
async def test_a_session_is_new_at_each_sign_in(browser: httpx.AsyncClient, parts: Services, dora: User) -> None:
    planted = "planted"
    browser.cookies.set("storefleet", planted)
    await browser.post("/sign-in", data=FORM)
    first = next(cookie.value for cookie in browser.cookies.jar if cookie.value != planted)
    assert first is not None
    browser.cookies.clear()
    browser.cookies.set("storefleet", first)
    await browser.post("/sign-in", data=FORM)
    assert await parts.sessions.actor(planted) is None
    assert await parts.sessions.actor(first) is None  # the one before has ended
    assert len(await sessions(parts)) == 1


@BOTH_DATABASES
async def test_sessions_end(parts: Services, dora: User) -> None:
    proof = await parts.sessions.open(dora, address="::1", agent="x" * 1000)
    async with parts.database.session() as session:
        await session.exec(update(UserSession).values(expires_at=now() - timedelta(seconds=1)))
        await session.commit()
    assert await parts.sessions.actor(proof) is None
    await parts.sessions.forget_expired()
    assert await sessions(parts) == []


@BOTH_DATABASES
async def test_a_disabled_user_is_out_at_once(browser: httpx.AsyncClient, parts: Services, dora: User) -> None:
    proof = await parts.sessions.open(dora, address="", agent="")
    token = (await parts.tokens.create(COMMAND_LINE, dora, "test")).token
    assert await parts.tokens.actor(token)
    async with parts.database.session() as session:
        await session.exec(update(User).values(disabled=True))
        await session.commit()
    assert await parts.sessions.actor(proof) is None
    assert await parts.tokens.actor(token) is None
    assert (await browser.post("/sign-in", data=FORM)).status_code == 401


@BOTH_DATABASES
async def test_tokens(parts: Services, anna: Actor, boris: Actor) -> None:
    token = await token_of(parts, anna)
    assert token.startswith("sf_")
    known = await parts.tokens.actor(token)
    async with parts.database.session() as session:
        row = (await session.exec(select(Token))).one()
    assert known == replace(anna, token_id=row.id, scope=Scope.WRITE)
    assert token not in row.hash
    assert row.last_used_at is not None
    with pytest.raises(Problem) as refused:
        await parts.tokens.create(boris, (await parts.users.by_email(anna.email)), "theirs")  # type: ignore[arg-type]
    assert refused.value.status == 403
    async with parts.database.session() as session:
        await session.exec(update(Token).values(expires_at=now()))
        await session.commit()
    assert await parts.tokens.actor(token) is None


async def test_only_administrators_add_people(parts: Services, anna: Actor) -> None:
    with pytest.raises(Problem) as refused:
        await parts.users.create(anna, "eve@example.com", PASSWORD, admin=True)
    assert refused.value.status == 403
    assert await parts.users.by_email("eve@example.com") is None


@BOTH_DATABASES
async def test_the_first_administrator_by_a_link_that_works_once(browser: httpx.AsyncClient, parts: Services) -> None:
    links = [await parts.users.open_setup(), await parts.users.open_setup()]
    assert all(links)
    assert links[0] != links[1]
    assert (await browser.get("/setup", params={"token": "wrong"})).headers["location"] == "/sign-in"
    assert (await browser.get("/setup", params={"token": links[0]})).status_code == 200
    wrong = await browser.post("/setup", data={**FORM, "token": "wrong"})
    assert wrong.status_code == 403
    assert not await parts.users.any()
    assert (await browser.get("/setup", params={"token": links[0]})).status_code == 200  # a wrong guess ends nothing
    made = await browser.post("/setup", data={**FORM, "token": links[0]})
    assert (made.status_code, made.headers["location"]) == (303, "/")
    actor = await parts.sessions.actor(browser.cookies["storefleet"])
    assert actor is not None
    assert actor.admin
    for link in links:
        assert (
            await browser.post("/setup", data={**FORM, "email": "eve@example.com", "token": link})
        ).status_code == 403
    assert await parts.users.open_setup() is None


@BOTH_DATABASES
async def test_the_first_administrator_by_settings(parts: Services, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, admin_email="Root@Example.com", admin_password=PASSWORD)
    await parts.users.open_setup()
    for _ in range(2):
        assert await startup.first_admin(settings, parts.database, "http://test") is None
    user = await parts.users.authenticate("root@example.com", PASSWORD, address="")
    assert user is not None
    assert user.admin
    other = Settings(data_dir=tmp_path, admin_email="root@example.com", admin_password="another password")
    await startup.first_admin(other, parts.database, "http://test")
    # It may have been changed since: left alone.
    assert await parts.users.authenticate("root@example.com", PASSWORD, address="")
    bad = Settings(data_dir=tmp_path, admin_email="a@example.com", admin_password="short")
    with pytest.raises(CommandError, match="at least 8"):
        await startup.first_admin(bad, parts.database, "http://test")


async def test_an_account_that_is_there(parts: Services) -> None:
    await add_user(parts, EMAIL)
    with pytest.raises(Problem) as refused:
        await parts.users.create(COMMAND_LINE, EMAIL.upper(), PASSWORD)
    assert refused.value.status == 409
    async with parts.database.session() as session:
        assert len(list(await session.exec(select(User).where(col(User.email) == EMAIL)))) == 1
