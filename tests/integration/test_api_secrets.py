"""New secrets and plans through the front door: who may ask for what, and what is told."""

import httpx
import pytest
from sqlmodel import select

from app.actor import Actor
from app.audit import AuditFilter
from app.problems import Problem
from app.services import Services
from provisioning.models import StoreSecret
from provisioning.states import State
from tests.integration.conftest import BOTH_DATABASES
from tests.integration.test_api_stores import STORES, move, problem

ROTATE = f"{STORES}/bikeshop/rotate-secrets"


async def row(parts: Services) -> StoreSecret:
    async with parts.database.session() as session:
        return (await session.exec(select(StoreSecret))).one()


@pytest.fixture
async def ready(client: httpx.AsyncClient, parts: Services) -> httpx.AsyncClient:
    await client.post(STORES, json={"name": "bikeshop"})
    await move(parts, "bikeshop", State.PROVISIONING, State.READY)
    return client


@BOTH_DATABASES
async def test_new_secrets_lie_beside_those_in_force(ready: httpx.AsyncClient, parts: Services, admin: Actor) -> None:
    before = await row(parts)
    for _ in range(2):  # the second click
        answer = await ready.post(ROTATE)
        assert answer.status_code == 202
        assert answer.json()["state"] == "READY"
    after = await row(parts)
    assert (after.sealed, after.generation) == (before.sealed, 1)
    assert after.next is not None
    old, new = parts.sealer.unseal(before.sealed), parts.sealer.unseal(after.next)
    assert {key for key in new if new[key] == old[key]} == {"admin-email"}
    told = (await ready.get(f"{STORES}/bikeshop/events")).json()["items"]
    assert [each["message"] for each in told][1:] == ["New secrets requested by anna@example.com"]
    entries = (await parts.audit.list(admin, AuditFilter(action="store.rotate"))).items
    assert [(each.actor, each.outcome, each.detail) for each in entries] == [
        ("anna@example.com", "ok", {"secrets": ["admin", "database", "sessions"]})
    ]


async def test_some_can_be_left_as_they_are(ready: httpx.AsyncClient, parts: Services) -> None:
    await ready.post(ROTATE, json={"secrets": ["database"]})
    found = await row(parts)
    old, new = parts.sealer.unseal(found.sealed), parts.sealer.unseal(found.next or b"")
    assert {key for key in new if new[key] != old[key]} == {"database-user", "database-password"}


@pytest.mark.parametrize("body", [{"secrets": []}, {"secrets": ["all"]}, {"secrets": "database"}, {"which": []}, []])
async def test_what_cannot_be_rotated(ready: httpx.AsyncClient, parts: Services, body: object) -> None:
    problem(await ready.post(ROTATE, json=body), 422)
    assert (await row(parts)).next is None


async def test_only_a_shop_that_runs_gets_new_ones(client: httpx.AsyncClient, parts: Services) -> None:
    await client.post(STORES, json={"name": "bikeshop"})
    assert "READY" in problem(await client.post(ROTATE), 409)["detail"]


async def test_somebody_elses_is_not_there(ready: httpx.AsyncClient, parts: Services, boris: Actor) -> None:
    with pytest.raises(Problem) as refused:
        await parts.stores.rotate(boris, "bikeshop")
    assert refused.value.status == 404
    assert (await row(parts)).next is None


async def test_secrets_that_are_kept_elsewhere(ready: httpx.AsyncClient, parts: Services, anna: Actor) -> None:
    parts.stores.secrets_elsewhere = True
    assert "external secret store" in problem(await ready.post(ROTATE), 409)["detail"]
    with pytest.raises(Problem, match="external secret store"):
        await parts.stores.credentials(anna, "bikeshop")
    await ready.post(STORES, json={"name": "another"})
    async with parts.database.session() as session:
        sealed = [parts.sealer.unseal(each.sealed) for each in (await session.exec(select(StoreSecret))).all()]
    assert {} in sealed, "none are made"


async def test_a_plan_that_its_own_quota_would_refuse(client: httpx.AsyncClient, parts: Services) -> None:
    parts.stores.unfit = {"small": "The parts of a store ask for more than the plan small gives: storage of 10240Mi."}
    told = problem(await client.post(STORES, json={"name": "bikeshop"}), 422)
    assert told["errors"][0]["field"] == "plan"
    assert "Choose another plan" in told["detail"]
    assert (await client.post(STORES, json={"name": "bikeshop", "plan": "medium"})).status_code == 202
