"""What a store can be upgraded to and rolled back to, by Helm's records; and when what answers is the new release."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from provisioning.models import Store
from provisioning.observe import observe
from provisioning.release import Kept
from provisioning.states import State
from provisioning.upgrades import standing
from provisioning.wanted import wanted
from tests.unit.cluster_objects import obj, pod

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
STORE = Store(id="a" * 32, name="shop", owner_id="ann", template="medusa", plan="small", url="http://shop", version="1")
WISH = replace(wanted(STORE, "i1", {}, {}), spec="now", present="now", version="3")
A, B, NOW = (
    Kept(number, spec, version, "superseded")
    for number, spec, version in ((1, "a", "1"), (2, "b", "2"), (3, "now", "3"))
)


def deployed(kept: Kept, number: int) -> Kept:
    return replace(kept, number=number, status="deployed")


def found(state: State, *history: Kept, pinned: str = "", proven: str = "a b") -> dict[str, Any]:
    store = STORE.model_copy(update={"state": state, "pinned": pinned or None, "proven": proven.split()})
    columns = standing(store, replace(WISH, spec=pinned or "now"), history)
    if columns.get("earlier"):
        columns["earlier"] = [each["revision"] for each in columns["earlier"]]
    return columns


@pytest.mark.parametrize(
    ("history", "upgrade_to", "earlier"),
    [
        ([deployed(NOW, 1)], None, None),
        ([deployed(A, 1)], "3", None),
        ([A, deployed(B, 2)], "3", [1]),
        ([A, B, deployed(NOW, 3)], None, [2, 1]),
        ([A, B, deployed(A, 3)], "3", [2]),
        ([A, NOW, deployed(A, 4)], "3", None),  # rolled back: what it came from is the upgrade
        ([A, replace(A, number=2), deployed(NOW, 3)], None, [2]),  # a repair in between
        ([A, replace(B, status="failed"), deployed(NOW, 3)], None, [1]),
    ],
)
def test_a_ready_store_has_what_is_deployed(history, upgrade_to, earlier):
    newest = history[-1]
    columns = found(State.READY, *history)
    assert newest.spec in columns.pop("proven")
    assert columns == {
        "upgrade_to": upgrade_to,
        "earlier": earlier,
        "revision": newest.number,
        "version": newest.version,
    }


@pytest.mark.parametrize("history", [[], [A, replace(B, status="pending-upgrade")], [A, replace(B, status="failed")]])
def test_while_a_ready_store_is_repaired_what_there_is_to_choose_stays(history):
    assert found(State.READY, *history) == {}


@pytest.mark.parametrize("state", [State.PROVISIONING, State.FAILED])
def test_on_the_way_it_goes_by_what_is_wanted(state):
    assert found(state) == {"upgrade_to": None, "earlier": None}
    before = replace(A, status="deployed")
    assert found(state, before)["earlier"] == [1], "it failed before helm was through"
    assert found(state, before, replace(NOW, status="failed")) == {"upgrade_to": None, "earlier": [1]}
    assert found(state, A, deployed(NOW, 2))["earlier"] == [1], "its pods did not come up"
    back = found(state, A, NOW, deployed(A, 4), pinned="a")
    assert (back["upgrade_to"], back["earlier"]) == ("3", None)


def test_only_what_the_store_was_ready_with_is_offered():
    assert found(State.FAILED, A, B, deployed(NOW, 3), proven="a")["earlier"] == [1], "the second never came up"
    assert found(State.FAILED, A, deployed(NOW, 2), proven="")["earlier"] is None, "it never was READY"
    up = found(State.READY, A, B, deployed(NOW, 3), proven="a gone")
    assert (up["proven"], up["earlier"]) == (["a", "now"], [1])


def test_a_record_that_does_not_tell_a_version_changes_none():
    assert found(State.READY, replace(NOW, version="", status="deployed"))["version"] == "1"


def workload(kind: str, name: str, replicas: int = 1, **status: int) -> dict[str, Any]:
    made = obj(kind, name, part=name, spec={"replicas": replicas})
    made["metadata"]["generation"] = 2
    made["status"] = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, **status}
    return made


def shop_pod(ready: str = "True", *, leaves: bool = False) -> dict[str, Any]:
    made = pod("medusa-x", "medusa", conditions=({"type": "Ready", "status": ready},), phase="Running")
    if leaves:
        made["metadata"]["deletionTimestamp"] = "2026-01-02T12:00:30Z"
    return made


@pytest.mark.parametrize(
    ("status", "pods", "waits_for"),
    [
        ({}, [shop_pod()], ""),
        ({"observedGeneration": 1}, [shop_pod()], "Medusa to become ready"),  # the rollout has not begun
        ({"replicas": 2}, [shop_pod(), shop_pod("False")], "Medusa to become ready"),
        ({"updatedReplicas": 0}, [shop_pod()], "Medusa to become ready"),
        ({}, [shop_pod(), shop_pod(leaves=True)], "the Medusa pod before to leave"),
        ({}, [shop_pod(), shop_pod("False", leaves=True)], ""),  # it serves nobody any more
    ],
)
def test_ready_is_what_the_new_pods_answer(status, pods, waits_for):
    there = [workload("StatefulSet", "postgres"), workload("Deployment", "medusa", **status), *pods]
    assert observe(there, WISH, NOON).waiting_for == waits_for
