"""The orphan sweep on a cluster: found, reported, cleaned; what is not ours stays."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlmodel import col, delete, select

from app import api
from app.actor import Actor
from app.guard import Guard
from app.problems import Problem
from app.services import Services
from provisioning import destruction, orphans, sweep
from provisioning.audit import Who
from provisioning.cluster import Obj
from provisioning.models import AuditEntry, Event, Store, StoreSecret, Transition
from provisioning.orphans import Policy
from provisioning.sweep import Sweep
from tests.integration.conftest import token_of
from tests.integration.fleet import Fleet, fleet_on, sandbox_in

GONE = "0" * 32  # the id of a store that nobody knows


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with sandbox_in() as sandbox, fleet_on(sandbox, tmp_path) as fleet:
        yield fleet


async def sweep_of(fleet: Fleet, policy: Policy = Policy.REPORT) -> Sweep:
    return Sweep(fleet.database, fleet.cluster, await fleet.database.installation(), policy)


async def deleted_before(fleet: Fleet) -> None:
    """The receipt of the store GONE."""
    gone = Store(id=GONE, name="lost", owner_id="ann", template="medusa", plan="small", url="", version="")
    async with fleet.database.session() as session:
        await destruction.leave_receipt(session, gone, [])
        await session.commit()


async def found(sweep: Sweep) -> list[str]:
    return [orphan.reference for orphan in (await sweep.look()).orphans]


async def audited(fleet: Fleet) -> list[tuple[str, str]]:
    """What the audit trail says was removed, and by whom."""
    async with fleet.database.session() as session:
        entries = await session.exec(select(AuditEntry).where(col(AuditEntry.action) == "orphan.clean"))
        return [(entry.detail["object"], entry.actor) for entry in entries]


def namespace(name: str, installation: str, store: str = GONE) -> Obj:
    labels = {"storefleet.dev/installation": installation, "storefleet.dev/store": store}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def secret(space: str, labels: dict[str, str]) -> Obj:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": space, "labels": labels}}


async def test_a_store_leaves_no_orphan_alive_or_gone(fleet):
    sweep = await sweep_of(fleet)
    await fleet.ask("shop")
    assert await found(sweep) == []
    await fleet.settled("shop")
    assert await found(sweep) == []
    await fleet.delete("shop")
    await fleet.gone("shop")
    assert await found(sweep) == []


async def test_what_is_ours_without_a_row_is_cleaned_and_what_is_foreign_stays(fleet, monkeypatch):
    installation = await fleet.database.installation()
    ours = namespace("store-lost", installation)
    for space in (ours, namespace("store-theirs", "another"), namespace("store-bare", ""), namespace("theirs", "")):
        await fleet.cluster.create(space)
    await fleet.cluster.create(secret("theirs", ours["metadata"]["labels"]))
    await fleet.cluster.create(secret("store-bare", {"app": "theirs"}))
    await fleet.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "bare"},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": "/bare"},
                "claimRef": {"namespace": "store-lost", "name": "data", "uid": "gone"},
            },
        }
    )
    sweeping = await sweep_of(fleet, Policy.CLEAN)
    assert await found(sweeping) == ["namespace/store-lost", "secret/key"]

    await deleted_before(fleet)
    await sweeping.run()
    assert await audited(fleet) == []
    later = orphans.CLEANED_AFTER
    monkeypatch.setattr(sweep, "now", lambda at=sweep.now: at() + later)
    await sweeping.run()
    assert await audited(fleet) == [("namespace/store-lost", "the orphan sweep"), ("secret/key", "the orphan sweep")]
    await sweeping.run()
    assert await found(sweeping) == []
    for name in ("store-theirs", "store-bare", "theirs"):
        assert await fleet.cluster.get("Namespace", name), name
    assert await fleet.cluster.get("Secret", "key", "store-bare")
    assert await fleet.cluster.get("PersistentVolume", "bare")


async def test_a_restored_backup_costs_no_store_that_was_made_after_it(fleet, monkeypatch):
    await fleet.ask("old")
    await fleet.settled("old")
    await fleet.ask("new")
    new = await fleet.settled("new")
    await fleet.engine.stop()
    async with fleet.database.session() as session:  # as the backup had it
        for table in (StoreSecret, Transition, Event):
            await session.exec(delete(table).where(col(table.store_id) == new.id))
        await session.exec(delete(Store).where(col(Store.id) == new.id))
        await session.commit()
    sweeping = await sweep_of(fleet, Policy.CLEAN)
    await sweeping.run()
    assert await found(sweeping) == ["namespace/store-new"]
    monkeypatch.setattr(sweep, "now", lambda at=sweep.now: at() + timedelta(days=1))
    await sweeping.run()
    assert await audited(fleet) == []
    there = await fleet.cluster.get("Namespace", "store-new")
    assert there is not None
    assert "deletionTimestamp" not in there["metadata"]
    # A person may still judge it.
    (orphan,) = (await sweeping.look()).orphans
    assert await sweeping.clean(orphan, Who("admin@example.com"))


async def test_the_policy_to_report_removes_nothing(fleet, monkeypatch):
    await fleet.cluster.create(namespace("store-lost", await fleet.database.installation()))
    sweeping = await sweep_of(fleet)
    await sweeping.run()
    monkeypatch.setattr(sweep, "now", lambda at=sweep.now: at() + timedelta(days=1))
    await sweeping.run()
    assert await found(sweeping) == ["namespace/store-lost"]


async def test_volumes_are_labelled_while_their_claim_proves_whose_they_are(fleet):
    await fleet.ask("shop")
    store = await fleet.settled("shop")
    await (await sweep_of(fleet)).run()
    (volume,) = (await fleet.cluster.list_all("PersistentVolume"))[0]
    assert volume["metadata"]["labels"]["storefleet.dev/store"] == store.id


async def test_a_store_that_lost_everything_is_told(fleet):
    await fleet.ask("shop")
    await fleet.settled("shop")
    await fleet.engine.stop()  # which would repair it
    await fleet.cluster.delete("Namespace", "store-shop")
    sweep = await sweep_of(fleet)
    for _ in range(500):
        if (await fleet.cluster.get("Namespace", "store-shop")) is None:
            break
    assert await found(sweep) == ["store/shop"]


# Through the service and the API


async def test_an_administrator_sees_and_cleans_and_nobody_else(fleet, parts: Services, admin: Actor, anna: Actor):
    await fleet.cluster.create(namespace("store-lost", await fleet.database.installation()))
    parts.platform.sweep = await sweep_of(fleet)
    transport = httpx.ASGITransport(Guard(api.build(parts)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        as_anna = {"Authorization": f"Bearer {await token_of(parts, anna)}"}
        as_admin = {"Authorization": f"Bearer {await token_of(parts, admin)}"}
        assert (await client.get("/api/v1/platform/orphans", headers=as_anna)).status_code == 403
        answer = (await client.get("/api/v1/platform/orphans", headers=as_admin)).json()
        (orphan,) = answer["items"]
        assert (answer["policy"], orphan["kind"], orphan["name"]) == ("report", "Namespace", "store-lost")
        path = f"/api/v1/platform/orphans/{orphan['id']}"
        assert (await client.delete(path, headers=as_anna)).status_code == 403
        assert (await client.delete(path, headers=as_admin)).status_code == 202
        for _ in range(500):
            if (await client.delete(path, headers=as_admin)).status_code == 404:
                break
        assert (await client.get("/api/v1/platform/orphans", headers=as_admin)).json()["items"] == []
        refused = (await client.get("/api/v1/audit?action=orphan.clean", headers=as_admin)).json()["items"]
        assert {(each["actor"], each["outcome"]) for each in refused} == {
            ("anna@example.com", "refused"),
            ("admin@example.com", "refused"),  # asked again when it was gone
        }
    assert await audited(fleet) == [("namespace/store-lost", "admin@example.com")]


async def test_without_a_cluster_it_says_so(parts: Services, admin: Actor):
    with pytest.raises(Problem) as refusal:
        await parts.platform.orphans(admin)
    assert (refusal.value.status, bool(refusal.value.retry_after)) == (503, True)


async def test_what_runs_now_is_the_administrators(parts: Services, admin: Actor, anna: Actor):
    await parts.stores.create(anna, "first")
    await parts.stores.create(anna, "second")
    now = await parts.platform.now(admin)
    assert [(store.name, store.owner, store.queue_position) for store in now.queue] == [
        ("first", "anna@example.com", 1),
        ("second", "anna@example.com", 2),
    ]
    assert (now.at_once, now.in_flight, now.working, now.capacity, now.leader) == (5, 4, [], None, None)
    with pytest.raises(Problem) as refusal:
        await parts.platform.now(anna)
    assert refusal.value.status == 403
