"""Orphans: what is one, what goes with it, what is never touched, and when the policy removes it."""

from datetime import UTC, datetime, timedelta

import pytest

from provisioning.cluster import Obj
from provisioning.orphans import Orphan, Row, find, is_still, seen_since, to_clean, unmarked

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OURS = "installation-1"
STORE = Row("s1", "bikes", ready=True, since=NOW)


def obj(
    kind: str,
    name: str,
    space: str = "",
    *,
    store: str = "lost",
    installation: str = OURS,
    owner: str = "",
    **more: object,
) -> Obj:
    labels = {"storefleet.dev/installation": installation, "storefleet.dev/store": store}
    metadata: Obj = {
        "name": name,
        "uid": f"{kind}:{space}:{name}",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {key: value for key, value in labels.items() if value},
    }
    if space:
        metadata["namespace"] = space
    if owner:
        metadata["ownerReferences"] = [{"uid": owner}]
    return {"kind": kind, "apiVersion": "v1", "metadata": metadata, **more}


def claim(space: str, **more: str) -> Obj:
    return obj("PersistentVolumeClaim", "data", space, **more, spec={"resources": {"requests": {"storage": "1Gi"}}})


def volume(space: str = "store-x", phase: str = "Released", **more: str) -> Obj:
    spec = {
        "capacity": {"storage": "1Gi"},
        "claimRef": {"namespace": space, "uid": f"PersistentVolumeClaim:{space}:data"},
    }
    return obj("PersistentVolume", "pv-1", **more, spec=spec, status={"phase": phase})


def found(*objects: Obj, rows: tuple[Row, ...] = ()) -> list[str]:
    return [orphan.reference for orphan in find(objects, rows, OURS)]


def test_a_namespace_without_a_row_is_one_orphan_with_all_that_is_in_it():
    (orphan,) = find([obj("Namespace", "store-x"), claim("store-x"), volume(), obj("Pod", "p", "store-x")], [], OURS)
    assert (orphan.reference, orphan.contains, orphan.size) == ("namespace/store-x", 3, 1024**3)


def test_a_store_with_a_row_and_objects_is_none():
    there = [obj("Namespace", "store-bikes", store="s1"), claim("store-bikes", store="s1")]
    assert found(*there, rows=(STORE,)) == []


def test_objects_in_a_foreign_namespace_are_told_one_by_one_without_what_they_own():
    deployment = obj("Deployment", "d", "theirs")
    owned = obj("ReplicaSet", "r", "theirs", owner=deployment["metadata"]["uid"])
    pod = obj("Pod", "p", "theirs", owner=owned["metadata"]["uid"])
    (orphan,) = find([pod, owned, deployment, obj("Namespace", "theirs", store="", installation="")], [], OURS)
    assert (orphan.reference, orphan.namespace, orphan.contains) == ("deployment/d", "theirs", 2)


@pytest.mark.parametrize(
    "foreign",
    [
        obj("Namespace", "store-x", installation="installation-2"),
        obj("Namespace", "store-x", installation=""),
        obj("Namespace", "store-x", store=""),  # ours, but of no store: the platform's own
        obj("Namespace", "kube-system"),  # whoever put our labels there
        volume(installation=""),
        volume(installation="installation-2"),
        volume(phase="Bound"),
        volume(space="theirs"),
    ],
)
def test_what_is_not_ours_is_never_one(foreign):
    assert found(foreign) == []


def test_a_volume_that_we_labelled_is_one_once_it_is_released():
    assert found(volume()) == ["persistentvolume/pv-1"]


def test_a_ready_store_without_objects_is_told_until_it_is_repaired():
    waiting = Row("s2", "later", ready=False, since=NOW)
    (orphan,) = find([], [STORE, waiting], OURS)
    assert (orphan.id, orphan.name, orphan.is_row) == ("s1", "bikes", True)
    assert found(obj("Secret", "key", "store-bikes", store="s1"), rows=(STORE,)) == []


def orphan_at(**more: object) -> Orphan:
    (orphan,) = find([obj("Namespace", "store-x")], [], OURS)
    return Orphan(**{**vars(orphan), **more})


def test_the_policy_removes_what_was_seen_for_ten_minutes_without_a_break():
    orphan, seen = orphan_at(), {}
    for minutes, removed in ((0, False), (5, False), (10, True)):
        at = NOW + timedelta(minutes=minutes)
        seen = seen_since(seen, [orphan], at)
        assert bool(to_clean([orphan], seen, at, {orphan.store_id})) is removed
    at = NOW + timedelta(minutes=15)
    seen = seen_since(seen_since(seen, [], at), [orphan], at)
    assert to_clean([orphan], seen, at, {orphan.store_id}) == [], "it was away in between"


@pytest.mark.parametrize("kept", [{"deleting": True}, {"kind": "Store", "api_version": ""}])
def test_the_policy_leaves_what_goes_already_and_rows(kept):
    orphan = orphan_at(**kept)
    assert to_clean([orphan], {orphan.id: NOW - timedelta(days=1)}, NOW, {orphan.store_id}) == []


def test_the_policy_leaves_what_is_not_known_to_have_been_deleted():
    orphan = orphan_at()
    seen = {orphan.id: NOW - timedelta(days=1)}
    assert to_clean([orphan], seen, NOW, {"another"}) == []
    assert to_clean([orphan], seen, NOW, {orphan.store_id}) == [orphan]


def test_only_the_very_object_that_was_found_is_removed():
    (orphan,) = find([obj("Namespace", "store-x")], [], OURS)
    assert is_still(obj("Namespace", "store-x"), orphan, OURS)
    assert not is_still(None, orphan, OURS)
    assert not is_still(obj("Namespace", "store-x", installation="installation-2"), orphan, OURS)
    assert not is_still(obj("Namespace", "store-x", store="s1"), orphan, OURS)
    again = obj("Namespace", "store-x")
    again["metadata"]["uid"] = "another"
    assert not is_still(again, orphan, OURS)


def test_a_volume_is_labelled_only_where_its_claim_proves_whose_it_is():
    bare = volume(installation="", store="", phase="Bound")
    (mark,) = unmarked([claim("store-x", store="s1")], [bare], OURS)
    assert mark["metadata"]["labels"] == {"storefleet.dev/installation": OURS, "storefleet.dev/store": "s1"}
    assert mark["metadata"]["uid"] == bare["metadata"]["uid"]
    assert unmarked([], [bare], OURS) == []
    assert unmarked([claim("store-x", installation="installation-2")], [bare], OURS) == []
    assert unmarked([claim("store-y", store="s1")], [bare], OURS) == []
    assert unmarked([claim("store-x", store="s1")], [volume(store="s1")], OURS) == []
