"""Signing in by an OpenID provider that really runs, and everything that an attacker may try about it."""

import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import select

from app import oidc, oidc_sign_in, services, sign_in
from app.actor import COMMAND_LINE
from app.guard import Guard
from app.migrations import migrate
from app.models import Identity, User, UserSession
from app.services import Services
from app.settings import Settings, load
from provisioning.models import AuditEntry
from tests.integration.conftest import BOTH_DATABASES
from tests.integration.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIDProvider, new_key, running

PASSWORD = "correct horse"
DORA = {"sub": "dora-1", "email": "Dora@Example.com", "email_verified": True}


@pytest.fixture
async def provider() -> AsyncIterator[OpenIDProvider]:
    async with running() as provider:
        provider.person = dict(DORA)
        yield provider


@pytest.fixture
async def parts(
    database_url: str, tmp_path: Path, migrated_sqlite: Path, provider: OpenIDProvider
) -> AsyncIterator[Services]:
    if database_url.startswith("sqlite"):
        shutil.copy(migrated_sqlite, tmp_path)
    settings = Settings(
        database_url=database_url,
        data_dir=tmp_path,
        url="http://test",
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        oidc_domains="example.com, example.org",
    )
    composed = services.compose(settings)
    await migrate(composed.database)
    yield composed
    await composed.database.close()


class Browser:
    """One that follows us to the provider and back."""

    def __init__(self, parts: Services) -> None:
        app = FastAPI()
        app.state.services = parts
        app.include_router(sign_in.router(parts))
        app.include_router(oidc_sign_in.router(parts))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(Guard(app)), base_url="http://test")

    async def leave(self, **asked: str) -> str:
        """To the provider: the address that we lead to."""
        answer = await self.http.get("/sign-in/oidc", params=asked)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def at_provider(self, address: str) -> str:
        """What the provider sends it back to: the path of ours."""
        async with httpx.AsyncClient() as outside:
            answer = await outside.get(address)
        assert answer.status_code == 302
        back = answer.headers["location"]
        assert back.startswith("http://test/sign-in/oidc/callback?")
        return back.removeprefix("http://test")

    async def come_back(self, path: str) -> httpx.Response:
        return await self.http.get(path)

    async def sign_in(self, **asked: str) -> httpx.Response:
        return await self.come_back(await self.at_provider(await self.leave(**asked)))


@pytest.fixture
async def browser(parts: Services) -> AsyncIterator[Browser]:
    browser = Browser(parts)
    yield browser
    await browser.http.aclose()


async def rows(parts: Services, table: Any) -> list[Any]:
    async with parts.database.session() as session:
        return list(await session.exec(select(table)))


async def nobody_got_in(parts: Services, answer: httpx.Response, says: str = "could not sign you in") -> None:
    assert answer.status_code in (403, 502), answer.text
    assert says in answer.text
    assert "storefleet=" not in answer.headers.get("set-cookie", "")
    assert await rows(parts, UserSession) == []
    assert await rows(parts, Identity) == []


@BOTH_DATABASES
async def test_somebody_new_gets_an_account_and_somebody_known_gets_in(browser: Browser, parts: Services) -> None:
    page = await browser.http.get("/sign-in", params={"next": "/stores/x?a=1"})
    assert "/sign-in/oidc?next=%2Fstores%2Fx%3Fa%3D1" in page.text
    assert "Sign in with single sign-on" in page.text
    for _ in range(2):
        answer = await browser.sign_in(next="/stores/x?a=1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/stores/x?a=1")
    actor = await parts.sessions.actor(browser.http.cookies["storefleet"])
    assert actor is not None
    assert (actor.email, actor.admin) == ("dora@example.com", False)
    assert len(await rows(parts, User)) == len(await rows(parts, Identity)) == 1
    assert await parts.users.authenticate("dora@example.com", "", address="") is None  # no password is no way in
    signed_in = [each.detail for each in await rows(parts, AuditEntry) if each.action == "sign_in"]
    assert signed_in == [{"by": "oidc"}] * 2


