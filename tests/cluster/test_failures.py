"""Every cause of a failure that can be made for real is made on the real cluster, and what is said is asserted word for
word.

Cases that fail by themselves run side by side (each store with an engine of its own, since the values are laid over all
stores of an engine), and most without a shop: what costs here is CPU.  What needs a running shop is done to one.
"""

import asyncio
import secrets
import subprocess
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioning.decide import Limits
from provisioning.failures import Reason
from provisioning.failures.reading import counted
from provisioning.front_door import FrontDoor
from provisioning.states import State
from tests.cluster.cluster import INGRESS, KUBECONFIG, Kubectl
from tests.integration.fleet import Fleet, fleet_on

NO_SHOP = {"medusa": {"nodeSelector": {"storefleet.test/nowhere": "yes"}}}  # a shop costs 15 s of CPU
NO_DATABASE = {"postgresql": {"enabled": False}, "externalDatabase": {"host": "database.invalid"}}
POLICIES = ("resourcequotas", "limitranges")
PATIENCE = 150.0


@dataclass(frozen=True)
class Ground:
    kubeconfig: Path = field(default_factory=lambda: Path(KUBECONFIG))
    ingress_url: str = INGRESS


@dataclass(frozen=True)
class Case:
    """Values that make a store fail, and what is said then."""

    overlay: dict[str, Any]
    code: str
    message: str
    evidence: str  # in one of its lines
    plan: str = "small"
    seconds: float = 600  # until the time is out; few where the cause would pass


def postgres(**values: Any) -> dict[str, Any]:
    return {"postgresql": values, **NO_SHOP}


def shop(**values: Any) -> dict[str, Any]:
    return {"medusa": values}


