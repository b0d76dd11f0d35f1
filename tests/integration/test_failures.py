"""Causes of failures played on the sandbox, from the fault to what the store says; and what is over is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provisioning.cache import LABELLED
from provisioning.decide import Limits
from provisioning.failures import Finding, diagnose
from provisioning.front_door import FrontDoor
from provisioning.sandbox import (
    ApiFault,
    CrashFault,
    EvictionFault,
    ImageFault,
    KubeletFault,
    Sandbox,
    UnboundVolumeFault,
    UnreadyFault,
    UnschedulableFault,
)
from provisioning.states import State
from tests.faults.mischief import Clock
from tests.integration.fleet import Fleet, fleet_on, sandbox_in

FORBIDDEN = 'services "medusa" is forbidden: '


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandbox_in() as sandbox:
        yield sandbox


async def reason_of(
    sandbox: Sandbox, folder: Path, overlay: dict[str, Any] | None = None, seconds: float = 600, plan: str = "small"
) -> dict[str, Any]:
    """Why a store with these values fails; it is deleted again."""
    limits = Limits(provisioning=timedelta(seconds=seconds))
    async with fleet_on(sandbox, folder, overlay=overlay, limits=limits) as fleet:
        await fleet.ask("shop", plan=plan)
        store = await fleet.settled("shop")
        assert store.state is State.FAILED
        sandbox.faults.clear()
        await fleet.delete("shop")
        await fleet.gone("shop")
        assert store.reason is not None
        return store.reason


AT_ONCE = {
    "an image that wants credentials": (
        ImageFault("*postgres:*", message="401 Unauthorized"),
        ("image_pull", "PostgreSQL pod failed to start: ImagePullBackOff"),
    ),
    "a full volume": (
        CrashFault("postgres", log=("PANIC:  could not write: No space left on device",)),
        ("volume_full", "PostgreSQL pod failed to start: no space left on its volume"),
    ),
    "a wrong password": (
        CrashFault("medusa", log=("storefleet: failed: database: password authentication failed for user",)),
        ("database_refused", "Medusa pod failed to start: the database refuses it"),
    ),
    "settings that are not accepted": (
        CrashFault("medusa", log=("storefleet: failed: configuration: PORT is not a port number",)),
        ("shop_configuration", "Medusa pod failed to start: its settings are not accepted"),
    ),
    "an eviction for its own use": (
        EvictionFault(pod="postgres-*", message='Usage of EmptyDir volume "data" exceeds the limit "16Mi". '),
        ("evicted", "PostgreSQL pod was evicted: its volume data grew beyond 16Mi"),
    ),
    "a policy that refuses": (
        ApiFault(
            403,
            FORBIDDEN + "ValidatingAdmissionPolicy 'teams' with binding 'all' denied request: no team",
            verbs=("create", "patch"),
            kinds=("StatefulSet",),  # one of its kind: helm applies all at once, and either of two may be refused first
        ),
        ("admission_denied", "StatefulSet postgres is refused by teams: no team"),
    ),
    "a permission that is missing": (
        ApiFault(
            403,
            'secrets "store-secrets" is forbidden: User "storefleet" cannot patch resource "secrets" in API group "" '
            'in the namespace "store-shop"',
            verbs=("patch",),
            kinds=("Secret",),
        ),
        ("permission_denied", "The platform is not permitted to patch secrets in store-shop"),
    ),
}


@pytest.mark.parametrize("case", AT_ONCE)
async def test_what_does_not_pass_fails_the_store(sandbox, tmp_path, case):
    fault, (code, message) = AT_ONCE[case]
    sandbox.faults.add(fault)
    reason = await reason_of(sandbox, tmp_path)
    assert (reason["code"], reason["message"]) == (code, message)


async def test_it_does_so_whatever_the_clocks_say(sandbox, tmp_path, monkeypatch):
    """Where ours is ahead, every pod seems to be one of an attempt before, to be replaced."""
    Clock(monkeypatch).offset = timedelta(hours=1)
    sandbox.faults.add(AT_ONCE["a wrong password"][0])
    assert (await reason_of(sandbox, tmp_path))["code"] == "database_refused"


IN_TIME = {
    "a registry that is away": (
        ImageFault("*postgres:*", message="dial tcp 10.0.0.1:443: i/o timeout"),
        "PostgreSQL pod failed to start: ImagePullBackOff",
    ),
    "no room": (
        UnschedulableFault(pod="postgres-*"),
        "PostgreSQL pod cannot be placed on 1 node: not enough memory (asks for 96Mi)",
    ),
    "a provisioner that fails": (
        UnboundVolumeFault(message="the disk is full"),
        "PostgreSQL volume is not provided: ProvisioningFailed",
    ),
    "a start without end": (
        UnreadyFault("medusa"),
        "Medusa pod is still starting: startup probe failed: HTTP probe failed with statuscode: 503",
    ),
    "an eviction from a full node": (
        EvictionFault(pod="postgres-*"),
        "PostgreSQL pod was evicted: its node was short of memory",
    ),
}


@pytest.mark.parametrize("case", IN_TIME)
async def test_what_may_pass_is_waited_for_and_named_by_the_time_out(sandbox, tmp_path, case):
    fault, message = IN_TIME[case]
    sandbox.faults.add(fault)
    reason = await reason_of(sandbox, tmp_path, seconds=3)
    assert (reason["code"], reason["message"]) == ("timeout", f"Not ready after 0.05 minutes: {message}")
    assert reason["hint"]
    assert reason["evidence"]


BY_VALUES = {
    "no such storage class": (
        {"postgresql": {"persistence": {"storageClass": "nope"}}},
        ("volume_not_bound", "PostgreSQL volume is not provided: there is no storage class nope"),
    ),
    "a name that no image has": (
        {"postgresql": {"image": {"repository": "docker.io/Library/Postgres"}}},
        ("image_pull", "PostgreSQL pod failed to start: InvalidImageName"),
    ),
    "more memory than the plan has": (
        {"medusa": {"resources": {"limits": {"memory": "4Gi"}}}, "postgresql": {"enabled": False}},
        ("quota_exceeded", "Medusa pod is refused: quota exceeded (limits.memory: 4Gi asked, 0 of 3Gi used)"),
    ),
    "more storage than the plan has": (
        {"postgresql": {"persistence": {"size": "100Gi"}}},
        (
            "quota_exceeded",
            "PostgreSQL volume is refused: quota exceeded (requests.storage: 100Gi asked, 0 of 5Gi used)",
        ),
    ),
    "no such ingress class": (
        {"ingress": {"className": "nope"}},
        ("ingress_class", "Ingress is not served: there is no ingress class nope"),
    ),
    "a value that the chart does not know": (
        {"postgresql": {"imagex": {}}},
        ("helm_error", "Helm refused the store values: at '/postgresql': additional properties 'imagex' not allowed"),
    ),
}


@pytest.mark.parametrize("case", BY_VALUES)
async def test_values_that_cannot_work_fail_the_store(sandbox, tmp_path, case):
    overlay, (code, message) = BY_VALUES[case]
    if overlay.get("postgresql", {}).get("enabled") is False:
        overlay = {**overlay, "externalDatabase": {"host": "database.example.com"}}
    reason = await reason_of(sandbox, tmp_path, overlay)
    assert (reason["code"], reason["message"]) == (code, message)


async def test_a_selector_that_no_node_meets_is_named_with_what_it_selects(sandbox, tmp_path):
    reason = await reason_of(sandbox, tmp_path, {"postgresql": {"nodeSelector": {"disk": "fast"}}}, seconds=3)
    assert reason["message"] == (
        "Not ready after 0.05 minutes: PostgreSQL pod cannot be placed on 1 node: no node has the labels that it "
        "selects (disk=fast)"
    )


async def test_a_certificate_that_nobody_makes_is_named_by_the_time_out(sandbox, tmp_path):
    overlay = {"ingress": {"className": "nobodys", "tls": {"enabled": True, "clusterIssuer": "letsencrypt"}}}
    async with fleet_on(sandbox, tmp_path) as fleet:
        spec = {"controller": "example.com/nobody"}
        await fleet.cluster.create({"kind": "IngressClass", "metadata": {"name": "nobodys"}, "spec": spec})
    reason = await reason_of(sandbox, tmp_path, overlay, seconds=4)
    assert reason["message"].endswith("minutes: TLS certificate is missing: no Secret medusa-tls")


async def test_a_class_that_nobody_serves_is_named_by_the_time_out(sandbox, tmp_path):
    async with fleet_on(sandbox, tmp_path) as fleet:
        spec = {"controller": "example.com/nobody"}
        await fleet.cluster.create({"kind": "IngressClass", "metadata": {"name": "nobodys"}, "spec": spec})
    reason = await reason_of(sandbox, tmp_path, {"ingress": {"className": "nobodys"}}, seconds=4)
    assert reason["message"].endswith("Ingress has no address: no controller of the class nobodys takes it up")


async def test_a_cluster_that_goes_away_is_named_by_the_time_out(sandbox, tmp_path):
    sandbox.faults.add(UnreadyFault("medusa"))
    async with fleet_on(sandbox, tmp_path, limits=Limits(provisioning=timedelta(seconds=3))) as fleet:
        await fleet.ask("shop")
        await fleet.until(lambda store: store is not None and store.state is State.PROVISIONING, "shop")
        await asyncio.sleep(1)
        await sandbox.faults.api_away(5)
        store = await fleet.settled("shop")
        assert store.reason["message"] == "Not ready after 0.05 minutes: The cluster does not answer"


# A store that was READY


@pytest.fixture
async def fleet(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet_on(sandbox, tmp_path) as fleet:
        yield fleet


async def found(fleet: Fleet) -> Finding | None:
    """What is the matter with the store now, by the cluster's objects."""
    objects = [await fleet.cluster.get("Namespace", "store-shop")]
    for kind in (*LABELLED, "Event"):
        if kind != "Namespace":
            objects += (await fleet.cluster.list_all(kind, "store-shop"))[0]
    store = await fleet.store("shop")
    assert store is not None
    return diagnose([obj for obj in objects if obj], store.state_at)


