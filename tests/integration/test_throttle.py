"""Sign-in is throttled: the same whether there is an account or not, in every process, and for nobody for long."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlmodel import col, select, update

from app import passwords, services
from app.actor import COMMAND_LINE
from app.migrations import migrate
from app.models import SignInFailure, User
from app.problems import Problem
from app.services import Services
from app.settings import Settings
from app.throttle import MEASURES, WITHIN
from provisioning.models import AuditEntry
from tests.integration.conftest import BOTH_DATABASES

EMAIL, PASSWORD = "dora@example.com", "correct horse"
NOBODY = "nobody@example.com"
STRICT, WIDE, SOFT = (measure.failures for measure in MEASURES)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Passwords that cost nothing; the answer is what was looked at."""
    looked_at: list[str] = []

    async def hashed(password: str) -> str:
        return f"hash of {password}"

    async def verify(password: str, stored: str | None) -> bool:
        looked_at.append(password)
        await asyncio.sleep(0)
        return stored == f"hash of {password}"

    monkeypatch.setattr(passwords, "hashed", hashed)
    monkeypatch.setattr(passwords, "verify", verify)
    return looked_at


@pytest.fixture
async def dora(parts: Services) -> User:
    return await parts.users.create(COMMAND_LINE, EMAIL, PASSWORD)


async def attempt(client: httpx.AsyncClient, email: str, password: str = "") -> httpx.Response:
    return await client.post("/sign-in", data={"email": email, "password": password})


async def later(parts: Services, by: timedelta) -> None:
    async with parts.database.session() as session:
        for row in await session.exec(select(SignInFailure)):
            await session.exec(update(SignInFailure).where(col(SignInFailure.id) == row.id).values(at=row.at - by))
        await session.commit()


async def throttled(parts: Services) -> list[AuditEntry]:
    async with parts.database.session() as session:
        return list(await session.exec(select(AuditEntry).where(col(AuditEntry.action) == "sign_in.throttled")))


@BOTH_DATABASES
async def test_the_same_for_who_has_an_account_and_who_has_none(
    browser: httpx.AsyncClient, parts: Services, dora: User, quick: list[str]
) -> None:
    told = []
    for email in (EMAIL, NOBODY):
        answers = [await attempt(browser, email) for _ in range(STRICT + 3)]
        assert [answer.status_code for answer in answers] == [401] * STRICT + [429] * 3
        refused = answers[-1]
        assert 0 < int(refused.headers["retry-after"]) <= WITHIN.total_seconds()
        assert refused.headers["cache-control"] == "no-store"
        told.append([re.sub(f'{email}|data-now="[0-9]+"', "", answer.text) for answer in answers])
    assert told[0] == told[1]
    assert len(quick) == 2 * STRICT  # while it is throttled no password is looked at, right or wrong
    assert (await attempt(browser, EMAIL, PASSWORD)).status_code == 429
    assert len(quick) == 2 * STRICT
    noted = await throttled(parts)
    assert [(each.actor, each.detail["measure"]) for each in noted] == [
        (EMAIL, "account and address"),
        (NOBODY, "account and address"),
    ]
    assert "set-cookie" not in (await attempt(browser, EMAIL, PASSWORD)).headers


@BOTH_DATABASES
async def test_many_at_once_are_no_more_than_one_after_the_other(
    browser: httpx.AsyncClient, dora: User, quick: list[str]
) -> None:
    answers = await asyncio.gather(*(attempt(browser, EMAIL) for _ in range(4 * STRICT)))
    assert sorted(answer.status_code for answer in answers) == [401] * STRICT + [429] * 3 * STRICT
    assert len(quick) == STRICT


