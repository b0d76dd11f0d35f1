"""Creating, reading, changing, selecting: what every client builds on."""

import asyncio
import ssl

import aiohttp
import pytest

from tests.conformance.client import JSON_PATCH, MERGE, STRATEGIC, Target, config_map, deployment


async def test_a_new_object_gets_what_only_the_system_sets(cluster: Target, namespace: str) -> None:
    made = await cluster.ok("POST", f"/api/v1/namespaces/{namespace}/configmaps", config_map("a", x="1"))
    metadata = made["metadata"]
    assert metadata["namespace"] == namespace
    assert int(metadata["resourceVersion"]) > 0
    assert len(metadata["uid"]) == 36
    assert metadata["creationTimestamp"].endswith("Z")
    again = await cluster.call("POST", f"/api/v1/namespaces/{namespace}/configmaps", config_map("a"))
    assert (again.status, again["reason"]) == (409, "AlreadyExists")
    assert again["message"] == 'configmaps "a" already exists'


async def test_a_generated_name(cluster: Target, namespace: str) -> None:
    body = {"metadata": {"generateName": "a-"}}
    made = await cluster.ok("POST", f"/api/v1/namespaces/{namespace}/configmaps", body)
    assert made["metadata"]["name"].startswith("a-")
    assert len(made["metadata"]["name"]) == 7


async def test_what_is_not_there(cluster: Target, namespace: str) -> None:
    absent = await cluster.call("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/a")
    assert (absent.status, absent["reason"]) == (404, "NotFound")
    assert absent["message"] == 'deployments.apps "a" not found'
    assert absent["details"] == {"name": "a", "group": "apps", "kind": "deployments"}
    nowhere = await cluster.call("POST", "/api/v1/namespaces/nowhere-at-all/configmaps", config_map("a"))
    assert (nowhere.status, nowhere["message"]) == (404, 'namespaces "nowhere-at-all" not found')
    assert (await cluster.call("GET", "/apis/nobody.example/v1/things")).status == 404


