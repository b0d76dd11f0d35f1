"""On a real cluster: a deleted store is stopped, taken back with its data, destroyed at last with a receipt."""

import secrets
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.cluster.cluster import Kubectl
from tests.cluster.test_whole_line import assert_nothing_is_left, served_on_the_cluster, wait_for, wait_until_gone
from tests.served import Served, command


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    process = served_on_the_cluster(tmp_path_factory.mktemp("undo"), STOREFLEET_UNDO_MINUTES="10")
    try:
        yield process.start()
    finally:
        process.stop()


@pytest.fixture
def name() -> str:
    """A name of the run's own, so that what an earlier run left is not in the way."""
    return f"undo-{secrets.token_hex(3)}"


def data_of(kubectl: Kubectl, namespace: str) -> list[tuple[str, str]]:
    """The claims of a store and the volumes that they hold."""
    claims = kubectl.items("persistentvolumeclaims", "--namespace", namespace)
    return [(each["metadata"]["uid"], each["spec"]["volumeName"]) for each in claims]


def wait_until_stopped(kubectl: Kubectl, namespace: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while pods := kubectl.names("pods", "--namespace", namespace):
        assert time.monotonic() < end, pods
        time.sleep(0.5)


def test_a_deletion_is_undone_and_then_leaves_a_receipt(served: Served, kubectl: Kubectl, name: str) -> None:
    with served.client(served.token()) as api:
        api.post("/api/v1/stores", json={"name": name}).raise_for_status()
        store, namespace = wait_for(api, name, "READY"), f"store-{name}"
        before = data_of(kubectl, namespace)
        assert api.delete(f"/api/v1/stores/{name}").json()["destroy_at"]
        wait_until_stopped(kubectl, namespace)
        assert data_of(kubectl, namespace) == before
        assert [each["name"] for each in api.get("/api/v1/stores").json()["items"]] == []

        assert api.post(f"/api/v1/stores/{name}/undelete").status_code == 202
        assert wait_for(api, name, "READY", "FAILED")["state"] == "READY"
        assert data_of(kubectl, namespace) == before

        objects = {each["metadata"]["uid"] for each in kubectl.items("pods,secrets", "--namespace", namespace)}
        api.delete(f"/api/v1/stores/{name}", params={"now": True}).raise_for_status()
        wait_until_gone(api, name)
        assert_nothing_is_left(kubectl, store)
        receipt = receipt_of(api, name)
    listed = {each["uid"] for each in receipt["before"]["objects"]}
    assert objects <= listed
    assert {uid for uid, _ in before} <= listed
    assert receipt["absent"] == [
        f"namespace/{namespace}",
        *(f"persistentvolume/{volume}" for _, volume in before),
        f"store/{name}",
    ]
    printed = command("audit", "receipt", name, **served.settings).stdout
    assert f"persistentvolume/{before[0][1]}" in printed
    assert "all in order" in command("audit", "verify", **served.settings).stdout


@pytest.mark.parametrize("when", ["in the middle of its making", "its namespace gone"])
def test_a_receipt_whatever_was_there(served: Served, kubectl: Kubectl, name: str, when: str) -> None:
    with served.client(served.token()) as api:
        api.post("/api/v1/stores", json={"name": name}).raise_for_status()
        store = wait_for(api, name, "PROVISIONING")
        end = time.monotonic() + 60
        while not kubectl.names("persistentvolumeclaims", "--namespace", f"store-{name}"):
            assert time.monotonic() < end
            time.sleep(0.1)
        if when == "its namespace gone":
            api.delete(f"/api/v1/stores/{name}").raise_for_status()  # stopped: nobody puts the namespace back
            kubectl.run("delete", "namespace", f"store-{name}")
        api.delete(f"/api/v1/stores/{name}", params={"now": True}).raise_for_status()
        wait_until_gone(api, name)
        assert_nothing_is_left(kubectl, store)
        receipt = receipt_of(api, name)
    kinds = {each["kind"] for each in receipt["before"]["objects"]}
    assert (receipt["before"]["namespace"] is None) == (when == "its namespace gone")
    assert ("PersistentVolumeClaim" in kinds) == (when == "in the middle of its making")
    assert {f"namespace/store-{name}", f"store/{name}"} <= set(receipt["absent"])


def receipt_of(api: httpx.Client, name: str) -> dict:
    items = api.get("/api/v1/audit", params={"store": name, "action": "store.deleted"}).json()["items"]
    assert len(items) == 1
    return items[0]["detail"]