async def test_an_account_is_who_it_was_whatever_its_address_is_now(
    browser: Browser, parts: Services, provider: OpenIDProvider
) -> None:
    await browser.sign_in()
    provider.person["email"] = "dora.new@example.com"
    assert (await browser.sign_in()).status_code == 303
    assert [user.email for user in await rows(parts, User)] == ["dora@example.com"]


async def test_the_address_may_be_told_by_userinfo(browser: Browser, provider: OpenIDProvider) -> None:
    provider.in_userinfo = True
    assert (await browser.sign_in()).status_code == 303
    provider.change = {"sub": "somebody else"}
    assert (await browser.sign_in()).status_code == 403


NOT_FOR_THIS_SIGN_IN: tuple[dict[str, Any], ...] = (
    {"iss": "https://evil.example"},
    {"iss": None},
    {"aud": "another client"},
    {"aud": ["another client"]},
    {"aud": [CLIENT_ID, "another client"], "azp": "another client"},
    {"aud": None},
    {"nonce": "of another sign-in"},
    {"nonce": None},
    {"exp": 1_700_000_000},
    {"exp": None},
    {"iat": 4_000_000_000},
    {"nbf": 4_000_000_000},
    {"sub": None},
    {"exp": "soon"},
)


async def test_an_id_token_that_is_not_for_this_sign_in(
    browser: Browser, parts: Services, provider: OpenIDProvider
) -> None:
    for change in NOT_FOR_THIS_SIGN_IN:
        provider.change = change
        await nobody_got_in(parts, await browser.sign_in())


async def test_an_id_token_that_nobody_signed(browser: Browser, parts: Services, provider: OpenIDProvider) -> None:
    for method in ("none", "HS256"):
        provider.method = method
        await nobody_got_in(parts, await browser.sign_in())


async def test_an_id_token_signed_by_somebody_else(browser: Browser, parts: Services, provider: OpenIDProvider) -> None:
    for kid in ("first", "second"):
        provider.key = new_key(kid, other=True)
        await nobody_got_in(parts, await browser.sign_in())


async def test_a_new_key_is_fetched(
    browser: Browser, provider: OpenIDProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await browser.sign_in()).status_code == 303
    provider.key = new_key("second")
    provider.published.append(provider.key)
    monkeypatch.setattr(oidc, "KEYS_AGAIN", 0.0)
    assert (await browser.sign_in()).status_code == 303
    assert provider.asked.count("configuration") == 1


DO_NOT_COUNT: tuple[tuple[dict[str, Any], str], ...] = (
    ({"email_verified": False}, "does not vouch"),
    ({"email_verified": "true"}, "does not vouch"),
    ({"email_verified": None}, "does not vouch"),
    ({"email": None}, "does not vouch"),
    ({"email": ["dora@example.com"]}, "does not vouch"),
    ({"email": "dora@evil.example"}, "cannot sign in by this provider"),
    ({"email": "dora@sub.example.com"}, "cannot sign in by this provider"),
    ({"email": "dora@notexample.com"}, "cannot sign in by this provider"),
    ({"email": "dora@example.com.evil.example"}, "cannot sign in by this provider"),
    ({"email": "dora@example.com@evil.example"}, "cannot sign in by this provider"),
    ({"email": "dora@evil.example@example.com"}, "That is not an e-mail address"),
    ({"email": "<b>@example.com"}, "That is not an e-mail address"),
    ({"email": "example.com"}, "That is not an e-mail address"),
)


async def test_an_address_that_does_not_count(browser: Browser, parts: Services, provider: OpenIDProvider) -> None:
    for person, says in DO_NOT_COUNT:
        provider.person = {key: value for key, value in {**DORA, **person}.items() if value is not None}
        answer = await browser.sign_in()
        assert answer.status_code in (403, 422), person
        assert says in answer.text, person
    assert await rows(parts, User) == await rows(parts, UserSession) == []


