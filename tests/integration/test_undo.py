"""A deletion that can be undone: stopped and hidden first, taken back with its data, or destroyed with a receipt."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import col, select, update

from app.actor import Actor
from app.services import Services
from provisioning import audit, destruction, wishes
from provisioning.database import Database, Moved
from provisioning.models import AuditEntry, Store, now
from provisioning.sandbox import ApiFault, ImageFault
from provisioning.states import State
from tests.integration.conftest import BOTH_DATABASES
from tests.integration.fleet import Fleet, fleet_on
from tests.served import Served, command

STORES = "/api/v1/stores"
WINDOW = timedelta(minutes=10)


async def pods(fleet: Fleet) -> list[str]:
    return [pod["metadata"]["uid"] for pod in (await fleet.cluster.list_all("Pod", "store-shop"))[0]]


async def stopped(fleet: Fleet) -> None:
    async with asyncio.timeout(15):
        while await pods(fleet) or "Store stopped" not in (await fleet.lines("shop"))[-1]:
            await asyncio.sleep(0.02)


async def volumes(fleet: Fleet) -> set[str]:
    found = (await fleet.cluster.list_all("PersistentVolumeClaim", "store-shop"))[0]
    return {claim["metadata"]["uid"] for claim in found}


# The engine


async def test_a_deleted_store_is_stopped_and_taken_back_with_its_data(fleet):
    await fleet.ask("shop")
    await fleet.settled("shop")
    before = await volumes(fleet)
    secret = await fleet.cluster.get("Secret", "store-secrets", "store-shop")
    await fleet.delete("shop", undo=60)
    await stopped(fleet)
    assert re.fullmatch(
        r"Store stopped; it will be destroyed at \d{4}-\d\d-\d\d \d\d:\d\d UTC", (await fleet.lines("shop"))[-1]
    )
    await asyncio.sleep(0.5)  # longer than the engine takes to begin, if it were to
    assert await volumes(fleet) == before
    assert (await fleet.store("shop")).state is State.DELETING
    await fleet.undelete("shop")
    store = await fleet.settled("shop")
    assert store.state is State.READY
    assert (store.destroy_at, store.destroying_at, store.inventory) == (None, None, None)
    assert len(await pods(fleet)) == 2
    assert await volumes(fleet) == before
    assert (await fleet.cluster.get("Secret", "store-secrets", "store-shop"))["data"] == secret["data"]
    lines = await fleet.lines("shop")
    assert "Deletion undone by ann" in lines
    assert lines[-1] == "Store READY"


async def test_when_the_time_is_over_it_is_destroyed(fleet):
    await fleet.ask("shop")
    await fleet.settled("shop")
    await fleet.delete("shop", undo=1)
    await fleet.gone("shop")
    assert await fleet.objects("store-shop") == []


async def test_a_second_deletion_can_end_the_time(fleet):
    await fleet.ask("shop")
    await fleet.settled("shop")
    await fleet.delete("shop", undo=600)
    await stopped(fleet)
    await fleet.delete("shop")
    await fleet.gone("shop")


async def test_taken_back_in_the_middle_of_its_making(fleet):
    await fleet.ask("shop")
    await fleet.until(lambda store: store.state is State.PROVISIONING, "shop")
    await fleet.delete("shop", undo=60)
    await asyncio.sleep(0.3)
    await fleet.undelete("shop")
    assert (await fleet.settled("shop")).state is State.READY


async def test_the_window_outlives_the_engine(sandbox, tmp_path):
    async with fleet_on(sandbox, tmp_path) as first:
        await first.ask("shop")
        await first.settled("shop")
        await first.delete("shop", undo=60)
        await stopped(first)
    async with fleet_on(sandbox, tmp_path) as second:
        await second.undelete("shop")
        assert (await second.settled("shop")).state is State.READY


# The receipt


async def receipt(fleet: Fleet) -> dict[str, Any]:
    async with fleet.database.session() as session:
        found = (await session.exec(select(AuditEntry).where(col(AuditEntry.action) == "store.deleted"))).one()
        assert (await audit.verify(session)).broken == ""
    assert (found.actor, found.store_name, found.outcome) == ("the engine", "shop", "ok")
    return found.detail


def kinds(found: dict[str, Any]) -> set[str]:
    return {each["kind"] for each in found["before"]["objects"]}


async def test_the_receipt_of_a_ready_store_names_all_that_was_there(fleet):
    await fleet.ask("shop")
    await fleet.settled("shop")
    objects = await fleet.objects("store-shop")
    namespace = await fleet.cluster.get("Namespace", "store-shop")
    await fleet.delete("shop")
    await fleet.gone("shop")
    found = await receipt(fleet)
    listed = {(each["kind"], each["name"], each["uid"]) for each in found["before"]["objects"]}
    assert {(each["kind"], each["metadata"]["name"], each["metadata"]["uid"]) for each in objects} <= listed
    assert {"ConfigMap", "ServiceAccount", "NetworkPolicy", "ResourceQuota", "LimitRange"} <= kinds(found)
    assert found["before"]["count"] == len(listed)
    assert found["before"]["namespace"] == {"name": "store-shop", "uid": namespace["metadata"]["uid"]}
    volume = next(each for each in objects if each["kind"] == "PersistentVolume")["metadata"]["name"]
    assert found["absent"] == ["namespace/store-shop", f"persistentvolume/{volume}", "store/shop"]
    assert found["requested_at"] <= found["began_at"] <= found["ended_at"]
    assert 0 < found["seconds"] < 60


async def test_the_receipt_of_a_store_in_the_middle_of_its_making(fleet):
    await fleet.ask("shop")
    await fleet.until(lambda store: store.state is State.PROVISIONING, "shop")
    await fleet.delete("shop")
    await fleet.gone("shop")
    assert (await receipt(fleet))["absent"][0] == "namespace/store-shop"


async def test_the_receipt_of_a_failed_store(fleet, sandbox):
    sandbox.faults.add(ImageFault("*postgres:*"))
    await fleet.ask("shop")
    assert (await fleet.settled("shop")).state is State.FAILED
    await fleet.delete("shop")
    await fleet.gone("shop")
    assert {"Pod", "PersistentVolumeClaim"} <= kinds(await receipt(fleet))


async def test_the_receipt_of_a_store_whose_namespace_was_gone(fleet, sandbox):
    sandbox.faults.add(ImageFault("*postgres:*"))  # or else it would be put back
    await fleet.ask("shop")
    assert (await fleet.settled("shop")).state is State.FAILED
    await fleet.cluster.delete("Namespace", "store-shop")
    async with asyncio.timeout(15):
        while await fleet.cluster.get("Namespace", "store-shop"):
            await asyncio.sleep(0.02)
    await fleet.delete("shop")
    await fleet.gone("shop")
    found = await receipt(fleet)
    assert found["before"]["namespace"] is None
    assert "namespace/store-shop" in found["absent"]


async def test_the_receipt_says_nothing_of_a_namespace_that_is_somebody_elses(fleet):
    theirs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "store-shop", "labels": {"team": "x"}}}
    await fleet.cluster.create(theirs)
    await fleet.ask("shop")
    assert (await fleet.settled("shop")).state is State.FAILED
    await fleet.delete("shop")
    await fleet.gone("shop")
    assert (await receipt(fleet))["before"] == {"namespace": None, "objects": [], "count": 0, "volumes": []}


async def test_a_receipt_survives_an_engine_that_ends_in_the_middle(sandbox, tmp_path):
    async with fleet_on(sandbox, tmp_path) as first:
        await first.ask("shop")
        await first.settled("shop")
        namespace = await first.cluster.get("Namespace", "store-shop")
        held = {**namespace, "metadata": {"name": "store-shop", "finalizers": ["example.com/hold"]}}
        await first.cluster.apply({key: held[key] for key in ("apiVersion", "kind", "metadata")})
        await first.delete("shop")
        await first.until(lambda store: store.destroying_at is not None, "shop")
        began = (await first.store("shop")).destroying_at
    async with fleet_on(sandbox, tmp_path) as second:
        released = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "store-shop", "finalizers": []}}
        await second.cluster.apply(released)
        await second.gone("shop")
        found = await receipt(second)
    assert found["began_at"] == began.isoformat()
    assert {"Pod", "PersistentVolumeClaim", "Deployment"} <= kinds(found)


@BOTH_DATABASES
async def test_a_receipt_is_bounded_and_written_with_the_rows_removal(parts: Services, anna: Actor) -> None:
    store = await a_deleted_store(parts, anna, destroy_at=now() - timedelta(seconds=1))
    objects = [{"kind": "Pod", "name": "x" * 63, "uid": "u" * 36}] * destruction.MOST_OBJECTS
    before = {"namespace": None, "objects": objects, "count": 900, "volumes": []}
    async with parts.database.session() as session:
        row = await session.get_one(Store, store.id)
        await parts.database.begin_destruction(session, row, before)
        await session.commit()
    for commit in (False, True):
        async with parts.database.session() as session:
            row = await session.get_one(Store, store.id)
            await parts.database.remove(session, row)
            await destruction.leave_receipt(session, row, ["namespace/store-shop"])
            await (session.commit() if commit else session.rollback())
        async with parts.database.session() as session:
            left = [each async for each in audit.entries(session, action="store.deleted")]
            assert (len(left), (await session.get(Store, store.id)) is None) == (int(commit), commit)
    assert left[0].detail["before"] == before
    assert left[0].detail["absent"] == ["namespace/store-shop", "store/shop"]


# Who comes first is decided by the database


async def a_deleted_store(parts: Services, anna: Actor, **columns: Any) -> Store:
    await parts.stores.create(anna, "shop")
    async with parts.database.session() as session:
        store = (await session.exec(select(Store))).one()
        await wishes.request_deletion(parts.database, session, store, "ann", WINDOW)
        if columns:
            await session.exec(update(Store).values(**columns))
        await session.commit()
        await session.refresh(store)
    return store


async def destroy(database: Database, store_id: str) -> bool:
    """What the engine does when the time is over; did it win?"""
    async with database.session() as session:
        store = await session.get_one(Store, store_id)
        try:
            await database.begin_destruction(session, store, {"objects": []})
        except Moved:
            return False
        await session.commit()
        return True


@BOTH_DATABASES
async def test_no_destruction_before_its_time_and_no_undoing_after_it_began(parts: Services, anna: Actor) -> None:
    store = await a_deleted_store(parts, anna)
    assert not await destroy(parts.database, store.id)
    async with parts.database.session() as session:
        early = await session.get_one(Store, store.id)
        await session.commit()
        async with parts.database.session() as other:
            mine = await other.get_one(Store, store.id)
            await other.exec(update(Store).values(destroy_at=now() - timedelta(seconds=1)))
            await other.commit()
            await other.refresh(mine)
            await parts.database.begin_destruction(other, mine, {})
            await other.commit()
        # Read before the engine began: the UPDATE itself must refuse.
        with pytest.raises(Moved):
            await wishes.request_undeletion(parts.database, session, early, "ann")


@BOTH_DATABASES
async def test_an_undone_deletion_is_not_taken_up_by_who_read_it_before(parts: Services, anna: Actor) -> None:
    store = await a_deleted_store(parts, anna, destroy_at=now() + timedelta(seconds=3))
    async with parts.database.session() as session:
        read_before = await session.get_one(Store, store.id)
        await session.commit()
        await parts.stores.undelete(anna, "shop")
        await asyncio.sleep(3.1)
        with pytest.raises(Moved):
            await parts.database.begin_destruction(session, read_before, {})


@BOTH_DATABASES
async def test_of_undoing_and_destroying_at_the_same_moment_one_happens(parts: Services, anna: Actor) -> None:
    for number in range(6):
        name = f"shop-{number}"
        await parts.stores.create(anna, name)
        async with parts.database.session() as session:
            store = (await session.exec(select(Store).where(col(Store.name) == name))).one()
            await wishes.request_deletion(parts.database, session, store, "ann", timedelta(milliseconds=150))
            await session.commit()
        await asyncio.sleep(0.12)

        async def undo(name: str = name) -> bool:
            answers = [await parts.stores.undelete(anna, name)]
            return bool(answers)

        async def until_destroyed(store_id: str = store.id) -> bool:
            for _ in range(40):
                if await destroy(parts.database, store_id):
                    return True
                await asyncio.sleep(0.005)
            return False

        undone, destroyed = await asyncio.gather(undo(), until_destroyed(), return_exceptions=True)
        async with parts.database.session() as session:
            row = await session.get_one(Store, store.id)
        if row.state is State.DELETING:
            assert (undone is not True, destroyed) == (True, True)
        else:
            assert (row.state, undone, destroyed) == (State.REQUESTED, True, False)
        async with parts.database.session() as session:
            await session.exec(update(Store).values(state=State.FAILED))  # out of the queue's way
            await session.commit()


# The command line


def test_the_command_line_takes_back_and_prints_the_receipt(tmp_path: Path) -> None:
    served = Served(tmp_path, STOREFLEET_UNDO_MINUTES="10").start()
    try:
        asked = {"STOREFLEET_URL": served.url, "STOREFLEET_TOKEN": served.token()}
        created = command("stores", "create", "shop", "--wait", "--timeout", "60", **asked)
        assert created.returncode == 0, created.stderr + created.stdout
        deleted = command("stores", "delete", "shop", **asked)
        assert "shop is stopped and will be destroyed at" in deleted.stdout
        assert "storefleet stores undelete shop" in deleted.stdout
        assert command("stores", "list", **asked).stdout == "No stores.\n"
        back = command("stores", "undelete", "shop", "--wait", "--timeout", "60", **asked)
        assert back.returncode == 0, back.stderr + back.stdout
        assert "Store READY" in back.stdout
        gone = command("stores", "delete", "shop", "--now", "--wait", "--timeout", "60", **asked)
        assert gone.stdout == "shop is gone.\n"
        receipt = command("audit", "receipt", "shop", **served.settings)
        assert re.search(r"There before: \d\d objects", receipt.stdout)
        assert re.search(r"Pod postgres-0 \S+", receipt.stdout)
        assert re.search(r"absent:\n  namespace/store-shop\n  persistentvolume/\S+\n  store/shop\n", receipt.stdout)
        nothing = command("audit", "receipt", "other", **served.settings)
        assert (nothing.returncode, nothing.stderr) == (1, "storefleet: No store called other was destroyed.\n")
    finally:
        served.stop()


# The API


@pytest.fixture
def with_window(parts: Services) -> None:
    parts.stores._settings = parts.settings.model_copy(update={"undo_minutes": 10})


@BOTH_DATABASES
@pytest.mark.usefixtures("with_window")
async def test_the_api_hides_it_and_takes_it_back(parts: Services, client: httpx.AsyncClient, anna: Actor) -> None:
    await client.post(STORES, json={"name": "shop"})
    await client.post(STORES, json={"name": "other"})
    deleted = (await client.delete(f"{STORES}/shop")).json()
    assert deleted["state"] == "DELETING"
    assert deleted["destroy_at"] > now().isoformat()

    async def names(**query: str) -> list[str]:
        return [each["name"] for each in (await client.get(STORES, params=query)).json()["items"]]

    assert await names() == ["other"]
    assert await names(state="DELETING") == ["shop"]
    assert (await client.get(f"{STORES}/shop")).json()["destroy_at"] == deleted["destroy_at"]
    counts = await parts.stores.counts(anna)
    assert (counts["ALL"], counts["DELETING"], counts["REQUESTED"]) == (1, 1, 1)

    taken = await client.post(STORES, json={"name": "shop"})
    assert taken.status_code == 409
    assert re.search(r"can be taken back until \d\d:\d\d UTC\. Its name is free after that\.", taken.json()["detail"])
    assert 590 < int(taken.headers["retry-after"]) <= 610
    assert "can be taken back until" in (await parts.stores.name_problem(anna, "shop") or "")

    back = await client.post(f"{STORES}/shop/undelete")
    assert (back.status_code, back.json()["state"], back.json()["destroy_at"]) == (202, "REQUESTED", None)
    assert set(await names()) == {"shop", "other"}
    again = await client.post(f"{STORES}/shop/undelete")
    assert (again.status_code, again.json()["detail"]) == (
        409,
        "The store is REQUESTED; only a deletion can be undone.",
    )
    assert (await client.post(f"{STORES}/nothing/undelete")).status_code == 404


@BOTH_DATABASES
@pytest.mark.usefixtures("with_window")
async def test_the_api_ends_the_window_when_told(parts: Services, client: httpx.AsyncClient, anna: Actor) -> None:
    await client.post(STORES, json={"name": "shop"})
    await client.delete(f"{STORES}/shop")
    await client.delete(f"{STORES}/shop")  # once more, plainly: as it was
    assert (await client.get(f"{STORES}/shop")).json()["destroy_at"] is not None
    assert (await client.delete(f"{STORES}/shop", params={"now": True})).json()["destroy_at"] <= now().isoformat()
    late = await client.post(f"{STORES}/shop/undelete")
    assert (late.status_code, late.json()["detail"]) == (
        409,
        "The deletion cannot be undone any more: the store is being destroyed.",
    )
    await client.post(STORES, json={"name": "direct"})
    assert (await client.delete(f"{STORES}/direct", params={"now": True})).json()["destroy_at"] is None
    assert [each["name"] for each in (await client.get(STORES)).json()["items"]] == ["direct"]
    async with parts.database.session() as session:
        entries = [entry async for entry in audit.entries(session)]
    assert [(each.action, each.store_name, each.outcome) for each in entries[1:]] == [
        ("store.create", "shop", "ok"),
        ("store.delete", "shop", "ok"),
        ("store.delete", "shop", "ok"),
        ("store.undelete", "shop", "refused"),
        ("store.create", "direct", "ok"),
        ("store.delete", "direct", "ok"),
    ]
    assert [each.detail.get("undo_seconds") for each in entries[2:4]] == [600.0, 0.0]


async def test_without_a_window_nothing_can_be_undone(client: httpx.AsyncClient) -> None:
    await client.post(STORES, json={"name": "shop"})
    assert (await client.delete(f"{STORES}/shop")).json()["destroy_at"] is None
    assert (await client.post(f"{STORES}/shop/undelete")).status_code == 409
    assert [each["name"] for each in (await client.get(STORES)).json()["items"]] == ["shop"]


async def test_what_stood_in_the_way_earlier_does_not_fail_what_is_taken_back(fleet, sandbox, caplog):
    await fleet.ask("shop")
    await fleet.settled("shop")
    theirs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "store-shop"}}
    refused = sandbox.faults.add(ApiFault(status=500, verbs=("create",), kinds=("Namespace",)))
    await fleet.cluster.delete("Namespace", "store-shop")
    async with asyncio.timeout(15):
        while await fleet.cluster.get("Namespace", "store-shop"):
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)  # the engine has tried, and pauses
    sandbox.faults.remove(refused)
    await fleet.cluster.create(theirs)
    async with asyncio.timeout(15):
        while "belongs to somebody else" not in caplog.text:
            await asyncio.sleep(0.02)
    await fleet.delete("shop", undo=60)
    await fleet.cluster.delete("Namespace", "store-shop")
    await asyncio.sleep(0.5)
    await fleet.undelete("shop")
    assert (await fleet.settled("shop")).state is State.READY, await fleet.lines("shop")


async def test_a_deletion_that_cannot_be_undone_waits_for_no_clock(fleet, monkeypatch):
    await fleet.ask("shop")
    await fleet.settled("shop")
    monkeypatch.setattr(wishes, "now", lambda: now() + timedelta(hours=1))  # and then somebody sets it right
    await fleet.delete("shop")
    await fleet.gone("shop")
