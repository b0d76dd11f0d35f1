"""The engine from its front door: wishes go in, stores come up, fail with a reason, or go without a trace."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import update

from provisioning.decide import Limits
from provisioning.models import Store, now
from provisioning.sandbox import CrashFault, ImageFault, UnboundVolumeFault, UnreadyFault
from provisioning.secrets import new_key
from provisioning.states import State
from tests.integration.fleet import fleet_on

SPECIFIED = [
    "Store requested",
    "Namespace created",
    "PostgreSQL PVC created",
    "PostgreSQL pod ready",
    "Medusa deployment created",
    "Medusa pod ready",
    "Ingress created",
    "Store READY",
]


async def test_a_wish_becomes_a_running_store_and_is_told_in_the_specified_words(fleet):
    await fleet.ask("shop")
    store = await fleet.settled("shop")
    assert store.state is State.READY
    assert store.ready_at is not None
    assert store.revision == 1
    lines = await fleet.lines("shop")
    assert set(SPECIFIED) <= set(lines)
    assert lines[0] == "Store requested"
    assert lines[-1] == "Store READY"
    assert "Database restored from the 2.21.2 snapshot" in lines
    for event in await fleet.events("shop"):
        if event.kind not in ("store.requested", "store.ready"):
            assert event.object, event.message


async def test_every_object_carries_our_labels(fleet, sandbox):
    await fleet.ask("shop")
    store = await fleet.settled("shop")
    for obj in await fleet.objects("store-shop"):
        if obj["kind"] != "PersistentVolume":
            labels = obj["metadata"]["labels"]
            assert labels["storefleet.dev/store"] == store.id, obj["metadata"]["name"]


async def test_deletion_leaves_nothing(fleet):
    await fleet.ask("shop")
    await fleet.settled("shop")
    await fleet.delete("shop")
    await fleet.gone("shop")
    assert await fleet.objects("store-shop") == []
    assert await fleet.cluster.get("Namespace", "store-shop") is None
    assert fleet.seen[-1].gone


async def test_the_secrets_are_in_the_secret_and_not_in_the_release(fleet):
    await fleet.ask("shop")
    await fleet.settled("shop")
    secret = await fleet.cluster.get("Secret", "store-secrets", "store-shop")
    secrets = {"database-password", "jwt-secret", "cookie-secret", "admin-email", "admin-password"}
    assert set(secret["data"]) == secrets | {"database-user"}
    releases, _ = await fleet.cluster.list_all("Secret", "store-shop", "owner=helm")
    assert len(releases) == 1
    for key in secrets:
        assert secret["data"][key] not in str(releases)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (ImageFault("*postgres:*"), "PostgreSQL pod failed to start: ImagePullBackOff"),
        (
            CrashFault("medusa", log=("storefleet: failed: migration: x",)),
            "Medusa pod failed to start: the database migration failed",
        ),
        (CrashFault("postgres", out_of_memory=True), "PostgreSQL pod failed to start: OOMKilled"),
        (UnboundVolumeFault(), "PostgreSQL volume is not provided: no storage class"),
    ],
)
async def test_a_lasting_cause_fails_the_store_with_its_reason_and_it_can_be_mended_and_deleted(
    fleet, sandbox, fault, message
):
    sandbox.faults.add(fault)
    await fleet.ask("shop")
    store = await fleet.settled("shop")
    assert store.state is State.FAILED
    assert store.reason["message"] == message
    assert store.reason["evidence"]
    assert store.reason["hint"]
    assert (await fleet.lines("shop"))[-1] == message
    sandbox.faults.remove(fault)
    await asyncio.sleep(1)  # the cluster tells whole seconds; a person who has mended something is slower, too
    await fleet.retry("shop")
    assert (await fleet.settled("shop")).state is State.READY
    assert (await fleet.store("shop")).reason is None
    await fleet.delete("shop")
    await fleet.gone("shop")
    assert await fleet.objects("store-shop") == []


async def test_a_failed_migration_is_called_so_with_the_last_lines_of_the_log(fleet, sandbox):
    said = "storefleet: failed: migration: column x does not exist"
    sandbox.faults.add(CrashFault("medusa", log=("loading", said)))
    await fleet.ask("shop")
    store = await fleet.settled("shop")
    assert store.reason["code"] == "migration_failed"
    assert store.reason["evidence"][-1] == said


async def test_a_failed_store_can_be_deleted(fleet, sandbox):
    sandbox.faults.add(ImageFault("*postgres:*"))
    await fleet.ask("shop")
    assert (await fleet.settled("shop")).state is State.FAILED
    await fleet.delete("shop")
    await fleet.gone("shop")
    assert await fleet.objects("store-shop") == []


async def test_a_store_that_takes_too_long_says_what_it_waited_for(sandbox, tmp_path):
    sandbox.faults.add(UnreadyFault("medusa"))
    async with fleet_on(sandbox, tmp_path, limits=Limits(provisioning=timedelta(seconds=1.5))) as fleet:
        await fleet.ask("shop")
        store = await fleet.settled("shop")
    assert store.state is State.FAILED
    assert store.reason["message"] == (
        "Not ready after 0.025 minutes: Medusa pod is still starting: startup probe failed: HTTP probe failed with "
        "statuscode: 503"
    )


async def test_a_store_that_nobody_was_at_work_on_for_hours_is_taken_up_and_not_given_up(sandbox, tmp_path):
    async with fleet_on(sandbox, tmp_path) as fleet:
        await fleet.engine.stop()
        await fleet.ask("shop")
        async with fleet.database.session() as session:
            hours_ago = now() - timedelta(hours=3)
            await session.exec(update(Store).values(state=State.PROVISIONING, state_at=hours_ago))
            await session.commit()
    async with fleet_on(sandbox, tmp_path) as fleet:
        assert (await fleet.settled("shop", within=60)).state is State.READY


async def test_values_that_helm_refuses_fail_the_store_with_helms_words(sandbox, tmp_path):
    async with fleet_on(sandbox, tmp_path, overlay={"postgresql": {"imagex": {}}}) as fleet:
        await fleet.ask("shop")
        store = await fleet.settled("shop")
        assert store.state is State.FAILED
        assert store.reason["code"] == "helm_error"
        assert "imagex" in store.reason["message"]
        await fleet.delete("shop")
        await fleet.gone("shop")


async def test_a_namespace_of_somebody_elses_is_never_touched(fleet):
    theirs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "store-shop", "labels": {"team": "x"}}}
    await fleet.cluster.create(theirs)
    await fleet.ask("shop")
    store = await fleet.settled("shop")
    assert store.state is State.FAILED
    assert store.reason["code"] == "foreign_namespace"
    assert await fleet.objects("store-shop") == []
    await fleet.delete("shop")
    await fleet.gone("shop")
    assert (await fleet.cluster.get("Namespace", "store-shop"))["metadata"]["labels"]["team"] == "x"


async def test_at_most_five_are_worked_on_at_once_and_all_come_up(fleet):
    names = [f"shop-{number}" for number in range(8)]
    for name in names:
        await fleet.ask(name)
    most = 0
    for name in names:
        while (await fleet.store(name)).state is not State.READY:
            states = [(await fleet.store(each)).state for each in names]
            most = max(most, states.count(State.PROVISIONING))
            assert State.FAILED not in states
            await asyncio.sleep(0.02)
    assert 1 < most <= 5


@pytest.mark.parametrize("kind", ["Secret", "Namespace", "NetworkPolicy"])
async def test_what_a_ready_store_lost_is_put_back_and_said(fleet, kind):
    await fleet.ask("shop")
    await fleet.settled("shop")
    name, namespace = {
        "Secret": ("store-secrets", "store-shop"),
        "Namespace": ("store-shop", None),
        "NetworkPolicy": ("default-deny", "store-shop"),
    }[kind]
    before = await fleet.cluster.get(kind, name, namespace)
    await fleet.cluster.delete(kind, name, namespace)
    async with asyncio.timeout(10):
        while True:
            after = await fleet.cluster.get(kind, name, namespace)
            if after and after["metadata"]["uid"] != before["metadata"]["uid"]:
                break
            await asyncio.sleep(0.02)
    assert after.get("data") == before.get("data")  # the same secrets as before
    said = "The namespace was deleted from outside" if kind == "Namespace" else f"Missing and put back: {kind.lower()}"
    async with asyncio.timeout(10):  # said once it is done
        while not any(line.startswith(said) for line in await fleet.lines("shop")):
            await asyncio.sleep(0.02)


async def test_an_engine_that_was_stopped_in_the_middle_is_taken_up_by_the_next(sandbox, tmp_path):
    async with fleet_on(sandbox, tmp_path) as first:
        await first.ask("shop")
        await first.until(lambda store: store.state is State.PROVISIONING, "shop")
        await asyncio.sleep(0.1)
    async with fleet_on(sandbox, tmp_path) as second:
        assert (await second.settled("shop")).state is State.READY
        lines = await second.lines("shop")
        assert len(lines) == len(set(lines)), "told twice"


async def test_deleting_a_store_in_the_middle_of_its_making(fleet):
    await fleet.ask("shop")
    await fleet.until(lambda store: store.state is State.PROVISIONING, "shop")
    await fleet.delete("shop")
    await fleet.gone("shop")
    assert await fleet.objects("store-shop") == []


async def test_a_cluster_that_goes_away_and_comes_back_is_waited_for(fleet, sandbox):
    await fleet.ask("before")
    await fleet.settled("before")
    await sandbox.faults.api_away(1.0)
    await fleet.ask("during")
    await asyncio.sleep(0.3)
    assert fleet.engine.status().cluster == "away"
    assert fleet.engine.status().detail
    assert (await fleet.settled("during", within=20)).state is State.READY
    assert fleet.engine.status().cluster == "connected"


async def test_secrets_that_another_key_sealed_fail_a_store_but_never_its_deletion(sandbox, tmp_path):
    sandbox.faults.add(ImageFault("*postgres:*"))
    async with fleet_on(sandbox, tmp_path) as first:
        await first.ask("shop")
        assert (await first.settled("shop")).state is State.FAILED
    async with fleet_on(sandbox, tmp_path, key=new_key()) as second:
        await second.retry("shop")
        store = await second.settled("shop")
        assert store.state is State.FAILED
        assert store.reason["code"] == "secrets_unreadable"
        assert "STOREFLEET_KEY" in store.reason["hint"]
        await second.delete("shop")
        await second.gone("shop")
        assert await second.objects("store-shop") == []