async def test_it_ends_by_itself_and_refusals_do_not_prolong_it(
    browser: httpx.AsyncClient, parts: Services, dora: User
) -> None:
    for _ in range(STRICT):
        await attempt(browser, EMAIL)
    await later(parts, WITHIN - timedelta(seconds=30))
    refused = await attempt(browser, EMAIL, PASSWORD)
    assert (refused.status_code, int(refused.headers["retry-after"]) <= 30) == (429, True)
    await later(parts, timedelta(seconds=31))
    assert (await attempt(browser, EMAIL, PASSWORD)).status_code == 303


async def test_who_knows_the_password_may_have_mistyped_it(browser: httpx.AsyncClient, dora: User) -> None:
    for _ in range(3):
        for _ in range(STRICT - 1):
            assert (await attempt(browser, EMAIL)).status_code == 401
        assert (await attempt(browser, EMAIL, PASSWORD)).status_code == 303


async def test_one_address_cannot_try_many_accounts(parts: Services, dora: User) -> None:
    for n in range(WIDE):
        assert await parts.users.authenticate(f"person{n}@example.com", "x", address="203.0.113.9") is None
    with pytest.raises(Problem, match="too many attempts"):
        await parts.users.authenticate(EMAIL, PASSWORD, address="203.0.113.9")
    assert await parts.users.authenticate(EMAIL, PASSWORD, address="203.0.113.10")
    assert [each.detail["measure"] for each in await throttled(parts)] == ["address"]


async def test_with_ipv6_a_network_is_one_address(parts: Services, dora: User) -> None:
    for n in range(STRICT):
        assert await parts.users.authenticate(EMAIL, "x", address=f"2001:db8::{n:x}") is None
    with pytest.raises(Problem):
        await parts.users.authenticate(EMAIL, PASSWORD, address="2001:db8::ffff:1")
    assert await parts.users.authenticate(EMAIL, PASSWORD, address="2001:db8:0:1::1")


async def test_nobody_is_shut_out_by_somebody_else(browser: httpx.AsyncClient, parts: Services, dora: User) -> None:
    await attempt(browser, EMAIL, PASSWORD)
    cookie = browser.cookies["storefleet-browser"]
    assert EMAIL not in cookie
    for n in range(SOFT):  # from everywhere
        assert await parts.users.authenticate(EMAIL, "x", address=f"198.51.{n // 4}.{n}") is None
    with pytest.raises(Problem):
        await parts.users.authenticate(EMAIL, PASSWORD, address="203.0.113.77")
    for n in range(STRICT):  # and from the very address
        with pytest.raises(Problem):
            await parts.users.authenticate(EMAIL, f"x{n}", address="127.0.0.1")
    assert (await attempt(browser, EMAIL, PASSWORD)).status_code == 303  # where she has been before
    assert [each.detail["measure"] for each in await throttled(parts)] == ["account"]

    # The cookie is for this account only, and is no way to try more passwords.
    assert [(await attempt(browser, EMAIL)).status_code for _ in range(STRICT + 1)][-1] == 429
    browser.cookies.set("storefleet-browser", cookie[:-3] + "abc")
    assert (await attempt(browser, EMAIL, PASSWORD)).status_code == 429


async def test_what_was_typed_is_kept_only_as_a_hash(parts: Services) -> None:
    await parts.users.authenticate("my secret password", "x", address="203.0.113.9")
    async with parts.database.session() as session:
        [row] = await session.exec(select(SignInFailure))
    assert "secret" not in str(row)


async def test_processes_count_together(postgres_url: str, tmp_path: Path, quick: list[str]) -> None:
    both = [services.compose(Settings(database_url=postgres_url, data_dir=tmp_path)) for _ in range(2)]
    await migrate(both[0].database)
    await both[0].users.create(COMMAND_LINE, EMAIL, PASSWORD)
    tried = [both[n % 2].users.authenticate(EMAIL, "x", address="203.0.113.9") for n in range(4 * STRICT)]
    answers = await asyncio.gather(*tried, return_exceptions=True)
    assert sum(answer is None for answer in answers) == STRICT == len(quick)
    for each in both:
        await each.database.close()
