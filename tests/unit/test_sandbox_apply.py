"""Field sets and merging: what server-side apply is made of."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.sandbox import fieldsets, ownership
from provisioning.sandbox.errors import ApiError
from provisioning.sandbox.objects import clone
from provisioning.sandbox.schema import Schema

SCHEMA = Schema("Deployment")
JSON = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
DATA = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def test_keyed_lists_and_atomic_maps() -> None:
    spec = {
        "containers": [{"name": "a", "ports": [{"containerPort": 80}], "args": ["x"]}],
        "nodeSelector": {"disk": "ssd"},
    }
    shown = {fieldsets.show(path) for path in fieldsets.paths_of(spec, SCHEMA)}
    assert shown == {
        '.containers[name="a"]',
        '.containers[name="a"].name',
        '.containers[name="a"].ports[containerPort=80,protocol="TCP"]',
        '.containers[name="a"].ports[containerPort=80,protocol="TCP"].containerPort',
        '.containers[name="a"].args',
        ".nodeSelector",
    }


@given(DATA)
def test_field_sets_survive_their_encoding(data: dict[str, Any]) -> None:
    paths = set(fieldsets.paths_of(data, SCHEMA))
    assert fieldsets.decode(fieldsets.encode(paths)) == paths


@given(DATA, DATA)
def test_merging_keeps_what_is_applied_and_changes_nothing_given(live: dict[str, Any], applied: dict[str, Any]) -> None:
    before = clone(live), clone(applied)
    merged = fieldsets.merge(live, applied, SCHEMA)
    assert (live, applied) == before
    assert fieldsets.merge(merged, applied, SCHEMA) == merged
    assert set(applied) <= set(merged)


@given(DATA, DATA)
def test_a_comparison_with_itself_finds_nothing(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert fieldsets.compare(old, clone(old), SCHEMA) == (set(), set())
    changed, removed = fieldsets.compare(old, new, SCHEMA)
    assert (old == new) == (not changed and not removed)


def test_a_second_manager_of_the_same_value_keeps_it() -> None:
    one = ownership.apply(None, deployment(replicas=1, paused=True), "one", "", False, SCHEMA)
    two = ownership.apply(one, deployment(replicas=1), "two", "", False, SCHEMA)
    left = ownership.apply(two, deployment(), "one", "", False, SCHEMA)
    assert left["spec"] == {"replicas": 1}
    gone = ownership.apply(left, deployment(), "two", "", False, SCHEMA)
    assert "spec" not in gone


def test_a_conflict_changes_nothing() -> None:
    one = ownership.apply(None, deployment(replicas=1), "one", "", False, SCHEMA)
    before = clone(one)
    with pytest.raises(ApiError) as refused:
        ownership.apply(one, deployment(replicas=2), "two", "", False, SCHEMA)
    assert refused.value.code == 409
    assert one == before


def test_an_update_takes_over_what_it_changes() -> None:
    one = ownership.apply(None, deployment(replicas=1, paused=True), "one", "", False, SCHEMA)
    new = clone(one)
    new["spec"]["replicas"] = 5
    ownership.record_update(one, new, "hand", "", SCHEMA)
    owners = {entry["manager"]: entry["fieldsV1"] for entry in new["metadata"]["managedFields"]}
    assert owners == {"one": {"f:spec": {"f:paused": {}}}, "hand": {"f:spec": {"f:replicas": {}}}}
