"""Whatever somebody does by hand to an object of a READY store is found, said and undone; what is not drift is left."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

import pytest

from provisioning.decide import Limits
from provisioning.health import Health
from provisioning.helm import Helm
from provisioning.release import RUNNER, is_damaged
from provisioning.sandbox import CrashFault, UnschedulableFault, registry
from provisioning.sandbox.objects import timestamp
from provisioning.states import State
from tests.integration.fleet import fleet_on, sandbox_in

NAMESPACE = "store-shop"
OURS = [
    ("Secret", "store-secrets"),
    ("ResourceQuota", "store"),
    ("LimitRange", "store"),
    *(("NetworkPolicy", name) for name in ("default-deny", "dns", "database", "shop", "test")),
    ("StatefulSet", "postgres"),
    ("Service", "postgres"),
    ("Deployment", "medusa"),
    ("Service", "medusa"),
    ("Ingress", "medusa"),
]


@pytest.fixture
async def sandbox(tmp_path):
    async with sandbox_in() as sandbox:
        yield sandbox


@pytest.fixture
async def fleet(sandbox, tmp_path):
    async with fleet_on(sandbox, tmp_path) as fleet:
        await fleet.ask("shop")
        assert (await fleet.settled("shop")).state is State.READY
        yield fleet


async def edit(fleet, kind, name, change, namespace=NAMESPACE, manager="kubectl-edit"):
    """As `kubectl edit` does it: read, change, write all of it back."""
    obj = await fleet.cluster.get(kind, name, namespace)
    change(obj)
    await fleet.cluster.update(obj, manager)


async def said(fleet, beginning, within=10):
    end = time.monotonic() + within
    while time.monotonic() < end:
        for event in await fleet.events("shop"):
            if event.message.startswith(beginning):
                return event
        await asyncio.sleep(0.02)
    raise AssertionError(f"{beginning!r} is not among {await fleet.lines('shop')}")


async def until(holds, within=10):
    async with asyncio.timeout(within):
        while not await holds():
            await asyncio.sleep(0.02)


async def test_every_object_of_a_store_comes_back(fleet):
    for kind, name in OURS:
        before = await fleet.cluster.get(kind, name, NAMESPACE)
        await fleet.cluster.delete(kind, name, NAMESPACE)

        async def is_back(kind=kind, name=name, before=before):
            after = await fleet.cluster.get(kind, name, NAMESPACE)
            return after is not None and after["metadata"]["uid"] != before["metadata"]["uid"]

        await until(is_back)
        await said(fleet, f"Missing and put back: {kind.lower()}/{name}")
    await until(lambda: healthy(fleet))
    assert len([line for line in await fleet.lines("shop") if line.startswith("Missing")]) == len(OURS), "false drift"


def _bare(obj):
    obj["metadata"]["labels"] = {}


def _garbled(obj):
    obj["data"] = {"release": "aGF4"}


@pytest.mark.parametrize("damage", [_bare, _garbled])
async def test_a_record_of_helms_that_was_damaged_is_made_anew(fleet, damage):
    (record,) = await _revisions(fleet)
    await edit(fleet, "Secret", record["metadata"]["name"], damage)

    async def is_whole():
        found = await _revisions(fleet)
        return (
            bool(found) and not any(map(is_damaged, found)) and found[-1]["metadata"]["labels"]["status"] == "deployed"
        )

    await until(is_whole, within=60)
    await until(lambda: healthy(fleet), within=60)
    # And it can be worked with: what drifts is found by it, and it is uninstalled like any other.
    await fleet.cluster.delete("Service", "medusa", NAMESPACE)
    await said(fleet, "Missing and put back: service/medusa", within=60)
    await fleet.delete("shop")
    await fleet.gone("shop", within=60)


async def healthy(fleet):
    return fleet.engine.condition(await fleet.store("shop")).health is Health.OK


async def test_the_list_above_names_every_object(fleet):
    everything = {("Namespace", NAMESPACE), *OURS}
    found = {
        (obj["kind"], obj["metadata"]["name"])
        for kind in {kind for kind, _ in OURS}
        for obj in (await fleet.cluster.list_all(kind, NAMESPACE))[0]
        if obj.get("type") != "helm.sh/release.v1"
    }
    assert found == everything - {("Namespace", NAMESPACE)}


def _replicas(obj):
    obj["spec"]["replicas"] = 0


def _image(obj):
    obj["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/other:1"


def _rule(obj):
    obj["spec"]["egress"].append({})


def _host(obj):
    obj["spec"]["rules"][0]["host"] = "elsewhere.example.com"


def _quota(obj):
    obj["spec"]["hard"]["pods"] = "1000"


def _data(obj):
    obj["data"]["database-password"] = "aGF4"


def _labels(obj):
    obj["metadata"]["labels"] = {"team": "blue"}


@pytest.mark.parametrize(
    ("kind", "name", "change", "what"),
    [
        ("Deployment", "medusa", _replicas, "spec.replicas was 0, not 1"),
        ("StatefulSet", "postgres", _image, "spec.template.spec.containers[postgres].image was example.com/other:1"),
        ("NetworkPolicy", "dns", _rule, "spec.egress was changed"),
        ("Ingress", "medusa", _host, "spec.rules[0].host was elsewhere.example.com, not shop.localhost"),
        ("ResourceQuota", "store", _quota, "spec.hard.pods was 1000, not 10"),
        ("Secret", "store-secrets", _data, "data.database-password was changed"),
        ("Service", "medusa", _labels, "metadata.labels."),
    ],
)
async def test_what_was_changed_by_hand_is_changed_back(fleet, kind, name, change, what):
    before = await fleet.cluster.get(kind, name, NAMESPACE)
    await edit(fleet, kind, name, change)
    # Without our labels the watch calls it deleted; the cluster itself tells the truth.
    event = await said(fleet, f"Changed by kubectl-edit and put back: {kind.lower()}/{name}, {what}")
    assert "aGF4" not in event.message + (event.evidence or "")
    after = await fleet.cluster.get(kind, name, NAMESPACE)
    for part in ("spec", "data"):
        assert after.get(part) == before.get(part)
    assert before["metadata"]["labels"].items() <= after["metadata"]["labels"].items()
    assert (await fleet.store("shop")).revision == 1, "no helm was needed"


async def test_a_namespace_that_lost_its_labels_is_still_known(fleet):
    await edit(fleet, "Namespace", NAMESPACE, _labels, namespace=None)

    async def has_labels():
        labels = (await fleet.cluster.get("Namespace", NAMESPACE))["metadata"]["labels"]
        return labels.get("pod-security.kubernetes.io/enforce") == "restricted" and "storefleet.dev/store" in labels

    await until(has_labels)
    assert not any("deleted from outside" in line for line in await fleet.lines("shop"))
    assert (await fleet.store("shop")).state is State.READY


async def test_what_somebody_sets_beside_it_stays(fleet):
    def note(obj):
        obj["metadata"].setdefault("annotations", {})["note"] = "mine"
        obj["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "EXTRA", "value": "1"})

    await edit(fleet, "Deployment", "medusa", note)
    await edit(fleet, "Deployment", "medusa", _replicas)
    await said(fleet, "Changed by kubectl-edit and put back: deployment/medusa, spec.replicas")
    after = await fleet.cluster.get("Deployment", "medusa", NAMESPACE)
    assert after["metadata"]["annotations"]["note"] == "mine"
    assert {"name": "EXTRA", "value": "1"} in after["spec"]["template"]["spec"]["containers"][0]["env"]
    assert len([line for line in await fleet.lines("shop") if "put back" in line]) == 1


async def test_who_changes_the_same_thing_again_and_again_is_followed_ever_more_slowly(fleet):
    for _ in range(4):
        await edit(fleet, "Deployment", "medusa", _replicas)

        async def is_back():
            return (await fleet.cluster.get("Deployment", "medusa", NAMESPACE))["spec"]["replicas"] == 1

        await until(is_back, within=20)

    async def told():
        return [event.at for event in await fleet.events("shop") if "spec.replicas" in event.message]

    async def all_told():  # a moment after it is done
        return len(await told()) == 4

    await until(all_told)
    times = await told()
    assert times[-1] > times[0], "not all in one second"


async def test_a_ready_store_that_is_ill_says_so_until_it_is_well(sandbox, tmp_path):
    async with fleet_on(sandbox, tmp_path, limits=Limits(illness=timedelta(0))) as fleet:
        await fleet.ask("shop")
        await fleet.settled("shop")
        sick = (await fleet.cluster.list_all("Pod", NAMESPACE, "app.kubernetes.io/name=medusa"))[0][0]
        await until(lambda: healthy(fleet))
        await fleet.cluster.delete("Pod", sick["metadata"]["name"], NAMESPACE)
        await said(fleet, "Degraded: ")
        await said(fleet, "Well again")
        assert await healthy(fleet)
        assert (await fleet.store("shop")).state is State.READY


async def test_each_cause_of_an_illness_is_told_and_none_twice(sandbox, tmp_path):
    async with fleet_on(sandbox, tmp_path, limits=Limits(illness=timedelta(seconds=0.5))) as fleet:
        await fleet.ask("shop")
        await fleet.settled("shop")
        await until(lambda: healthy(fleet))

        async def told():
            return [event.message for event in await fleet.events("shop") if event.kind == "store.degraded"]

        async def of(code):
            return fleet.engine.condition(await fleet.store("shop")).reason.code == code

        async def anew():
            for pod in (await fleet.cluster.list_all("Pod", NAMESPACE, "app.kubernetes.io/name=medusa"))[0]:
                await fleet.cluster.delete("Pod", pod["metadata"]["name"], NAMESPACE)

        crashes = sandbox.faults.add(CrashFault("medusa", log=("loading",)))
        for _ in range(2):  # the second time both are known
            await anew()
            await said(fleet, "Degraded: Medusa pod failed to start: CrashLoopBackOff")
            await until(lambda: of("crash_loop"))
            sandbox.faults.add(full := UnschedulableFault(pod="medusa-*"))
            await anew()
            await until(lambda: of("unschedulable"))
            await said(fleet, "Degraded: Medusa pod cannot be placed")
            sandbox.faults.remove(full)
        lines = await told()
        assert len(lines) == len(set(lines))
        sandbox.faults.remove(crashes)
        await anew()
        await said(fleet, "Well again", within=30)


async def test_a_database_that_has_a_new_volume_has_lost_its_data_and_says_so(fleet):
    assert not any("is lost" in line for line in await fleet.lines("shop"))
    await fleet.cluster.delete("PersistentVolumeClaim", "data-postgres-0", NAMESPACE)
    await said(fleet, "Degraded: PostgreSQL volume was deleted")
    await fleet.cluster.delete("Pod", "postgres-0", NAMESPACE)
    await said(fleet, "PostgreSQL has a new volume: what the old one held is lost")
    await until(lambda: healthy(fleet))


async def test_a_lock_of_a_helm_that_is_dead_is_broken_at_once(sandbox, tmp_path):
    """kill -9 of the helm that installs."""
    hanging = tmp_path / "helm-that-hangs"
    hanging.write_text("#!/bin/sh\nexec sleep 100\n")
    hanging.chmod(0o755)
    async with fleet_on(sandbox, tmp_path) as fleet:
        await fleet.ask("shop")
        await fleet.settled("shop")
        await _lock(fleet, tmp_path)
        await until(lambda: _is_unlocked(fleet))
    async with fleet_on(sandbox, tmp_path) as fleet:
        # One that is alive is waited for, also where its parent is not there any more.
        locks = tmp_path / "helm"
        other = Helm(None, None, (str(hanging),), locks=locks)
        running = asyncio.create_task(other.uninstall(NAMESPACE, NAMESPACE, 60))
        await until(lambda: _is_running(other))
        await _lock(fleet, tmp_path)
        await asyncio.sleep(0.5)
        assert not await _is_unlocked(fleet)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        fleet.engine.poke("shop")
        await until(lambda: _is_unlocked(fleet))


@pytest.mark.parametrize("ahead", [timedelta(hours=-1), timedelta(hours=1)])
async def test_a_lock_is_judged_by_how_long_it_is_seen_whatever_the_clusters_clock_says(
    sandbox, tmp_path, monkeypatch, ahead
):
    async with fleet_on(sandbox, tmp_path, limits=Limits(helm=timedelta(seconds=3))) as fleet:
        await fleet.ask("shop")
        await fleet.settled("shop")
        monkeypatch.setattr(registry, "timestamp", lambda at=None: timestamp((at or datetime.now(UTC)) + ahead))
        await _lock(fleet, tmp_path, runner="another-machine")
        begun = time.monotonic()
        await until(lambda: _is_unlocked(fleet), within=30)
        assert time.monotonic() - begun >= 3


async def _is_running(helm):
    return helm.is_running(NAMESPACE, NAMESPACE)


async def _lock(fleet, folder, runner=""):
    """Make the newest revision look as one that a helm of this machine, or of another, is at work on."""
    (secret,) = await _revisions(fleet)
    labels = secret["metadata"]["labels"]
    version = int(labels["version"]) + 1
    pending = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": secret["type"],
        "metadata": {
            "name": f"sh.helm.release.v1.{NAMESPACE}.v{version}",
            "namespace": NAMESPACE,
            "labels": labels
            | {
                "status": "pending-upgrade",
                "version": str(version),
                RUNNER: runner or (folder / "helm" / "id").read_text(),
            },
        },
        "data": secret["data"],
    }
    await fleet.cluster.create(pending)


async def _revisions(fleet):
    return (await fleet.cluster.list_all("Secret", NAMESPACE, "owner=helm"))[0]


async def _is_unlocked(fleet):
    return [each["metadata"]["labels"]["status"] for each in await _revisions(fleet)] == ["deployed"]
