"""Leases: by which several processes choose the one that leads."""

import asyncio

import pytest

from tests.conformance.client import Obj, Target


def lease(holder: str, **more: object) -> Obj:
    time = "2026-01-01T12:00:00.123456Z"
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 10, "acquireTime": time, "renewTime": time, **more}
    metadata = {"name": "leader", "labels": {"app": "x"}}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


@pytest.fixture
def path(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


async def test_a_lease_keeps_what_its_holder_wrote(cluster: Target, path: str) -> None:
    made = await cluster.ok("POST", path, lease("a"))
    read = await cluster.ok("GET", f"{path}/leader")
    assert read["spec"] == made["spec"] == lease("a")["spec"]
    assert [each["metadata"]["name"] for each in (await cluster.ok("GET", path, labelSelector="app=x"))["items"]] == [
        "leader"
    ]
    again = await cluster.call("POST", path, lease("b"))
    assert (again.status, again["reason"]) == (409, "AlreadyExists")


async def test_of_two_who_take_a_lease_in_the_same_version_one_does(cluster: Target, path: str) -> None:
    made = await cluster.ok("POST", path, lease("a"))
    takes = [{**lease(holder), "metadata": made["metadata"]} for holder in ("b", "c")]
    answers = await asyncio.gather(*(cluster.call("PUT", f"{path}/leader", take) for take in takes))
    assert sorted(answer.status for answer in answers) == [200, 409]
    refused, taken = sorted(answers, key=lambda answer: -answer.status)
    assert refused["reason"] == "Conflict"
    assert (await cluster.ok("GET", f"{path}/leader"))["spec"] == taken["spec"]
    renewed = await cluster.ok("PUT", f"{path}/leader", {**taken.body, "spec": {**taken["spec"], "renewTime": None}})
    assert renewed["metadata"]["resourceVersion"] != taken["metadata"]["resourceVersion"]


async def test_a_lease_may_be_held_by_nobody(cluster: Target, path: str) -> None:
    made = await cluster.ok("POST", path, lease("a"))
    given_up = {**made, "spec": {**made["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}}
    assert (await cluster.ok("PUT", f"{path}/leader", given_up))["spec"].get("holderIdentity", "") == ""


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"leaseDurationSeconds": 0}, 422),
        ({"leaseTransitions": -1}, 422),
        ({"leaseDurationSeconds": "10"}, 400),
        ({"renewTime": "soon"}, 400),
    ],
)
async def test_a_malformed_lease_is_refused(cluster: Target, path: str, wrong: Obj, status: int) -> None:
    assert (await cluster.call("POST", path, lease("a", **wrong))).status == status
