"""How many stores somebody may ask for: whoever asks, by whatever door, in however many processes."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlmodel import col, select, update

from app import services
from app.actor import Actor
from app.migrations import migrate
from app.problems import Problem
from app.services import Services
from app.settings import Settings
from provisioning.database import Database
from provisioning.models import AuditEntry, Store, now
from provisioning.states import State
from tests.integration.conftest import BOTH_DATABASES, add_user, token_of

STORES, ME = "/api/v1/stores", "/api/v1/me"


@pytest.fixture
def chosen_settings() -> dict[str, int]:
    return {"in_flight": 50, "stores_per_user": 3, "stores_in_all": 8, "creations_an_hour": 4}


async def ask(client: httpx.AsyncClient, name: str) -> httpx.Response:
    return await client.post(STORES, json={"name": name})


async def forget(parts: Services, *names: str) -> None:
    """Let these stores be gone, as after their deletion."""
    async with parts.database.session() as session:
        for store in await session.exec(select(Store).where(col(Store.name).in_(names))):
            await session.delete(store)
        await session.commit()


@BOTH_DATABASES
async def test_nobody_has_more_stores_than_allowed_however_many_are_asked_for_at_once(
    client: httpx.AsyncClient, parts: Services
) -> None:
    answers = await asyncio.gather(*(ask(client, f"shop-{n}") for n in range(6)))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [403] * 3
    refused = next(answer for answer in answers if answer.status_code == 403)
    assert "as many stores as you may have (3)" in refused.json()["detail"]
    assert "retry-after" not in refused.headers
    async with parts.database.session() as session:
        noted = (await session.exec(select(AuditEntry).where(col(AuditEntry.outcome) == "refused"))).all()
    assert [each.action for each in noted] == ["store.create"] * 3


async def test_a_store_counts_until_it_is_gone(client: httpx.AsyncClient, parts: Services) -> None:
    for n in range(3):
        assert (await ask(client, f"shop-{n}")).status_code == 202
    assert (await client.delete(f"{STORES}/shop-0")).json()["state"] == State.DELETING
    assert (await ask(client, "another")).status_code == 403
    await forget(parts, "shop-0")
    assert (await ask(client, "another")).status_code == 202


@BOTH_DATABASES
async def test_an_hour_has_so_many_creations_and_the_refusal_says_when_the_next_can_be(
    client: httpx.AsyncClient, parts: Services, boris: Actor
) -> None:
    for n in range(3):
        assert (await ask(client, f"shop-{n}")).status_code == 202
    await forget(parts, "shop-0", "shop-1", "shop-2")  # who creates and deletes is counted all the same
    assert (await ask(client, "fourth")).status_code == 202
    refused = await ask(client, "fifth")
    assert refused.status_code == 429
    assert 3500 < int(refused.headers["retry-after"]) <= 3600
    assert "minute" in refused.json()["detail"]

    same = {"Authorization": f"Bearer {await token_of(parts, boris)}"}
    assert (await client.post(STORES, json={"name": "of-boris"}, headers=same)).status_code == 429  # one address
    await parts.stores.create(replace(boris, address="203.0.113.9"), "of-boris")  # another one

    async with parts.database.session() as session:
        first = (await session.exec(select(AuditEntry).where(col(AuditEntry.action) == "store.create"))).first()
        assert first is not None
        before = now() - timedelta(minutes=61)
        await session.exec(update(AuditEntry).where(col(AuditEntry.id) == first.id).values(at=before))
        await session.commit()
    assert (await ask(client, "fifth")).status_code == 202


async def test_refused_creations_use_up_nothing(client: httpx.AsyncClient) -> None:
    assert (await ask(client, "shop")).status_code == 202
    for _ in range(6):
        assert (await ask(client, "shop")).status_code == 409
    assert (await ask(client, "another")).status_code == 202


async def test_the_platform_holds_so_many_stores_whoever_asks(parts: Services, admin: Actor, anna: Actor) -> None:
    at_home = replace(admin, address="203.0.113.9")
    for n in range(8):  # an administrator is bound by neither of the other two
        await parts.stores.create(at_home, f"shop-{n}")
    for who in (at_home, anna):
        with pytest.raises(Problem, match="as many stores as it may have") as refused:
            await parts.stores.create(who, "one-more")
        assert (refused.value.status, refused.value.retry_after) == (403, None)
    assert (await parts.stores.standing(anna)).view().platform_full


async def test_what_is_left_is_told_before(client: httpx.AsyncClient, parts: Services, admin: Actor) -> None:
    await ask(client, "shop-0")
    assert (await client.get(ME)).json()["limits"] == {
        "stores": {"of": 3, "left": 2},
        "creations_an_hour": {"of": 4, "left": 3},
        "platform_full": False,
    }
    token = {"Authorization": f"Bearer {await token_of(parts, admin)}"}
    told = (await client.get(ME, headers=token)).json()["limits"]
    assert told == {"stores": None, "creations_an_hour": None, "platform_full": False}


async def test_an_administrator_gives_somebody_another_number(
    client: httpx.AsyncClient, parts: Services, admin: Actor, anna: Actor
) -> None:
    path, token = f"/api/v1/users/{anna.email}/limit", {"Authorization": f"Bearer {await token_of(parts, admin)}"}
    for given, statuses in ((1, [202, 403]), (2, [202, 403]), (0, [403])):
        answer = await client.put(path, json={"stores": given}, headers=token)
        assert (answer.status_code, answer.json()) == (200, {"stores": given})
        assert [(await ask(client, f"shop-{given}-{n}")).status_code for n in range(len(statuses))] == statuses
    assert (await client.get(ME)).json()["limits"]["stores"] == {"of": 0, "left": 0}
    assert (await client.put(path, json={"stores": None}, headers=token)).json() == {"stores": None}
    assert (await client.get(ME)).json()["limits"]["stores"] == {"of": 3, "left": 1}
    async with parts.database.session() as session:
        noted = (await session.exec(select(AuditEntry).where(col(AuditEntry.action) == "user.limit"))).all()
    assert [(each.actor, each.detail["before"], each.detail["stores"]) for each in noted] == [
        (admin.email, None, 1),
        (admin.email, 1, 2),
        (admin.email, 2, 0),
        (admin.email, 0, None),
    ]


@pytest.mark.parametrize("email", ["anna@example.com", "admin@example.com", "nobody@example.com", "%00"])
async def test_nobody_else_changes_a_number_or_learns_who_has_an_account(
    client: httpx.AsyncClient, admin: Actor, email: str
) -> None:
    answer = await client.put(f"/api/v1/users/{email}/limit", json={"stores": 1000})
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Only an administrator can change how many stores somebody may have."


@pytest.mark.parametrize("body", [{}, {"stores": -1}, {"stores": "7"}, {"stores": 10**9}, {"stores": True}, []])
async def test_a_number_that_is_none(client: httpx.AsyncClient, parts: Services, admin: Actor, body: object) -> None:
    token = {"Authorization": f"Bearer {await token_of(parts, admin)}"}
    assert (await client.put(f"/api/v1/users/{admin.email}/limit", json=body, headers=token)).status_code == 422
    unknown = await client.put("/api/v1/users/nobody@example.com/limit", json={"stores": 1}, headers=token)
    assert unknown.status_code == 404


async def test_processes_count_together(parts_on_postgres: tuple[Services, Services]) -> None:
    one, other = parts_on_postgres
    anna = await add_user(one, "anna@example.com")
    asked = [(one, other)[n % 2].stores.create(anna, f"shop-{n}") for n in range(10)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [each.status for each in answers if isinstance(each, Problem)]
    assert len(answers) - len(refused) == 3
    assert set(refused) == {403}


@pytest.fixture
async def parts_on_postgres(postgres_url, tmp_path, chosen_settings):
    """Two processes' parts on one database."""
    database = Database(postgres_url)
    await migrate(database)
    await database.close()
    given = {"data_dir": tmp_path, "store_url": "http://{name}.localhost", **chosen_settings}
    both = [services.compose(Settings(database_url=postgres_url, **given)) for _ in range(2)]
    yield tuple(both)
    for each in both:
        await each.database.close()