async def test_nobody_takes_an_account_by_its_address(browser: Browser, parts: Services) -> None:
    await parts.users.create(COMMAND_LINE, "dora@example.com", PASSWORD)
    await nobody_got_in(parts, await browser.sign_in(), "not connected to this provider")
    # Its owner, signed in, connects it; from then on both ways lead in.
    await browser.http.post("/sign-in", data={"email": "dora@example.com", "password": PASSWORD})
    answer = await browser.sign_in(connect="yes")
    assert answer.headers["location"] == "/account?connected=yes"
    browser.http.cookies.clear()
    assert (await browser.sign_in()).headers["location"] == "/"
    actor = await parts.sessions.actor(browser.http.cookies["storefleet"])
    assert actor is not None
    assert await parts.identities.ways_in(actor) == (True, True)
    await parts.identities.disconnect(actor)
    browser.http.cookies.clear()
    assert (await browser.sign_in()).status_code == 403


async def test_nobody_connects_somebody_else(browser: Browser, parts: Services, provider: OpenIDProvider) -> None:
    await parts.users.create(COMMAND_LINE, "eve@example.com", PASSWORD)
    await browser.http.post("/sign-in", data={"email": "eve@example.com", "password": PASSWORD})
    answer = await browser.sign_in(connect="yes")
    assert answer.headers["location"] == "/account?connected=no"
    assert await rows(parts, Identity) == []
    browser.http.cookies.clear()
    answer = await browser.sign_in(connect="yes")  # and nobody who is not signed in
    assert answer.status_code == 403
    assert await rows(parts, Identity) == []


async def test_an_address_that_came_to_somebody_else(
    browser: Browser, parts: Services, provider: OpenIDProvider
) -> None:
    await browser.sign_in()
    browser.http.cookies.clear()
    provider.person["sub"] = "another person"
    answer = await browser.sign_in()
    assert answer.status_code == 403
    assert len(await rows(parts, Identity)) == 1


async def test_who_is_invited_gets_their_role_and_who_is_disabled_nothing(browser: Browser, parts: Services) -> None:
    await parts.invitations.create(COMMAND_LINE, "dora@example.com", admin=True, base="http://t")
    assert (await browser.sign_in()).status_code == 303
    [dora] = await rows(parts, User)
    assert dora.admin
    assert await parts.invitations.list(COMMAND_LINE) == []
    await parts.users.create(COMMAND_LINE, "root@example.com", PASSWORD, admin=True)
    await parts.users.set_disabled(COMMAND_LINE, dora.email, True)
    browser.http.cookies.clear()
    answer = await browser.sign_in()
    assert (answer.status_code, "disabled" in answer.text) == (403, True)
    assert await rows(parts, UserSession) == []


@BOTH_DATABASES
async def test_what_has_come_back_does_not_come_back_again(
    browser: Browser, parts: Services, provider: OpenIDProvider
) -> None:
    provider.one_use = False  # also where the provider would not mind
    path = await browser.at_provider(await browser.leave())
    cookie = browser.http.cookies["storefleet-oidc"]
    assert (await browser.come_back(path)).status_code == 303
    assert "storefleet-oidc" not in browser.http.cookies
    await parts.sessions.end_all(COMMAND_LINE, (await rows(parts, User))[0])
    browser.http.cookies.clear()
    browser.http.cookies.set("storefleet-oidc", cookie)
    answer = await browser.come_back(path)
    assert (answer.status_code, "used already" in answer.text) == (403, True)
    assert await rows(parts, UserSession) == []


