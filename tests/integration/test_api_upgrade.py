"""Upgrade and rollback through the front door: who may ask, what is told, what is refused.  What comes of it is in
`test_upgrade`."""

from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from app.actor import Actor
from app.audit import AuditFilter
from app.services import Services
from provisioning.models import Store, StoreSecret
from provisioning.rotation import Part
from provisioning.states import State
from tests.integration.conftest import BOTH_DATABASES
from tests.integration.test_api_stores import STORES, move, problem

SHOP, UPGRADE, ROLLBACK = (f"{STORES}/bikeshop{path}" for path in ("", "/upgrade", "/rollback"))
EARLIER = [{"revision": 3, "version": "2.21.1", "spec": "b"}, {"revision": 1, "version": "2.20.0", "spec": "a"}]


async def row(parts: Services) -> Store:
    async with parts.database.session() as session:
        return (await session.exec(select(Store))).one()


async def told(parts: Services, **columns: Any) -> None:
    """What the engine would write down of the store's releases."""
    async with parts.database.session() as session:
        store = (await session.exec(select(Store))).one()
        await parts.database.set_release(session, store, **columns)
        await session.commit()


@pytest.fixture
async def ready(client: httpx.AsyncClient, parts: Services) -> httpx.AsyncClient:
    await client.post(STORES, json={"name": "bikeshop"})
    await move(parts, "bikeshop", State.PROVISIONING, State.READY)
    await told(parts, version="2.21.2", revision=4)
    return client


@BOTH_DATABASES
async def test_an_upgrade_goes_through_the_queue(ready: httpx.AsyncClient, parts: Services, admin: Actor) -> None:
    assert (await ready.get(SHOP)).json()["upgrade"] is None
    assert "the newest release" in problem(await ready.post(UPGRADE), 409)["detail"]
    await told(parts, upgrade_to="2.22.0", pinned="a")
    assert (await ready.get(SHOP)).json()["upgrade"] == {"version": "2.22.0"}
    answer = await ready.post(UPGRADE)
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["upgrade"], answer.json()["version"]) == ("REQUESTED", None, "2.21.2")
    assert (await row(parts)).pinned is None
    refused = problem(await ready.post(UPGRADE), 409)  # the second click
    assert refused["detail"] == "The store is REQUESTED; this needs a store that is READY or FAILED."
    lines = [each["message"] for each in (await ready.get(f"{SHOP}/events")).json()["items"]]
    assert lines[1:] == [
        "Upgrade requested by anna@example.com: 2.21.2 → 2.22.0",
        "New database password requested, with the upgrade, by anna@example.com",
    ]
    entries = (await parts.audit.list(admin, AuditFilter(action="store.upgrade"))).items
    assert [(each.actor, each.outcome) for each in entries] == [
        ("anna@example.com", outcome) for outcome in ("refused", "ok", "refused")
    ]


async def test_only_the_databases_password_is_made_anew(ready: httpx.AsyncClient, parts: Services) -> None:
    await told(parts, upgrade_to="2.21.2")
    await ready.post(UPGRADE)
    async with parts.database.session() as session:
        found = (await session.exec(select(StoreSecret))).one()
    old, new = parts.sealer.unseal(found.sealed), parts.sealer.unseal(found.next or b"")
    assert {key for key in new if new[key] != old.get(key)} == {"database-user", "database-password"}
    lines = [each["message"] for each in (await ready.get(f"{SHOP}/events")).json()["items"]]
    assert lines[1] == "Upgrade requested by anna@example.com", "the same version is no news"


async def test_secrets_that_are_kept_elsewhere_are_left_alone(ready: httpx.AsyncClient, parts: Services) -> None:
    parts.stores.secrets_elsewhere = True
    await told(parts, upgrade_to="2.22.0")
    assert (await ready.post(UPGRADE)).status_code == 202
    async with parts.database.session() as session:
        assert (await session.exec(select(StoreSecret.next))).one() is None


@BOTH_DATABASES
@pytest.mark.parametrize(("body", "spec"), [(None, "b"), ({}, "b"), ({"revision": 1}, "a")])
async def test_a_rollback_is_to_the_one_before_or_to_the_one_that_is_named(
    ready: httpx.AsyncClient, parts: Services, admin: Actor, body: dict[str, int] | None, spec: str
) -> None:
    await told(parts, earlier=EARLIER)
    assert (await ready.get(SHOP)).json()["rollback"] == {"revision": 3, "version": "2.21.1"}
    answer = await ready.post(ROLLBACK, json=body) if body is not None else await ready.post(ROLLBACK)
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["rollback"]) == ("REQUESTED", None)
    assert (await row(parts)).pinned == spec
    problem(await ready.post(ROLLBACK), 409)
    async with parts.database.session() as session:
        assert (await session.exec(select(StoreSecret.next))).one() is None
    [last] = [each["message"] for each in (await ready.get(f"{SHOP}/events")).json()["items"]][1:]
    assert last.startswith("Rollback requested by anna@example.com: to revision ")


async def test_what_cannot_be_rolled_back_to(ready: httpx.AsyncClient, parts: Services, admin: Actor) -> None:
    assert "no earlier release" in problem(await ready.post(ROLLBACK), 409)["detail"]
    await told(parts, earlier=EARLIER)
    assert "Choose one of: 3, 1." in problem(await ready.post(ROLLBACK, json={"revision": 2}), 409)["detail"]
    for body in ({"revision": 0}, {"revision": "one"}, {"to": 1}, {"revision": 2**31}, [1]):
        problem(await ready.post(ROLLBACK, json=body), 422)
    assert (await row(parts)).state is State.READY
    entries = (await parts.audit.list(admin, AuditFilter(action="store.rollback"))).items
    assert [each.outcome for each in entries] == ["refused", "refused"]


async def test_a_store_that_failed_on_the_way(ready: httpx.AsyncClient, parts: Services) -> None:
    await told(parts, upgrade_to=None, earlier=EARLIER)
    await move(parts, "bikeshop", State.REQUESTED, State.PROVISIONING, State.FAILED)
    assert "retry it" in problem(await ready.post(UPGRADE), 409)["detail"]
    assert (await ready.post(ROLLBACK)).status_code == 202


async def test_no_other_release_for_a_store_that_is_deleted(ready: httpx.AsyncClient, parts: Services) -> None:
    await told(parts, upgrade_to="2.22.0", earlier=EARLIER)
    assert (await ready.delete(SHOP)).json()["upgrade"] is None
    for path in (UPGRADE, ROLLBACK):
        assert "DELETING" in problem(await ready.post(path), 409)["detail"]


async def test_a_rotation_that_is_under_way_goes_on(ready: httpx.AsyncClient, parts: Services, anna: Actor) -> None:
    await parts.stores.rotate(anna, "bikeshop", [Part.ADMIN])
    await told(parts, upgrade_to="2.22.0")
    async with parts.database.session() as session:
        asked = (await session.exec(select(col(StoreSecret.next)))).one()
        assert (await ready.post(UPGRADE)).status_code == 202
        assert (await session.exec(select(col(StoreSecret.next)))).one() == asked