async def until_found(fleet: Fleet, message: str) -> None:
    seen = None
    async with asyncio.timeout(15):
        while (seen := await found(fleet)) is None or seen.reason.message != message:
            await asyncio.sleep(0.05)


async def until_well(fleet: Fleet) -> None:
    async with asyncio.timeout(15):
        while await found(fleet) is not None:
            await asyncio.sleep(0.05)


DEGRADED = {
    "a crash loop": (
        CrashFault("medusa", log=("Error: boom",)),
        "Medusa pod failed to start: CrashLoopBackOff",
    ),
    "a probe that fails": (
        UnreadyFault("medusa"),
        "Medusa pod is not ready: readiness probe failed: HTTP probe failed with statuscode: 503",
    ),
    "a node that is gone": (
        KubeletFault(),
        "PostgreSQL pod is on a node that does not answer: sandbox",
    ),
}


@pytest.mark.parametrize("case", DEGRADED)
async def test_a_ready_store_says_what_it_suffers_from_and_nothing_once_it_is_over(fleet, sandbox, case):
    fault, message = DEGRADED[case]
    await fleet.ask("shop")
    assert (await fleet.settled("shop")).state is State.READY
    assert await found(fleet) is None
    sandbox.faults.add(fault)
    await until_found(fleet, message)
    sandbox.faults.remove(fault)
    await until_well(fleet)
    warnings, _ = await fleet.cluster.list_all("Event", "store-shop")
    assert any(event["type"] == "Warning" for event in warnings), "its events are still there, and are history"


async def test_a_claim_deleted_by_hand_is_told_while_its_data_can_be_saved(fleet):
    await fleet.ask("shop")
    await fleet.settled("shop")
    await fleet.cluster.delete("PersistentVolumeClaim", "data-postgres-0", "store-shop")
    await until_found(fleet, "PostgreSQL volume was deleted: its data is lost when the pod restarts")


@pytest.mark.parametrize(
    ("base", "code"),
    [
        ("http://127.0.0.1:1", "ingress_unreachable"),
        ("http://no-such-host.invalid", "dns_missing"),
        ("https://{api}", "tls_missing"),
    ],
)
async def test_a_way_in_that_is_broken_is_named(fleet, sandbox, base, code):
    await fleet.ask("shop")
    await fleet.settled("shop")
    ingresses, _ = await fleet.cluster.list_all("Ingress", "store-shop")
    door = FrontDoor(fleet.cluster, base.format(api=fleet.cluster.url.removeprefix("https://")))
    finding = await door.ask("http://shop.localhost", ingresses)
    await door.close()
    assert finding is not None
    assert finding.reason.code == code
    assert not finding.lasting