async def test_nobody_finishes_what_another_browser_began(
    browser: Browser, parts: Services, provider: OpenIDProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await browser.at_provider(await browser.leave())
    victim = Browser(parts)  # whom somebody leads to the end of their own sign-in
    await nobody_got_in(parts, await victim.come_back(path), "not begun here")
    await victim.leave()
    await nobody_got_in(parts, await victim.come_back(path), "not begun here")
    await victim.http.aclose()
    code = parse_qs(urlsplit(path).query)["code"][0]
    for forged in ("", "?state=&code=x", f"?code={code}", f"?code={code}&state=guess", f"?code={code}&state=%00"):
        await browser.leave()
        await nobody_got_in(parts, await browser.come_back(f"/sign-in/oidc/callback{forged}"), "not begun here")
    # A code that was given to another sign-in, with the right state of this one: PKCE.
    state = parse_qs(urlsplit(await browser.leave()).query)["state"][0]
    await nobody_got_in(parts, await browser.come_back(f"/sign-in/oidc/callback?code={code}&state={state}"))
    path = await browser.at_provider(await browser.leave())
    await nobody_got_in(parts, await browser.come_back(path.replace("iss=http", "iss=https")))
    path = await browser.at_provider(await browser.leave())
    monkeypatch.setattr(oidc_sign_in.time, "time", lambda: 4_000_000_000.0)
    await nobody_got_in(parts, await browser.come_back(path), "not begun here")


async def test_refused_there(browser: Browser, parts: Services) -> None:
    state = parse_qs(urlsplit(await browser.leave()).query)["state"][0]
    path = f"/sign-in/oidc/callback?error=access_denied&error_description=<b>no&state={state}"
    answer = await browser.come_back(path)
    await nobody_got_in(parts, answer, "You were not signed in at your provider.")
    assert "<b>" not in answer.text


async def test_afterwards_one_is_with_us(browser: Browser) -> None:
    for target in ("https://evil.example", "//evil.example", "/\\evil.example"):
        assert (await browser.sign_in(next=target)).headers["location"] == "/"


ANOTHER_PROVIDER: tuple[dict[str, Any], ...] = (
    {"issuer": "https://evil.example"},
    {"issuer": None},
    {"token_endpoint": "ftp://127.0.0.1/"},
    {"jwks_uri": 7},
    {"authorization_endpoint": "javascript:alert(1)"},
)


async def test_a_provider_that_is_another(browser: Browser, parts: Services, provider: OpenIDProvider) -> None:
    for metadata in ANOTHER_PROVIDER:
        provider.metadata = metadata
        answer = await browser.http.get("/sign-in/oidc")
        await nobody_got_in(parts, answer, "does not answer as it should")


async def test_a_provider_that_is_away(parts: Services, browser: Browser) -> None:
    assert parts.provider is not None
    parts.provider._issuer = "http://127.0.0.1:9"
    await nobody_got_in(parts, await browser.http.get("/sign-in/oidc"), "does not answer as it should")


async def test_no_secret_is_logged_or_kept(
    browser: Browser, parts: Services, provider: OpenIDProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "app")
    await browser.sign_in()
    provider.change = {"nonce": "x"}
    await browser.sign_in()
    provider.change = {}
    path = await browser.at_provider(await browser.leave())
    provider.codes.clear()
    answer = await browser.come_back(path)  # the provider's complaint holds our secret
    assert "a sign-in by OpenID failed" in caplog.text
    kept = f"{await rows(parts, AuditEntry)} {await rows(parts, Identity)} {await rows(parts, UserSession)}"
    for secret in (*provider.secrets, CLIENT_SECRET):
        assert secret not in caplog.text + kept + answer.text
    assert CLIENT_SECRET not in repr(parts.settings)


async def test_without_a_provider_there_is_no_such_way(tmp_path: Path) -> None:
    parts = services.compose(Settings(data_dir=tmp_path))
    await migrate(parts.database)
    browser = Browser(parts)
    assert (await browser.http.get("/sign-in/oidc")).status_code == 404
    assert (await browser.http.get("/sign-in/oidc/callback")).status_code == 404
    assert "oidc" not in (await browser.http.get("/sign-in")).text
    await browser.http.aclose()
    await parts.database.close()


@pytest.mark.parametrize(
    "given",
    [
        {"OIDC_ISSUER": "https://id.example.com"},
        {"OIDC_ISSUER": "http://id.example.com", "URL": "https://s.example.com"},
        {"OIDC_DOMAINS": "https://example.com"},
        {
            "OIDC_ISSUER": "https://id.example.com",
            "OIDC_CLIENT_ID": "x",
            "OIDC_CLIENT_SECRET": "do-not-tell",
            "OIDC_DOMAINS": "example.com",
        },
    ],
)
def test_settings_that_are_not_enough(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"STOREFLEET_{name}", value)
    with pytest.raises(Exception, match="STOREFLEET_OIDC") as refused:
        load()
    assert "do-not-tell" not in str(refused.value)
