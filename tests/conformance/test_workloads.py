"""What makes pods: rollouts, failures, volumes, quotas, services, jobs, logs."""

import copy
from datetime import datetime
from typing import Any

import pytest

from provisioning.quantities import quantity
from tests.conformance.client import IMAGE, MERGE, MISSING_IMAGE, Answer, Obj, Target, deployment, pod_spec


async def deployed(cluster: Target, path: str) -> Obj:
    """The deployment once its rollout is complete, as `kubectl rollout status` judges."""

    async def complete() -> Obj | None:
        found = await cluster.ok("GET", path)
        status, wanted = found.get("status") or {}, found["spec"]["replicas"]
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
        current = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
        return found if current and counts == [wanted] * 4 else None

    found = await cluster.eventually(complete, "the rollout's end")
    assert found is not None
    return found


def conditions(obj: Obj) -> dict[str, Any]:
    return {item["type"]: item for item in (obj.get("status") or {}).get("conditions") or []}


async def events(cluster: Target, namespace: str, name: str) -> dict[str, Obj]:
    listed = await cluster.ok(
        "GET", f"/api/v1/namespaces/{namespace}/events", fieldSelector=f"involvedObject.name={name}"
    )
    return {event["reason"]: event for event in listed["items"]}


async def test_a_deployment_rolls_out_and_over(cluster: Target, namespace: str) -> None:
    base = f"/apis/apps/v1/namespaces/{namespace}"
    path = f"{base}/deployments/d"
    body = deployment("d", replicas=2)
    body["spec"]["strategy"] = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    await cluster.ok("POST", f"{base}/deployments", body)
    found = await deployed(cluster, path)
    assert conditions(found)["Available"]["reason"] == "MinimumReplicasAvailable"
    assert conditions(found)["Progressing"]["reason"] == "NewReplicaSetAvailable"
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"

    sets = (await cluster.ok("GET", f"{base}/replicasets"))["items"]
    assert len(sets) == 1
    assert sets[0]["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]
    hash_ = sets[0]["metadata"]["labels"]["pod-template-hash"]
    assert sets[0]["metadata"]["name"] == f"d-{hash_}"
    pods = (await cluster.ok("GET", f"/api/v1/namespaces/{namespace}/pods", labelSelector="app=d"))["items"]
    assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods} == {hash_}

    change = {"spec": {"template": {"metadata": {"annotations": {"turn": "2"}}}}}
    await cluster.ok("PATCH", path, change, MERGE)
    found = await deployed(cluster, path)
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    sets = (await cluster.ok("GET", f"{base}/replicasets"))["items"]
    assert sorted(item["spec"]["replicas"] for item in sets) == [0, 2]

    await cluster.ok("DELETE", path)

    async def gone() -> bool:
        return not (await cluster.ok("GET", f"/api/v1/namespaces/{namespace}/pods", labelSelector="app=d"))["items"]

    await cluster.eventually(gone, "the pods' end")


