"""Links for whoever forgot their password: who gets one, what it does, and that it tells strangers nothing."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, select, update

from app import api
from app.actor import COMMAND_LINE, Actor
from app.guard import Guard
from app.models import PasswordLink, User
from app.problems import Problem
from app.services import Services
from provisioning.models import AuditEntry, Outcome, now
from tests.integration.conftest import BOTH_DATABASES, add_user, token_of

PASSWORD, OTHER = "correct horse", "another password"
ADDRESS = "203.0.113.5"


@pytest.fixture
async def dora(parts: Services) -> User:
    return await parts.users.create(COMMAND_LINE, "dora@example.com", PASSWORD)


async def link_for(parts: Services, actor: Actor, email: str = "dora@example.com") -> str:
    """What proves that one holds it."""
    made = await parts.password_links.create(actor, email, base="https://shop.example.com/")
    assert made.link.startswith("https://shop.example.com/password?token=")
    return made.link.partition("=")[2]


async def trail(parts: Services, *actions: str) -> list[AuditEntry]:
    async with parts.database.session() as session:
        query = select(AuditEntry).where(col(AuditEntry.action).in_(actions)).order_by(col(AuditEntry.id))
        return list(await session.exec(query))


@BOTH_DATABASES
async def test_a_link_sets_the_password_once_and_ends_every_session(parts: Services, admin: Actor, dora: User) -> None:
    sessions = [await parts.sessions.open(dora, address="", agent="") for _ in range(2)]
    told: list[str] = []
    parts.user_changes.subscribe(told.append)
    proof = await link_for(parts, admin, " Dora@Example.com ")
    assert await parts.password_links.email_of(proof) == dora.email
    async with parts.database.session() as session:
        [row] = list(await session.exec(select(PasswordLink)))
    assert proof not in str(row.model_dump())
    assert timedelta(hours=23) < row.expires_at - now() <= timedelta(hours=24)
    with pytest.raises(Problem, match="at least 8"):
        await parts.password_links.use(proof, "short", address=ADDRESS)
    used = await asyncio.gather(
        *(parts.password_links.use(proof, OTHER, address=ADDRESS) for _ in range(3)), return_exceptions=True
    )
    assert [each.id for each in used if isinstance(each, User)] == [dora.id]
    assert {each.status for each in used if isinstance(each, Problem)} == {403}
    assert [await parts.sessions.actor(each) for each in sessions] == [None, None]
    assert dora.id in told
    assert await parts.users.authenticate(dora.email, PASSWORD, address="") is None
    assert await parts.users.authenticate(dora.email, OTHER, address="")
    made, *tried = await trail(parts, "password.link", "password.reset")
    assert (made.actor, made.detail) == (admin.email, {"user": dora.email, "user_id": dora.id})
    [done] = [each for each in tried if each.outcome == Outcome.OK]
    assert (done.actor, done.address, done.detail) == (dora.email, ADDRESS, {"sessions_ended": 2})
    assert len([each for each in tried if each.outcome == Outcome.REFUSED]) == 2
    assert proof not in str([made, *tried])


@BOTH_DATABASES
async def test_links_that_cannot_be_used(parts: Services, admin: Actor, dora: User) -> None:
    async def refused(proof: str) -> None:
        assert await parts.password_links.email_of(proof) is None
        with pytest.raises(Problem, match="not valid any more") as problem:
            await parts.password_links.use(proof, OTHER, address="")
        assert problem.value.status == 403

    old, expired = await link_for(parts, admin), await link_for(parts, admin)
    async with parts.database.session() as session:
        await session.exec(update(PasswordLink).values(expires_at=now() - timedelta(seconds=1)))
        await session.commit()
    for proof in (old, expired, "guess", "", "\0"):
        await refused(proof)
    other = await add_user(parts, "other@example.com", admin=True)
    demoted = await link_for(parts, other)
    await parts.users.set_admin(admin, other.email, False)
    await refused(demoted)
    disabled = await link_for(parts, admin)
    await parts.users.set_disabled(admin, dora.email, True)
    await refused(disabled)
    with pytest.raises(Problem, match="disabled"):
        await link_for(parts, admin)
    await parts.users.set_disabled(admin, dora.email, False)
    await refused(disabled)
    remembered = await link_for(parts, admin)
    actor = await parts.sessions.actor(await parts.sessions.open(dora, address="", agent=""))
    assert actor is not None
    await parts.users.change_password(actor, PASSWORD, OTHER)
    await refused(remembered)
    assert await parts.users.authenticate(dora.email, OTHER, address="")


async def test_who_has_no_password_gets_none_but_by_the_command_line(parts: Services, admin: Actor, dora: User) -> None:
    async with parts.database.session() as session:
        await session.exec(update(User).where(col(User.id) == dora.id).values(password_hash=""))
        await session.commit()
    with pytest.raises(Problem, match="sign in by the provider") as refused:
        await link_for(parts, admin)
    assert refused.value.status == 409
    await parts.password_links.use(await link_for(parts, COMMAND_LINE), OTHER, address="")
    assert await parts.users.authenticate(dora.email, OTHER, address="")


async def test_guesses_are_throttled_by_address_and_keep_nobody_else_out(
    parts: Services, admin: Actor, dora: User
) -> None:
    proof = await link_for(parts, admin)
    for number in range(30):
        with pytest.raises(Problem, match="not valid any more"):
            await parts.password_links.use(f"guess {number}", OTHER, address=ADDRESS)
    for guess in ("one more", proof):
        with pytest.raises(Problem, match="too many attempts") as refused:
            await parts.password_links.use(guess, OTHER, address=ADDRESS)
        assert (refused.value.status, refused.value.retry_after is not None) == (429, True)
    assert len(await trail(parts, "sign_in.throttled")) == 1
    assert (await parts.password_links.use(proof, OTHER, address="198.51.100.1")).id == dora.id


async def test_the_form(browser: httpx.AsyncClient, parts: Services, admin: Actor, dora: User) -> None:
    assert "Ask an administrator for a link" in (await browser.get("/sign-in")).text
    proof = await link_for(parts, admin)
    shown = await browser.get("/password", params={"token": proof})
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
    assert dora.email in shown.text
    short = await browser.post("/password", data={"token": proof, "password": "short"})
    assert short.status_code == 422
    assert "at least 8" in short.text
    done = await browser.post("/password", data={"token": proof, "password": OTHER})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    actor = await parts.sessions.actor(browser.cookies["storefleet"])
    assert actor is not None
    assert actor.user_id == dora.id
    for answer in (
        await browser.get("/password", params={"token": proof}),
        await browser.post("/password", data={"token": proof, "password": OTHER}),
        await browser.get("/password"),
    ):
        assert answer.status_code in (403, 404)
        assert "This link cannot be used" in answer.text
        assert dora.email not in answer.text


async def test_over_the_api(parts: Services, admin: Actor, anna: Actor, dora: User) -> None:
    transport = httpx.ASGITransport(Guard(api.build(parts)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def ask(actor: Actor, email: str) -> httpx.Response:
            headers: Any = {"Authorization": f"Bearer {await token_of(parts, actor)}"}
            return await client.post(f"/api/v1/users/{email}/password-link", headers=headers)

        made = await ask(admin, dora.email)
        assert made.status_code == 201
        assert made.json()["link"].startswith("http://test/password?token=")
        assert (await ask(admin, "nobody@example.com")).status_code == 404
        refused = [await ask(anna, email) for email in (dora.email, "nobody@example.com")]
        assert [each.status_code for each in refused] == [403, 403]
        assert refused[0].json() == refused[1].json()
