"""Server-side apply: who owns which field, and what follows from it."""

from typing import Any

from tests.conformance.client import APPLY, MERGE, Target, config_map, deployment


async def apply(cluster: Target, path: str, body: dict[str, Any], manager: str, force: bool = False) -> Any:
    return await cluster.call("PATCH", path, body, APPLY, fieldManager=manager, force=str(force).lower())


async def test_apply_creates_then_changes_then_prunes(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/m"
    assert (await apply(cluster, path, config_map("m", a="1", b="2"), "one")).status == 201
    same = await apply(cluster, path, config_map("m", a="1", b="2"), "one")
    again = await apply(cluster, path, config_map("m", a="1", b="2"), "one")
    assert same["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]
    changed = await apply(cluster, path, config_map("m", a="9"), "one")
    assert (changed.status, changed["data"]) == (200, {"a": "9"})


async def test_fields_of_others_are_left_alone(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/m"
    await apply(cluster, path, config_map("m", a="1"), "one")
    await apply(cluster, path, config_map("m", b="2"), "two")
    await cluster.ok("PATCH", path, {"data": {"c": "3"}}, MERGE, fieldManager="three")
    left = await apply(cluster, path, config_map("m", a="9"), "one")
    assert left["data"] == {"a": "9", "b": "2", "c": "3"}
    managers = {(entry["manager"], entry["operation"]) for entry in left["metadata"]["managedFields"]}
    assert managers == {("one", "Apply"), ("two", "Apply"), ("three", "Update")}
    owned = next(entry for entry in left["metadata"]["managedFields"] if entry["manager"] == "two")
    assert owned["fieldsV1"] == {"f:data": {"f:b": {}}}


async def test_a_conflict_names_manager_and_field(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/m"
    await apply(cluster, path, config_map("m", a="1"), "one")
    refused = await apply(cluster, path, config_map("m", a="2"), "two")
    assert (refused.status, refused["reason"]) == (409, "Conflict")
    assert refused["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    expected = {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
    assert refused["details"]["causes"] == [expected]
    # The same value is no conflict: both own it then, and one's leaving does not remove it.
    assert (await apply(cluster, path, config_map("m", a="1"), "two")).status == 200
    shared = await apply(cluster, path, config_map("m"), "one")
    assert shared["data"] == {"a": "1"}


async def test_force_takes_a_field_over(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/m"
    await apply(cluster, path, config_map("m", a="1"), "one")
    assert (await apply(cluster, path, config_map("m", a="2"), "two", force=True))["data"] == {"a": "2"}
    back = await apply(cluster, path, config_map("m", a="1"), "one")
    assert back.status == 409


async def test_conflicts_with_hand_made_changes(cluster: Target, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/d"
    await apply(cluster, path, deployment("d", replicas=0), "one")
    await cluster.ok("PATCH", path, {"spec": {"revisionHistoryLimit": 5}}, MERGE, fieldManager="hand")
    wanted = deployment("d", replicas=0, revisionHistoryLimit=7)
    refused = await apply(cluster, path, wanted, "one")
    assert refused.status == 409
    assert 'conflict with "hand" using apps/v1: .spec.revisionHistoryLimit' in refused["message"]
    many = deployment("d", replicas=0, revisionHistoryLimit=7)
    await cluster.ok("PATCH", path, {"spec": {"minReadySeconds": 3}}, MERGE, fieldManager="hand")
    many["spec"]["minReadySeconds"] = 4
    refused = await apply(cluster, path, many, "one")
    assert refused["message"].splitlines() == [
        'Apply failed with 2 conflicts: conflicts with "hand" using apps/v1:',
        "- .spec.minReadySeconds",
        "- .spec.revisionHistoryLimit",
    ]


async def test_scaling_belongs_to_who_scales(cluster: Target, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/d"
    without = deployment("d")
    del without["spec"]["replicas"]
    without["spec"]["template"]["spec"]["nodeSelector"] = {"nowhere": "true"}
    await apply(cluster, path, without, "one")
    await cluster.ok("PATCH", f"{path}/scale", {"spec": {"replicas": 2}}, MERGE, fieldManager="scaler")
    kept = await apply(cluster, path, without, "one")
    assert (kept.status, kept["spec"]["replicas"]) == (200, 2)


async def test_list_items_are_merged_by_their_keys(cluster: Target, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/d"
    await apply(cluster, path, deployment("d", replicas=0), "one")
    other: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    env = [{"name": "EXTRA", "value": "1"}]
    other["spec"] = {"template": {"spec": {"containers": [{"name": "postgres", "env": env}]}}}
    merged = await apply(cluster, path, other, "two")
    containers = merged["spec"]["template"]["spec"]["containers"]
    assert [env["name"] for env in containers[0]["env"]] == ["POSTGRES_PASSWORD", "PGDATA", "EXTRA"]
    other["spec"]["template"]["spec"]["containers"][0]["env"] = []
    pruned = await apply(cluster, path, other, "two")
    names = [env["name"] for env in pruned["spec"]["template"]["spec"]["containers"][0]["env"]]
    assert names == ["POSTGRES_PASSWORD", "PGDATA"]


async def test_a_container_leaves_with_who_brought_it(cluster: Target, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/d"
    body = deployment("d", replicas=0)
    extra = {"name": "extra", "image": "docker.io/library/postgres:17-trixie"}
    body["spec"]["template"]["spec"]["containers"].append(extra)
    await apply(cluster, path, body, "one")
    pruned = await apply(cluster, path, deployment("d", replicas=0), "one")
    assert [item["name"] for item in pruned["spec"]["template"]["spec"]["containers"]] == ["postgres"]


async def test_apply_needs_a_manager_and_sane_input(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/m"
    nameless = await cluster.call("PATCH", path, config_map("m"), APPLY)
    assert nameless.status in (400, 422)
    assert "fieldManager" in nameless["message"]
    wrong = await apply(cluster, path, config_map("other"), "one")
    assert wrong.status == 400


async def test_dry_run(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/m"
    shown = await cluster.call("PATCH", path, config_map("m", a="1"), APPLY, fieldManager="one", dryRun="All")
    assert shown.status == 201
    assert (await cluster.call("GET", path)).status == 404