async def test_a_pods_way_to_ready(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods/p"
    await cluster.ok("POST", f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": "p"}, "spec": pod_spec()})

    async def ready() -> Obj | None:
        pod = await cluster.ok("GET", path)
        return pod if conditions(pod).get("Ready", {}).get("status") == "True" else None

    pod = await cluster.eventually(ready, "a ready pod")
    assert pod is not None
    status = pod["status"]
    assert status["phase"] == "Running"
    assert {type_ for type_, item in conditions(pod).items() if item["status"] == "True"} >= {
        "PodScheduled",
        "PodReadyToStartContainers",
        "Initialized",
        "ContainersReady",
        "Ready",
    }
    container = status["containerStatuses"][0]
    assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)
    assert container["state"]["running"]["startedAt"]
    assert container["imageID"]
    assert container["containerID"]
    assert status["podIP"]
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["qosClass"] == "Burstable"
    assert pod["spec"]["nodeName"]
    found = await events(cluster, namespace, "p")
    assert {"Scheduled", "Pulled", "Created", "Started"} <= set(found)
    assert found["Scheduled"]["message"].startswith(f"Successfully assigned {namespace}/p to ")
    assert found["Started"]["message"] in ("Started container postgres", "Container started")
    assert found["Started"]["involvedObject"]["fieldPath"] == "spec.containers{postgres}"
    assert found["Started"]["type"] == "Normal"

    text = await cluster.call("GET", f"{path}/log", timestamps="true")
    lines = text.body.splitlines()
    assert any("database system is ready to accept connections" in line for line in lines)
    assert lines[0].split(" ")[0].endswith("Z")
    tail = await cluster.call("GET", f"{path}/log", tailLines="1")
    assert len(tail.body.splitlines()) == 1
    short = await cluster.call("GET", f"{path}/log", limitBytes="10")
    assert len(short.body) == 10
    wrong = await cluster.call("GET", f"{path}/log", container="other")
    assert wrong.status == 400
    assert wrong["message"] == "container other is not valid for pod p"
    before = await cluster.call("GET", f"{path}/log", previous="true")
    assert before.status == 400
    assert 'previous terminated container "postgres" in pod "p" not found' in before["message"]


async def test_an_image_that_cannot_be_pulled(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods/p"
    body = {"metadata": {"name": "p"}, "spec": pod_spec(MISSING_IMAGE)}
    await cluster.ok("POST", f"/api/v1/namespaces/{namespace}/pods", body)
    reasons: list[str] = []

    async def backing_off() -> Obj | None:
        pod = await cluster.ok("GET", path)
        statuses = pod["status"].get("containerStatuses") or [{}]
        waiting = statuses[0].get("state", {}).get("waiting", {})
        if waiting.get("reason") and waiting["reason"] not in reasons[-1:]:
            reasons.append(waiting["reason"])
        return waiting if waiting.get("reason") == "ImagePullBackOff" else None

    waiting = await cluster.eventually(backing_off, "ImagePullBackOff")
    assert waiting is not None
    assert reasons[-1] == "ImagePullBackOff"
    assert set(reasons) <= {"ContainerCreating", "ErrImagePull", "ImagePullBackOff"}
    assert waiting["message"].startswith(f'Back-off pulling image "{MISSING_IMAGE}"')
    pod = await cluster.ok("GET", path)
    assert pod["status"]["phase"] == "Pending"
    assert conditions(pod)["Ready"]["reason"] == "ContainersNotReady"
    assert conditions(pod)["Ready"]["message"] == "containers with unready status: [postgres]"

    async def reported() -> bool:
        path = f"/api/v1/namespaces/{namespace}/events"
        listed = await cluster.ok("GET", path, fieldSelector="involvedObject.name=p")
        seen = [(event["type"], event["reason"], event["message"]) for event in listed["items"]]
        return all(
            any((type_, reason) == item[:2] and item[2].startswith(words) for item in seen)
            for type_, reason, words in (
                ("Normal", "Pulling", f'Pulling image "{MISSING_IMAGE}"'),
                ("Warning", "Failed", f'Failed to pull image "{MISSING_IMAGE}": '),
                ("Warning", "Failed", "Error: ErrImagePull"),
                ("Normal", "BackOff", f'Back-off pulling image "{MISSING_IMAGE}"'),
                ("Warning", "Failed", "Error: ImagePullBackOff"),
            )
        )

    await cluster.eventually(reported, "events about the image")


async def test_a_secret_that_is_missing(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods/p"
    spec = pod_spec(env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "k"}}}])
    await cluster.ok("POST", f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": "p"}, "spec": spec})

    async def refused() -> Obj | None:
        pod = await cluster.ok("GET", path)
        waiting = (pod["status"].get("containerStatuses") or [{}])[0].get("state", {}).get("waiting", {})
        return waiting if waiting.get("reason") == "CreateContainerConfigError" else None

    waiting = await cluster.eventually(refused)
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'secret "absent" not found'}


