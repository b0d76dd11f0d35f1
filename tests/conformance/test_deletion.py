"""How things end: preconditions, finalizers, owners, namespaces, volumes."""

from tests.conformance.client import JSON_PATCH, MERGE, Target, config_map, deployment, pod_spec


async def test_preconditions(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    made = await cluster.ok("POST", path, config_map("a"))
    refused = await cluster.call("DELETE", f"{path}/a", {"preconditions": {"uid": "other"}})
    assert (refused.status, refused["reason"]) == (409, "Conflict")
    assert "the UID in the precondition (other) does not match the UID in record (" in refused["message"]
    gone = await cluster.ok("DELETE", f"{path}/a", {"preconditions": {"uid": made["metadata"]["uid"]}})
    assert (gone["kind"], gone["status"], gone["details"]["uid"]) == ("Status", "Success", made["metadata"]["uid"])


async def test_a_finalizer_holds_an_object(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    body = config_map("a")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await cluster.ok("POST", path, body)
    held = await cluster.ok("DELETE", f"{path}/a")
    assert held["metadata"]["deletionTimestamp"]
    added = await cluster.call("PATCH", f"{path}/a", {"metadata": {"finalizers": ["example.com/more"]}}, MERGE)
    assert added.status == 422
    assert "no new finalizers can be added if the object is being deleted" in added["message"]
    await cluster.ok("PATCH", f"{path}/a", [{"op": "remove", "path": "/metadata/finalizers"}], JSON_PATCH)
    assert (await cluster.call("GET", f"{path}/a")).status == 404


async def test_a_collection(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    for name, labels in (("a", {"x": "1"}), ("b", {"x": "1"}), ("c", {})):
        await cluster.ok("POST", path, {"metadata": {"name": name, "labels": labels}})
    await cluster.ok("DELETE", path, labelSelector="x=1")
    assert [item["metadata"]["name"] for item in (await cluster.ok("GET", path))["items"]] == ["c"]


async def owner_and_dependent(cluster: Target, namespace: str) -> str:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    owner = await cluster.ok("POST", path, config_map("owner"))
    body = config_map("dependent")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    body["metadata"]["ownerReferences"] = [{**reference, "blockOwnerDeletion": True}]
    await cluster.ok("POST", path, body)
    return path


async def test_what_is_owned_goes_after_its_owner(cluster: Target, namespace: str) -> None:
    path = await owner_and_dependent(cluster, namespace)
    await cluster.ok("DELETE", f"{path}/owner", {"propagationPolicy": "Background"})
    assert (await cluster.call("GET", f"{path}/owner")).status == 404
    await cluster.until_gone(f"{path}/dependent")


async def test_foreground_deletion_waits_for_what_is_owned(cluster: Target, namespace: str) -> None:
    path = await owner_and_dependent(cluster, namespace)
    held = await cluster.ok("DELETE", f"{path}/owner", {"propagationPolicy": "Foreground"})
    assert held["metadata"]["finalizers"] == ["foregroundDeletion"]
    await cluster.until_gone(f"{path}/owner")
    assert (await cluster.call("GET", f"{path}/dependent")).status == 404


async def test_orphans_stay(cluster: Target, namespace: str) -> None:
    path = await owner_and_dependent(cluster, namespace)
    await cluster.ok("DELETE", f"{path}/owner", {"propagationPolicy": "Orphan"})
    await cluster.until_gone(f"{path}/owner")
    assert "ownerReferences" not in (await cluster.ok("GET", f"{path}/dependent"))["metadata"]


async def test_a_namespace_ends_with_all_that_is_in_it(cluster: Target) -> None:
    name = await cluster.new_namespace()
    await cluster.ok("POST", f"/api/v1/namespaces/{name}/configmaps", config_map("a"))
    await cluster.ok("POST", f"/apis/apps/v1/namespaces/{name}/deployments", deployment("d"))
    going = await cluster.ok("DELETE", f"/api/v1/namespaces/{name}")
    assert going["status"]["phase"] == "Terminating"
    assert going["metadata"]["deletionTimestamp"]
    assert going["spec"]["finalizers"] == ["kubernetes"]
    await cluster.until_gone(f"/api/v1/namespaces/{name}")
    assert (await cluster.call("GET", f"/apis/apps/v1/namespaces/{name}/deployments/d")).status == 404


async def test_a_held_namespace_says_what_holds_it_and_takes_nothing_new(cluster: Target) -> None:
    name = await cluster.new_namespace()
    body = config_map("held")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await cluster.ok("POST", f"/api/v1/namespaces/{name}/configmaps", body)
    await cluster.ok("DELETE", f"/api/v1/namespaces/{name}")

    async def conditions() -> dict[str, dict[str, str]]:
        namespace = await cluster.ok("GET", f"/api/v1/namespaces/{name}")
        return {item["type"]: item for item in namespace["status"].get("conditions", [])}

    found = await cluster.eventually(conditions, "the namespace's conditions")
    remaining = found["NamespaceFinalizersRemaining"]
    assert (remaining["status"], remaining["reason"]) == ("True", "SomeFinalizersRemain")
    assert remaining["message"] == (
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    )
    content = found["NamespaceContentRemaining"]
    assert content["message"] == "Some resources are remaining: configmaps. has 1 resource instances"
    refused = await cluster.call("POST", f"/api/v1/namespaces/{name}/configmaps", config_map("new"))
    assert (refused.status, refused["reason"]) == (403, "Forbidden")
    assert refused["message"] == (
        f'configmaps "new" is forbidden: unable to create new content in namespace {name} '
        "because it is being terminated"
    )
    assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    path = f"/api/v1/namespaces/{name}/configmaps/held"
    await cluster.ok("PATCH", path, [{"op": "remove", "path": "/metadata/finalizers"}], JSON_PATCH)
    await cluster.until_gone(f"/api/v1/namespaces/{name}")


async def test_a_running_pod_ends_gracefully(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    await cluster.ok("POST", path, {"metadata": {"name": "p"}, "spec": pod_spec()})

    async def running() -> bool:
        return bool((await cluster.ok("GET", f"{path}/p"))["status"]["phase"] == "Running")

    await cluster.eventually(running)
    ending = await cluster.ok("DELETE", f"{path}/p")
    assert ending["metadata"]["deletionGracePeriodSeconds"] == 5
    await cluster.until_gone(f"{path}/p")


async def test_a_claim_in_use_is_protected(cluster: Target, namespace: str) -> None:
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}
    made = await cluster.ok("POST", claims, {"metadata": {"name": "c"}, "spec": spec})
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    assert made["status"]["phase"] == "Pending"
    pod = pod_spec()
    pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]
    await cluster.ok("POST", f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": "p"}, "spec": pod})

    async def bound() -> str:
        claim = await cluster.ok("GET", f"{claims}/c")
        return str(claim["spec"]["volumeName"]) if claim["status"]["phase"] == "Bound" else ""

    volume = await cluster.eventually(bound, "a bound claim")
    found = await cluster.ok("GET", f"/api/v1/persistentvolumes/{volume}")
    assert found["spec"]["claimRef"]["name"] == "c"
    assert found["status"]["phase"] == "Bound"
    await cluster.ok("DELETE", f"{claims}/c")
    assert (await cluster.ok("GET", f"{claims}/c"))["metadata"]["deletionTimestamp"]
    await cluster.ok("DELETE", f"/api/v1/namespaces/{namespace}/pods/p")
    await cluster.until_gone(f"{claims}/c")
    await cluster.until_gone(f"/api/v1/persistentvolumes/{volume}")


async def test_a_retained_volume_stays(cluster: Target, namespace: str) -> None:
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}
    await cluster.ok("POST", claims, {"metadata": {"name": "c"}, "spec": spec})
    pod = pod_spec()
    pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]
    await cluster.ok("POST", f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": "p"}, "spec": pod})

    async def volume_name() -> str:
        claim = await cluster.ok("GET", f"{claims}/c")
        return str(claim["spec"].get("volumeName", "")) if claim["status"]["phase"] == "Bound" else ""

    path = f"/api/v1/persistentvolumes/{await cluster.eventually(volume_name)}"
    await cluster.ok("PATCH", path, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}, MERGE)
    await cluster.ok("DELETE", f"/api/v1/namespaces/{namespace}")
    await cluster.until_gone(f"/api/v1/namespaces/{namespace}")

    async def released() -> bool:
        return bool((await cluster.ok("GET", path))["status"]["phase"] == "Released")

    await cluster.eventually(released)
    await cluster.ok("PATCH", path, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}, MERGE)
    await cluster.until_gone(path)