async def test_a_stale_version_is_refused(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    old = await cluster.ok("POST", path, config_map("a", x="1"))
    await cluster.ok("PATCH", f"{path}/a", {"data": {"x": "2"}}, MERGE)
    stale = await cluster.call("PUT", f"{path}/a", old)
    assert (stale.status, stale["reason"]) == (409, "Conflict")
    assert stale["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_a_write_that_changes_nothing_makes_no_version(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    made = await cluster.ok("POST", path, config_map("a", x="1"))
    same = await cluster.ok("PATCH", f"{path}/a", {"data": {"x": "1"}}, MERGE)
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_dry_run_leaves_no_trace(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await cluster.ok("POST", path, config_map("a", x="1"), dryRun="All")
    assert (await cluster.call("GET", f"{path}/a")).status == 404
    await cluster.ok("POST", path, config_map("a", x="1"))
    shown = await cluster.ok("PATCH", f"{path}/a", {"data": {"x": "2"}}, MERGE, dryRun="All")
    assert shown["data"] == {"x": "2"}
    await cluster.ok("DELETE", f"{path}/a", dryRun="All")
    assert (await cluster.ok("GET", f"{path}/a"))["data"] == {"x": "1"}


@pytest.mark.parametrize(
    ("content_type", "patch", "expected"),
    [
        (MERGE, {"data": {"b": "2"}}, {"a": "1", "b": "2"}),
        (MERGE, {"data": {"a": None}}, None),
        (STRATEGIC, {"data": {"b": "2"}}, {"a": "1", "b": "2"}),
        (JSON_PATCH, [{"op": "add", "path": "/data/b", "value": "2"}], {"a": "1", "b": "2"}),
        (JSON_PATCH, [{"op": "replace", "path": "/data/a", "value": "9"}], {"a": "9"}),
        (JSON_PATCH, [{"op": "remove", "path": "/data/a"}, {"op": "add", "path": "/data/c~1", "value": "3"}], 422),
        (JSON_PATCH, [{"op": "test", "path": "/data/a", "value": "other"}], 422),
    ],
)
async def test_patches(cluster: Target, namespace: str, content_type: str, patch: object, expected: object) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await cluster.ok("POST", path, config_map("m", a="1"))
    answer = await cluster.call("PATCH", f"{path}/m", patch, content_type)
    if isinstance(expected, int):
        assert answer.status == expected
    else:
        assert answer.body.get("data") == expected


async def test_a_strategic_patch_merges_containers_by_name(cluster: Target, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await cluster.ok("POST", path, deployment("d", replicas=0))
    containers = [{"name": "postgres", "env": [{"name": "ADDED", "value": "1"}]}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    patched = await cluster.ok("PATCH", f"{path}/d", patch, STRATEGIC)
    container = patched["spec"]["template"]["spec"]["containers"][0]
    assert container["image"].endswith("postgres:17-trixie")
    assert {env["name"] for env in container["env"]} == {"ADDED", "POSTGRES_PASSWORD", "PGDATA"}
    assert patched["metadata"]["generation"] == 2


async def test_selectors(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for name, labels in (("a", {"app": "x"}), ("b", {"app": "y", "tier": "web"}), ("c", {})):
        await cluster.ok("POST", path, {"metadata": {"name": name, "labels": labels}})

    async def names(**query: str) -> set[str]:
        listed = await cluster.ok("GET", path, **query)
        return {item["metadata"]["name"] for item in listed["items"]} - {"kube-root-ca.crt"}

    assert await names(labelSelector="app=x") == {"a"}
    assert await names(labelSelector="app!=x") == {"b", "c"}
    assert await names(labelSelector="app in (x,y),tier") == {"b"}
    assert await names(labelSelector="app notin (x)") == {"b", "c"}
    assert await names(labelSelector="!app") == {"c"}
    assert await names(fieldSelector="metadata.name=b") == {"b"}
    assert (await cluster.call("GET", path, labelSelector="a b")).status == 400


async def test_lists_come_in_pages(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    for number in range(5):
        await cluster.ok("POST", path, {"metadata": {"name": f"s{number}"}})
    first = await cluster.ok("GET", path, limit="2")
    assert [item["metadata"]["name"] for item in first["items"]] == ["s0", "s1"]
    assert first["metadata"]["remainingItemCount"] == 3
    rest = await cluster.ok("GET", path, **{"limit": "10", "continue": first["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in rest["items"]] == ["s2", "s3", "s4"]
    assert "continue" not in rest["metadata"]


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "a" * 254, "dot."])
async def test_names_that_break_the_rules(cluster: Target, namespace: str, name: str) -> None:
    answer = await cluster.call("POST", f"/api/v1/namespaces/{namespace}/configmaps", config_map(name))
    assert (answer.status, answer["reason"]) == (422, "Invalid")
    assert answer["message"].startswith(f'ConfigMap "{name}" is invalid: metadata.name: Invalid value: "{name}": ')
    assert answer["details"]["causes"][0]["field"] == "metadata.name"


async def test_a_namespace_must_be_a_dns_label(cluster: Target) -> None:
    for name, words in (("a.b", "must not contain dots"), ("a" * 64, "must be no more than 63")):
        answer = await cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        assert answer.status == 422
        assert words in answer["message"]


async def test_a_deployment_whose_selector_misses_its_pods(cluster: Target, namespace: str) -> None:
    wrong = deployment("d", replicas=0)
    wrong["spec"]["selector"]["matchLabels"] = {"app": "other"}
    answer = await cluster.call("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", wrong)
    assert answer.status == 422
    assert "`selector` does not match template `labels`" in answer["message"]


async def test_secrets_keep_text_as_base64(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    made = await cluster.ok("POST", path, {"metadata": {"name": "s"}, "stringData": {"a": "äö"}})
    assert made["data"] == {"a": "w6TDtg=="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made
    changed = await cluster.call("PATCH", f"{path}/s", {"type": "other"}, MERGE)
    assert changed.status == 422
    assert "field is immutable" in changed["message"]


async def test_scale_and_status_change_their_own_part_only(cluster: Target, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await cluster.ok("POST", path, deployment("d", replicas=0))
    scale = await cluster.ok("GET", f"{path}/d/scale")
    assert (scale["kind"], scale["spec"].get("replicas", 0)) == ("Scale", 0)
    await cluster.ok("PATCH", f"{path}/d", {"status": {"replicas": 7}}, MERGE)
    changed = await cluster.ok("PATCH", f"{path}/d/status", {"spec": {"paused": True}}, MERGE)
    assert "paused" not in changed["spec"]
    assert (changed.get("status") or {}).get("replicas", 0) == 0


async def test_ten_writers_at_once_lose_nothing(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await cluster.ok("POST", path, config_map("m"))
    patches = [cluster.ok("PATCH", f"{path}/m", {"data": {f"k{n}": "1"}}, MERGE) for n in range(10)]
    await asyncio.gather(*patches)
    assert len((await cluster.ok("GET", f"{path}/m"))["data"]) == 10


async def test_discovery_and_access(cluster: Target) -> None:
    groups = {group["name"] for group in (await cluster.ok("GET", "/apis"))["groups"]}
    assert {"apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io", "coordination.k8s.io"} <= groups
    apps = {item["name"]: item for item in (await cluster.ok("GET", "/apis/apps/v1"))["resources"]}
    assert apps["deployments"]["kind"] == "Deployment"
    assert "watch" in apps["deployments"]["verbs"]
    assert apps["deployments/scale"]["kind"] == "Scale"
    assert (await cluster.ok("GET", "/version"))["major"] == "1"
    question = {"spec": {"resourceAttributes": {"verb": "create", "resource": "namespaces"}}}
    review = await cluster.ok("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", question)
    assert review["status"]["allowed"] is True


async def test_a_wrong_token(cluster: Target) -> None:
    await cluster.ok("GET", "/version")
    url = f"{cluster.api.configuration.host}/api/v1/namespaces"
    without_certificate = ssl.create_default_context(cafile=cluster.api.configuration.ssl_ca_cert)
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Authorization": "Bearer wrong"}, ssl=without_certificate) as answer,
    ):
        assert answer.status == 401
        assert (await answer.json())["reason"] == "Unauthorized"