async def test_a_container_that_crashes(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods/p"
    spec = pod_spec(command=["sh", "-c", "echo broken; exit 3"])
    if cluster.sandbox:
        from provisioning.sandbox import CrashFault

        cluster.sandbox.faults.add(CrashFault(exit_code=3, log=("broken",)))
    await cluster.ok("POST", f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": "p"}, "spec": spec})

    async def looping() -> Obj | None:
        pod = await cluster.ok("GET", path)
        status = (pod["status"].get("containerStatuses") or [{}])[0]
        return status if status.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff" else None

    status = await cluster.eventually(looping, "CrashLoopBackOff")
    assert status is not None
    assert status["restartCount"] >= 1
    end = status["lastState"]["terminated"]
    assert (end["exitCode"], end["reason"]) == (3, "Error")
    assert status["state"]["waiting"]["message"].startswith("back-off ")
    assert f"restarting failed container=postgres pod=p_{namespace}(" in status["state"]["waiting"]["message"]
    assert (await cluster.call("GET", f"{path}/log", previous="true")).body == "broken\n"

    async def reported() -> bool:
        found = (await events(cluster, namespace, "p")).get("BackOff")
        return bool(found) and "Back-off restarting failed container postgres in pod p_" in found["message"]  # type: ignore[index]

    await cluster.eventually(reported)


async def test_a_stateful_set_and_its_volume(cluster: Target, namespace: str) -> None:
    base = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    template = {"metadata": {"labels": {"app": "s"}}, "spec": {**pod_spec(), "volumes": []}}
    claim = {
        "metadata": {"name": "data", "labels": {"kept": "yes"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
    }
    spec = {"serviceName": "s", "selector": {"matchLabels": {"app": "s"}}, "template": template}
    await cluster.ok("POST", base, {"metadata": {"name": "s"}, "spec": {**spec, "volumeClaimTemplates": [claim]}})

    async def ready() -> Obj | None:
        found = await cluster.ok("GET", f"{base}/s")
        return found if (found.get("status") or {}).get("readyReplicas") == 1 else None

    found = await cluster.eventually(ready)
    assert found is not None
    status = found["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert (status["replicas"], status["availableReplicas"], status["observedGeneration"]) == (1, 1, 1)
    made = await cluster.ok("GET", f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/data-s-0")
    assert made["status"]["phase"] == "Bound"
    assert made["metadata"]["labels"] == {"kept": "yes", "app": "s"}
    pod = await cluster.ok("GET", f"/api/v1/namespaces/{namespace}/pods/s-0")
    assert pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] == "s-0"
    assert pod["metadata"]["labels"]["controller-revision-hash"] == status["currentRevision"]

    wrong = copy.deepcopy(spec) | {"serviceName": "other"}
    refused = await cluster.call("PATCH", f"{base}/s", {"spec": wrong}, MERGE)
    assert refused.status == 422
    assert "updates to statefulset spec for fields other than 'replicas'" in refused["message"]

    change = {"spec": {"template": {"metadata": {"annotations": {"turn": "2"}}}}}
    await cluster.ok("PATCH", f"{base}/s", change, MERGE)

    async def replaced() -> bool:
        found = (await cluster.ok("GET", f"{base}/s"))["status"]
        return bool(found["currentRevision"] == found["updateRevision"] != status["currentRevision"])

    await cluster.eventually(replaced, "the new revision")
    await cluster.ok("DELETE", f"{base}/s")
    await cluster.until_gone(f"/api/v1/namespaces/{namespace}/pods/s-0")
    kept = await cluster.call("GET", f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/data-s-0")
    assert kept.status == 200


async def test_a_quota_refuses_and_counts(cluster: Target, namespace: str) -> None:
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    hard = {"pods": "1", "requests.memory": "100Mi", "persistentvolumeclaims": "0"}
    await cluster.ok("POST", quotas, {"metadata": {"name": "q"}, "spec": {"hard": hard}})

    async def counted() -> bool:
        used = (await cluster.ok("GET", f"{quotas}/q")).get("status", {}).get("used", {})
        return bool(used == {"pods": "0", "requests.memory": "0", "persistentvolumeclaims": "0"})

    await cluster.eventually(counted)
    pods = f"/api/v1/namespaces/{namespace}/pods"
    await cluster.ok("POST", pods, {"metadata": {"name": "p1"}, "spec": pod_spec()})
    second: Answer = await cluster.call("POST", pods, {"metadata": {"name": "p2"}, "spec": pod_spec()})
    assert (second.status, second["reason"]) == (403, "Forbidden")
    assert second["message"] == (
        'pods "p2" is forbidden: exceeded quota: q, requested: pods=1,requests.memory=64Mi, '
        "used: pods=1,requests.memory=64Mi, limited: pods=1,requests.memory=100Mi"
    )
    lacking = await cluster.call("POST", pods, {"metadata": {"name": "p3"}, "spec": pod_spec(resources={})})
    assert lacking["message"] == 'pods "p3" is forbidden: failed quota: q: must specify requests.memory for: postgres'
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    refused = await cluster.call("POST", path, {"metadata": {"name": "c"}, "spec": claim})
    assert (
        "exceeded quota: q, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=0" in refused["message"]
    )
    # A controller that meets the quota says so in the ReplicaSet's events and the Deployment's conditions.
    base = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await cluster.ok("POST", base, deployment("d"))

    async def told() -> bool:
        failure = conditions(await cluster.ok("GET", f"{base}/d")).get("ReplicaFailure", {})
        return failure.get("reason") == "FailedCreate" and "exceeded quota: q" in failure.get("message", "")

    await cluster.eventually(told, "ReplicaFailure")


async def test_a_limit_range_gives_defaults(cluster: Target, namespace: str) -> None:
    limit = {"type": "Container", "default": {"memory": "128Mi"}, "defaultRequest": {"memory": "32Mi"}}
    path = f"/api/v1/namespaces/{namespace}/limitranges"
    await cluster.ok("POST", path, {"metadata": {"name": "l"}, "spec": {"limits": [limit]}})

    async def limited() -> bool:
        body = {"metadata": {"name": "p"}, "spec": pod_spec(resources={})}
        pod = await cluster.ok("POST", f"/api/v1/namespaces/{namespace}/pods", body, dryRun="All")
        resources = pod["spec"]["containers"][0]["resources"]
        return bool(resources == {"limits": {"memory": "128Mi"}, "requests": {"memory": "32Mi"}})

    await cluster.eventually(limited)


async def test_a_pod_that_fits_nowhere(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    spec = {**pod_spec(), "nodeSelector": {"no-such": "node"}}
    await cluster.ok("POST", path, {"metadata": {"name": "p"}, "spec": spec})

    async def refused() -> Obj | None:
        found = conditions(await cluster.ok("GET", f"{path}/p")).get("PodScheduled", {})
        return found if found.get("status") == "False" else None

    found = await cluster.eventually(refused)
    assert found is not None
    assert found["reason"] == "Unschedulable"
    assert "node(s) didn't match Pod's node affinity/selector" in found["message"]
    assert (await events(cluster, namespace, "p"))["FailedScheduling"]["type"] == "Warning"


async def test_a_claim_without_a_storage_class(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    for name, class_, words in (
        ("none", "", "no persistent volumes available for this claim and no storage class is set"),
        ("wrong", "no-such-class", 'storageclass.storage.k8s.io "no-such-class" not found'),
    ):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
        body = {"metadata": {"name": name}, "spec": {**spec, "storageClassName": class_}}
        await cluster.ok("POST", path, body)

        async def told(name: str = name, words: str = words) -> bool:
            return words in {event["message"] for event in (await events(cluster, namespace, name)).values()}

        await cluster.eventually(told, f"an event about claim {name}")
        assert (await cluster.ok("GET", f"{path}/{name}"))["status"]["phase"] == "Pending"


async def test_a_service_follows_its_pods(cluster: Target, namespace: str) -> None:
    services = f"/api/v1/namespaces/{namespace}/services"
    port = {"name": "postgres", "port": 80, "targetPort": "postgres"}
    spec = {"selector": {"app": "d"}, "ports": [port]}
    service = await cluster.ok("POST", services, {"metadata": {"name": "web"}, "spec": spec})
    assert service["spec"]["clusterIP"].count(".") == 3
    assert service["spec"]["type"] == "ClusterIP"
    await cluster.ok("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("d"))

    async def serving(service: str = "web") -> Obj | None:
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        listed = await cluster.ok("GET", path, labelSelector=f"kubernetes.io/service-name={service}")
        slices = [item for item in listed["items"] if item.get("endpoints")]
        return slices[0] if slices and slices[0]["endpoints"][0]["conditions"]["ready"] else None

    found = await cluster.eventually(serving)
    assert found is not None
    assert [(item["name"], item["port"]) for item in found["ports"]] == [("postgres", 5432)]
    # One that comes when its pods are ready already leads to them as well.
    await cluster.ok("POST", services, {"metadata": {"name": "late"}, "spec": spec})
    assert await cluster.eventually(lambda: serving("late"))


async def test_a_job_runs_to_its_end(cluster: Target, namespace: str) -> None:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    spec = {**pod_spec(command=["true"], readinessProbe=None), "restartPolicy": "Never"}
    await cluster.ok("POST", path, {"metadata": {"name": "j"}, "spec": {"template": {"spec": spec}}})

    async def done() -> Obj | None:
        job = await cluster.ok("GET", f"{path}/j")
        return job if conditions(job).get("Complete", {}).get("status") == "True" else None

    job = await cluster.eventually(done)
    assert job is not None
    assert job["status"]["succeeded"] == 1
    pods = (await cluster.ok("GET", f"/api/v1/namespaces/{namespace}/pods", labelSelector="job-name=j"))["items"]
    assert [pod["status"]["phase"] for pod in pods] == ["Succeeded"]
    assert IMAGE in pods[0]["spec"]["containers"][0]["image"]


async def test_init_containers_come_first(cluster: Target, namespace: str) -> None:
    spec = pod_spec()
    first = {**spec["containers"][0], "name": "first", "command": ["true"]}
    for key in ("readinessProbe", "ports"):
        del first[key]
    spec["initContainers"] = [first]
    path = f"/api/v1/namespaces/{namespace}/pods"
    await cluster.ok("POST", path, {"metadata": {"name": "p"}, "spec": spec})

    async def ready() -> Obj | None:
        pod = await cluster.ok("GET", f"{path}/p")
        return pod if conditions(pod).get("Ready", {}).get("status") == "True" else None

    pod = await cluster.eventually(ready)
    assert pod is not None
    status = pod["status"]["initContainerStatuses"][0]
    assert status["state"]["terminated"]["reason"] == "Completed"
    assert status["ready"] is True


async def test_pod_security_is_enforced(cluster: Target) -> None:
    name = await cluster.new_namespace({"pod-security.kubernetes.io/enforce": "restricted"})
    path = f"/api/v1/namespaces/{name}/pods"
    await cluster.ok("POST", path, {"metadata": {"name": "good"}, "spec": pod_spec()}, dryRun="All")
    loose = {"containers": [{"name": "postgres", "image": IMAGE}]}
    refused = await cluster.call("POST", path, {"metadata": {"name": "bad"}, "spec": loose})
    assert refused.status == 403
    assert refused["message"] == (
        'pods "bad" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
        '(container "postgres" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities '
        '(container "postgres" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or '
        'container "postgres" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "postgres" '
        'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
    )


async def test_what_a_pod_uses_is_measured(cluster: Target, namespace: str) -> None:
    group = "/apis/metrics.k8s.io/v1beta1"
    if (await cluster.call("GET", group)).status == 404:
        pytest.skip("this cluster has no metrics server")
    path = f"{group}/namespaces/{namespace}/pods"
    for name, image in (("p", IMAGE), ("broken", MISSING_IMAGE)):
        body = {"metadata": {"name": name, "labels": {"app": name}}, "spec": pod_spec(image)}
        await cluster.ok("POST", f"/api/v1/namespaces/{namespace}/pods", body)

    async def measured() -> list[Obj]:
        found: list[Obj] = (await cluster.ok("GET", f"{group}/pods", labelSelector="app=p", limit=100))["items"]
        return [each for each in found if each["metadata"]["namespace"] == namespace]

    (one,) = await cluster.eventually(measured, "the figures of a pod")
    assert one["metadata"]["labels"]["app"] == "p"
    assert datetime.fromisoformat(one["timestamp"]).tzinfo is not None
    (container,) = one["containers"]
    assert container["name"] == "postgres"
    assert quantity(container["usage"]["cpu"]) >= 0
    assert quantity(container["usage"]["memory"]) > 1024**2
    assert (await cluster.ok("GET", f"{path}/p"))["containers"][0]["name"] == "postgres"
    assert (await cluster.ok("GET", path, labelSelector="app=broken"))["items"] == []
    for absent in ("broken", "nothing"):
        assert (await cluster.call("GET", f"{path}/{absent}")).status == 404
    assert (await cluster.call("DELETE", f"{path}/p")).status in (403, 405)