CASES = {
    "image": Case(
        postgres(image={"tag": "17-does-not-exist"}),
        "image_pull",
        "PostgreSQL pod failed to start: ImagePullBackOff",
        "pod/postgres-0 ImagePullBackOff: ",
    ),
    "image-name": Case(
        postgres(image={"repository": "docker.io/Library/Postgres"}),
        "image_pull",
        "PostgreSQL pod failed to start: InvalidImageName",
        'couldn\'t parse image name "docker.io/Library/Postgres:17-trixie"',
    ),
    "crash": Case(
        postgres(settings={"no_such_setting": "1"}),
        "crash_loop",
        "PostgreSQL pod failed to start: CrashLoopBackOff",
        'FATAL: unrecognized configuration parameter "no_such_setting"',
    ),
    "memory": Case(
        postgres(resources={"requests": {"memory": "12Mi"}, "limits": {"memory": "12Mi"}}),
        "out_of_memory",
        "PostgreSQL pod failed to start: OOMKilled",
        "memory limit 12Mi",
    ),
    "cpu": Case(
        {"postgresql": {"resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "3"}}}, **NO_SHOP},
        "timeout",
        "Not ready after 0.25 minutes: PostgreSQL pod cannot be placed on {nodes}: not enough cpu (asks for 3)",
        "1 Insufficient cpu",
        plan="large",
        seconds=15,
    ),
    "label": Case(
        {"postgresql": {"nodeSelector": {"disk": "fast"}}, **NO_SHOP},
        "timeout",
        "Not ready after 0.25 minutes: PostgreSQL pod cannot be placed on {nodes}: no node has the labels that it "
        "selects (disk=fast)",
        "node(s) didn't match Pod's node affinity/selector",
        seconds=15,
    ),
    "quota": Case(
        {**shop(resources={"limits": {"memory": "4Gi"}}), **NO_DATABASE},
        "quota_exceeded",
        "Medusa pod is refused: quota exceeded (limits.memory: 4Gi asked, 0 of 3Gi used)",
        "exceeded quota: store, requested: limits.memory=4Gi",
    ),
    "storage-quota": Case(
        postgres(persistence={"size": "100Gi"}),
        "quota_exceeded",
        "PostgreSQL volume is refused: quota exceeded (requests.storage: 100Gi asked, 0 of 5Gi used)",
        "exceeded quota: store, requested: requests.storage=100Gi",
    ),
    "class": Case(
        postgres(persistence={"storageClass": "nope"}),
        "volume_not_bound",
        "PostgreSQL volume is not provided: there is no storage class nope",
        'persistentvolumeclaim/data-postgres-0 ProvisioningFailed: storageclass.storage.k8s.io "nope" not found',
    ),
    "values": Case(
        postgres(imagex={}),
        "helm_error",
        "Helm refused the store values: at '/postgresql': additional properties 'imagex' not allowed",
        "values don't meet the specifications of the schema",
    ),
    "database": Case(
        NO_DATABASE,
        "timeout",
        "Not ready after 0.6 minutes: Medusa waits for its database since",
        "getaddrinfo ENOTFOUND database.invalid",
        seconds=36,
    ),
}


@asynccontextmanager
async def store_of(folder: Path, case: str, overlay: dict[str, Any], **more: Any) -> AsyncIterator[tuple[Fleet, str]]:
    """A store that is asked for, deleted at the end."""
    name, plan = f"fails-{case}-{secrets.token_hex(2)}", more.pop("plan", "small")
    (folder / name).mkdir()
    ground = more.pop("ground", Ground())
    async with fleet_on(ground, folder / name, overlay=overlay, **more) as fleet:
        await fleet.ask(name, plan=plan)
        try:
            yield fleet, name
        finally:
            if await fleet.store(name):
                await fleet.delete(name)
                await fleet.gone(name, within=PATIENCE)


async def failed(fleet: Fleet, name: str) -> dict[str, Any]:
    store = await fleet.settled(name, within=PATIENCE)
    assert store.state is State.FAILED
    assert store.reason is not None
    assert store.reason["message"] in await fleet.lines(name)
    return store.reason


def matches(reason: dict[str, Any], case: Case) -> str:
    """What is not as it should be; "" when all is."""
    message = reason["message"]
    wrong = []
    if reason["code"] != case.code:
        wrong.append(f"code {reason['code']}")
    if message != case.message and not (case.message.endswith(" since") and message.startswith(case.message)):
        wrong.append(f"message {message!r}")
    if not any(case.evidence in line for line in reason["evidence"]):
        wrong.append(f"evidence {reason['evidence']}")
    if not (reason["who"] and reason["hint"] and "{" not in reason["hint"]):
        wrong.append(f"who {reason['who']!r}, hint {reason['hint']!r}")
    return ", ".join(wrong)


@pytest.fixture
def nodes(kubectl: Kubectl) -> str:
    """How many nodes the cluster has, in words."""
    return counted(len(kubectl.names("nodes")), "node")


async def test_what_fails_by_itself_is_told_word_for_word(tmp_path, kubectl, nodes):
    async def fails(name: str, case: Case) -> str:
        limits = Limits(provisioning=timedelta(seconds=case.seconds))
        async with store_of(tmp_path, name, case.overlay, limits=limits, plan=case.plan) as (fleet, store):
            expected = replace(case, message=case.message.format(nodes=nodes))
            return matches(await failed(fleet, store), expected)

    async def is_evicted() -> str:
        """Passes by itself, and comes again."""
        overlay = postgres(persistence={"enabled": False, "size": "16Mi"})
        async with store_of(tmp_path, "eviction", overlay) as (fleet, name):
            message = "PostgreSQL pod was evicted: its volume data grew beyond 16Mi"
            reason = await Shop(fleet, name, kubectl).suffers(message)
            assert reason.code == "evicted"
            assert reason.evidence[0].startswith('pod/postgres-0 Evicted: Usage of EmptyDir volume "data" exceeds')
        return ""

    attempts = [*(fails(*item) for item in CASES.items()), is_evicted()]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    wrong = [f"{name}: {answer}" for name, answer in zip((*CASES, "eviction"), answers, strict=True) if answer]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def small_volume(tmp_path: Path, kubectl_apply: Any) -> Iterator[str]:
    """The class of a volume made by hand: a file system in memory, smaller than a new database."""
    folder, class_name = tmp_path / "volume", f"small-{secrets.token_hex(2)}"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,uid=999,gid=999,mode=0770", "small", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("needs to mount a file system where the cluster's node is")
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": class_name,
        "hostPath": {"path": str(folder), "type": "Directory"},
    }
    kubectl_apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": class_name}, "spec": spec})
    yield class_name
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_volume(tmp_path, small_volume):
    async with store_of(tmp_path, "full", postgres(persistence={"storageClass": small_volume})) as (fleet, name):
        reason = await failed(fleet, name)
        assert reason["code"] == "volume_full"
        assert reason["message"] == "PostgreSQL pod failed to start: no space left on its volume"
        assert any("No space left on device" in line for line in reason["evidence"])


def policy(name: str, namespace: str) -> list[dict[str, Any]]:
    """Refuses every pod of one namespace."""
    group, kind = "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    spec = {
        "matchConstraints": {
            "resourceRules": rules,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        },
        "validations": [{"expression": "false", "message": "a pod says whose it is"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return [
        {"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec},
        {"apiVersion": group, "kind": f"{kind}Binding", "metadata": {"name": name}, "spec": binding},
    ]


def webhook(name: str, namespace: str) -> dict[str, Any]:
    """Asks somebody who is not there about every pod of one namespace."""
    hook = {
        "name": "pods.example.com",
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "clientConfig": {"service": {"name": "nobody", "namespace": "default", "path": "/"}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        "timeoutSeconds": 2,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [hook],
    }


def limit_range(namespace: str) -> dict[str, Any]:
    limits = [{"type": "Container", "max": {"memory": "100Mi"}}]
    metadata = {"name": "narrow", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": limits}}


async def test_what_the_api_server_does_not_let_in(tmp_path, kubectl, kubectl_apply):
    """One store, and one rule of the cluster's after the other: each is named, and Retry gets the next answer."""
    limits = Limits(provisioning=timedelta(minutes=1))
    overlay = postgres(image={"repository": "docker.io/Library/Postgres"})
    async with store_of(tmp_path, "refused", overlay, limits=limits) as (fleet, name):
        namespace = f"store-{name}"
        assert (await failed(fleet, name))["code"] == "image_pull"

        async def retried() -> dict[str, Any]:
            kubectl.run("--namespace", namespace, "delete", "pod", "postgres-0", "--ignore-not-found")
            await fleet.retry(name)
            return await failed(fleet, name)

        kubectl_apply(limit_range(namespace))
        reason = await retried()
        assert reason["message"] == (
            "PostgreSQL pod is refused: maximum memory usage per Container is 100Mi, but limit is 512Mi"
        )
        assert reason["code"] == "limit_range"
        kubectl.run("--namespace", namespace, "delete", "limitrange", "narrow")

        kubectl_apply(*policy(name, namespace))
        await asyncio.sleep(3)  # until the API server has it in force
        reason = await retried()
        assert reason["message"] == f"PostgreSQL pod is refused by {name}: a pod says whose it is"
        assert reason["code"] == "admission_denied"
        assert reason["evidence"][0].startswith("statefulset/postgres FailedCreate: ")
        kubectl.run("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name)

        kubectl_apply(webhook(name, namespace))
        await asyncio.sleep(3)
        reason = await retried()
        assert reason["message"] == (
            "Not ready after 1 minutes: PostgreSQL pod is held up: the admission webhook pods.example.com does not "
            "answer"
        )
        assert "validatingwebhookconfigurations" in reason["hint"]


async def test_a_permission_that_the_platform_lacks(tmp_path, kubectl, kubectl_apply):
    """The platform's account may see everything and make all but Secrets."""
    account = f"narrow-{secrets.token_hex(2)}"
    api_group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": account, "namespace": "default"}
    kubectl_apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": "default"}},
        {
            "apiVersion": f"{api_group}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": account},
            "rules": [
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
                {"apiGroups": [""], "resources": ["namespaces", *POLICIES], "verbs": ["create", "delete", "patch"]},
                {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["create", "patch"]},
            ],
        },
        {
            "apiVersion": f"{api_group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": account},
            "roleRef": {"apiGroup": api_group, "kind": "ClusterRole", "name": account},
            "subjects": [subject],
        },
    )
    token = kubectl.run("--namespace", "default", "create", "token", account).strip()
    papers = yaml.safe_load(kubectl.run("config", "view", "--raw", "--minify", "--flatten"))
    papers["users"][0]["user"] = {"token": token}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(papers))
    async with store_of(tmp_path, "narrow", NO_SHOP, ground=Ground(kubeconfig)) as (fleet, name):
        reason = await failed(fleet, name)
        assert reason["code"] == "permission_denied"
        assert reason["message"] == f"The platform is not permitted to patch secrets in store-{name}"
        assert reason["hint"].endswith(f"kubectl auth can-i patch secrets --as system:serviceaccount:default:{account}")


class Shop:
    """A store with a running shop, and what is done to it behind the engine's back."""

    def __init__(self, fleet: Fleet, name: str, kubectl: Kubectl) -> None:
        self.fleet, self.name, self.namespace, self._kubectl = fleet, name, f"store-{name}", kubectl

    def kubectl(self, *arguments: str) -> str:
        return self._kubectl.run("--namespace", self.namespace, *arguments)

    def sql(self, *statements: str) -> None:
        commands = [part for statement in statements for part in ("--command", statement)]
        self.kubectl("exec", "postgres-0", "--", "psql", "--username=medusa", "--dbname=medusa", *commands)

    def restart(self) -> None:
        self.kubectl("delete", "pod", "--selector=app.kubernetes.io/name=medusa", "--wait=false")

    async def reason(self) -> Reason | None:
        store = await self.fleet.store(self.name)
        assert store is not None
        return self.fleet.engine.condition(store).reason

    async def suffers(self, message: str, within: float = 120) -> Reason:
        """The reason of the READY store, once its message is this one."""
        seen: list[str] = []
        try:
            async with asyncio.timeout(within):
                while (reason := await self.reason()) is None or reason.message != message:
                    if reason is not None and reason.message not in seen:
                        seen.append(reason.message)
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"it was never {message!r}, but {seen}") from None
        return reason

    async def is_told(self, line: str, within: float = 120) -> None:
        async with asyncio.timeout(within):
            while line not in await self.fleet.lines(self.name):
                await asyncio.sleep(0.2)

    async def is_well(self, within: float = 120) -> None:
        async with asyncio.timeout(within):
            while await self.reason() is not None:
                await asyncio.sleep(0.2)


async def test_the_way_in_and_the_life_of_a_shop(tmp_path, kubectl, kubectl_apply):
    """One shop: first nobody leads to it, then it is READY, and suffers from one thing after the other."""
    class_name = f"idle-{secrets.token_hex(2)}"
    ingress_class = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": class_name}}
    folder, name = tmp_path, f"fails-door-{secrets.token_hex(2)}"

    async with fleet_on(Ground(), folder, overlay={"ingress": {"className": class_name}}) as fleet:
        await fleet.ask(name)
        reason = await failed(fleet, name)
        assert reason["code"] == "ingress_class"
        assert reason["message"] == f"Ingress is not served: there is no ingress class {class_name}"

    kubectl_apply({**ingress_class, "spec": {"controller": "example.com/nobody"}})
    limits = Limits(provisioning=timedelta(seconds=6))
    async with fleet_on(Ground(), folder, overlay={"ingress": {"className": class_name}}, limits=limits) as fleet:
        await fleet.retry(name)
        reason = await failed(fleet, name)
        assert reason["code"] == "timeout"
        assert reason["message"] == (
            f"Not ready after 0.1 minutes: Ingress has no address: no controller of the class {class_name} takes it up"
        )

    async with fleet_on(Ground(), folder) as fleet:
        shop = Shop(fleet, name, kubectl)
        await fleet.retry(name)
        store = await fleet.settled(name, within=PATIENCE)
        assert store.state is State.READY, store.reason
        assert await shop.reason() is None
        try:
            await _doors_are_named(shop, store.url)
            await _sufferings_are_named(shop)
        finally:
            await fleet.delete(name)
            await fleet.gone(name, within=PATIENCE)


async def _doors_are_named(shop: Shop, url: str) -> None:
    ingresses, _ = await shop.fleet.cluster.list_all("Ingress", shop.namespace)
    for base, message in {
        "http://no-such-host.invalid": f"The host name {shop.name}.localhost does not resolve",
        "http://127.0.0.1:1": "Nothing answers at the store's address",
        shop.fleet.cluster.url: f"HTTPS to {shop.name}.localhost fails: ",
    }.items():
        door = FrontDoor(shop.fleet.cluster, base)
        finding = await door.ask(url, ingresses)
        await door.close()
        assert finding is not None
        assert finding.reason.message.startswith(message)


async def _sufferings_are_named(shop: Shop) -> None:
    secret = await shop.fleet.cluster.get("Secret", "store-secrets", shop.namespace)
    assert secret is not None
    password = b64decode(secret["data"]["database-password"]).decode()
    with_another_password = (
        "ALTER USER medusa PASSWORD 'another'",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    )
    shop.sql(*with_another_password)
    reason = await shop.suffers(
        "Medusa pod is not ready: readiness probe failed: HTTP probe failed with statuscode: 503"
    )
    assert reason.code == "probe_failing"
    shop.restart()
    await shop.is_told("PostgreSQL did not know the shop's password: it was set again")
    await shop.is_well()
    shop.sql(*with_another_password)  # who does so again is not followed at once
    shop.restart()
    reason = await shop.suffers("Medusa pod failed to start: the database refuses it")
    assert reason.code == "database_refused"
    assert reason.evidence[-1] == ('storefleet: failed: database: password authentication failed for user "medusa"')
    shop.sql(f"ALTER USER medusa PASSWORD '{password}'")
    shop.restart()
    await shop.is_well()

    shop.sql(
        "UPDATE storefleet_shop SET schema_digest = 'of another version'",
        "DROP TABLE mikro_orm_migrations",
        "CREATE VIEW mikro_orm_migrations AS SELECT 1 AS nothing",
    )
    shop.restart()
    reason = await shop.suffers("Medusa pod failed to start: the database migration failed")
    assert reason.code == "migration_failed"
    assert reason.evidence[-1].startswith("storefleet: failed: migration: medusa db:migrate ended with status 1: ")
    assert password not in str(reason.as_dict())

    shop.kubectl("delete", "persistentvolumeclaim", "data-postgres-0", "--wait=false")
    reason = await shop.suffers("PostgreSQL volume was deleted: its data is lost when the pod restarts", within=10)
    assert reason.code == "volume_deleted"
