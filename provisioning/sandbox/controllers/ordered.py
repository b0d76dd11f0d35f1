"""StatefulSets: pods with fixed names and volume claims of their own, made and replaced one after the other."""

from collections.abc import Iterable

from provisioning.sandbox.control import Controller, Key
from provisioning.sandbox.controllers.replicas import new_pod, owned, owner_key, template_hash
from provisioning.sandbox.errors import ApiError
from provisioning.sandbox.objects import Obj, clone, is_terminating, is_true, name_of, namespace_of, owner_reference
from provisioning.sandbox.resources import resource_of
from provisioning.sandbox.store import Change

REVISION_LABEL = "controller-revision-hash"


class StatefulSets(Controller):
    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        if change.resource.kind == "StatefulSet":
            return [(namespace_of(obj), name_of(obj))]
        return owner_key(obj, "StatefulSet") if change.resource.kind == "Pod" else ()

    def everything(self) -> Iterable[Key]:
        return self.all_of("StatefulSet")

    def sync(self, namespace: str, name: str) -> None:
        stateful_set = self.store.find("StatefulSet", namespace, name)
        if stateful_set is None or is_terminating(stateful_set):
            return
        revision = self._revision(stateful_set)
        pods = {name_of(pod): pod for pod in owned(self.store.objects("Pod", namespace), stateful_set)}
        try:
            self._step(stateful_set, revision, pods)
        except ApiError as error:
            message = f"create Pod {name}-{len(pods)} in StatefulSet {name} failed error: {error.message}"
            self._report(stateful_set, "Warning", "FailedCreate", message)
            self.control.queue.add_after(self, (namespace, name), 5)
        self._report_status(stateful_set, revision)

    def _revision(self, stateful_set: Obj) -> str:
        """The name of the present template's ControllerRevision, which is made if it is not there."""
        namespace, name = namespace_of(stateful_set), name_of(stateful_set)
        template = stateful_set["spec"]["template"]
        revision = f"{name}-{template_hash(template)}"
        if self.store.find("ControllerRevision", namespace, revision) is None:
            known = owned(self.store.objects("ControllerRevision", namespace), stateful_set)
            labels = {**(template.get("metadata") or {}).get("labels", {}), REVISION_LABEL: revision}
            references = [owner_reference(stateful_set)]
            body = {
                "metadata": {"name": revision, "labels": labels, "ownerReferences": references},
                "data": {"spec": {"template": {**clone(template), "$patch": "replace"}}},
                "revision": max((item["revision"] for item in known), default=0) + 1,
            }
            self.registry.create(resource_of("ControllerRevision"), namespace, body)
        return revision

    def _step(self, stateful_set: Obj, revision: str, pods: dict[str, Obj]) -> None:
        """Do the next thing: one at a time if ordered, for each pod waits for those before it."""
        namespace, name, spec = namespace_of(stateful_set), name_of(stateful_set), stateful_set["spec"]
        ordered = spec["podManagementPolicy"] == "OrderedReady"
        wanted = [f"{name}-{ordinal}" for ordinal in range(spec["replicas"])]
        for pod_name in wanted:
            pod = pods.get(pod_name)
            if pod is not None and (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
                self._delete(stateful_set, pod)
                return
            if pod is None:
                pod = self._create(stateful_set, pod_name, revision)
            if ordered and (is_terminating(pod) or not is_true(pod, "Ready")):
                return
        extra = sorted((pod for pod in pods if pod not in wanted), key=_ordinal, reverse=True)
        for pod_name in extra:
            if not is_terminating(pods[pod_name]):
                self._delete(stateful_set, pods[pod_name])
            if ordered:
                return
        if spec["updateStrategy"]["type"] != "RollingUpdate":
            return
        first = spec["updateStrategy"]["rollingUpdate"]["partition"]
        for pod_name in sorted(wanted[first:], key=_ordinal, reverse=True):
            current = self.store.find("Pod", namespace, pod_name)
            if current is None or is_terminating(current):
                return
            if current["metadata"]["labels"].get(REVISION_LABEL) != revision:
                self._delete(stateful_set, current)
                return
            if not is_true(current, "Ready"):
                return

    def _create(self, stateful_set: Obj, pod_name: str, revision: str) -> Obj:
        namespace = namespace_of(stateful_set)
        volumes: list[Obj] = []
        for template in stateful_set["spec"].get("volumeClaimTemplates") or []:
            claim_name = f"{name_of(template)}-{pod_name}"
            claim = self.store.find("PersistentVolumeClaim", namespace, claim_name)
            if claim is None:
                self._create_claim(stateful_set, template, claim_name, pod_name)
            elif is_terminating(claim):
                raise ApiError(409, "Conflict", f"pvc {claim_name} is being deleted")
            volumes.append({"name": name_of(template), "persistentVolumeClaim": {"claimName": claim_name}})
        labels = {
            "statefulset.kubernetes.io/pod-name": pod_name,
            "apps.kubernetes.io/pod-index": str(_ordinal(pod_name)),
            REVISION_LABEL: revision,
        }
        pod = new_pod(stateful_set, stateful_set["spec"]["template"], name=pod_name, labels=labels)
        given = {volume["name"] for volume in volumes}
        own = [volume for volume in pod["spec"].get("volumes") or [] if volume["name"] not in given]
        pod["spec"]["volumes"] = volumes + own
        pod["spec"]["hostname"] = pod_name
        pod["spec"]["subdomain"] = stateful_set["spec"].get("serviceName", "")
        created = self.registry.create(resource_of("Pod"), namespace, pod)
        message = f"create Pod {pod_name} in StatefulSet {name_of(stateful_set)} successful"
        self._report(stateful_set, "Normal", "SuccessfulCreate", message)
        return created

    def _create_claim(self, stateful_set: Obj, template: Obj, claim_name: str, pod_name: str) -> None:
        base = template["metadata"]
        match_labels = stateful_set["spec"]["selector"].get("matchLabels") or {}
        metadata = {"name": claim_name, "labels": {**(base.get("labels") or {}), **match_labels}}
        if base.get("annotations"):
            metadata["annotations"] = base["annotations"]
        body = {"metadata": metadata, "spec": clone(template["spec"])}
        self.registry.create(resource_of("PersistentVolumeClaim"), namespace_of(stateful_set), body)
        message = f"create Claim {claim_name} Pod {pod_name} in StatefulSet {name_of(stateful_set)} success"
        self._report(stateful_set, "Normal", "SuccessfulCreate", message)

    def _delete(self, stateful_set: Obj, pod: Obj) -> None:
        self.registry.delete(resource_of("Pod"), namespace_of(pod), name_of(pod))
        message = f"delete Pod {name_of(pod)} in StatefulSet {name_of(stateful_set)} successful"
        self._report(stateful_set, "Normal", "SuccessfulDelete", message)

    def _report_status(self, stateful_set: Obj, revision: str) -> None:
        pods = [
            pod
            for pod in owned(self.store.objects("Pod", namespace_of(stateful_set)), stateful_set)
            if not is_terminating(pod)
        ]
        ready = sum(is_true(pod, "Ready") for pod in pods)
        updated = [pod for pod in pods if pod["metadata"]["labels"].get(REVISION_LABEL) == revision]
        old = stateful_set.get("status") or {}
        complete = len(updated) == len(pods) == ready == stateful_set["spec"]["replicas"]
        current = revision if complete else old.get("currentRevision", revision)
        at_current = sum(pod["metadata"]["labels"].get(REVISION_LABEL) == current for pod in pods)
        status: Obj = {
            "observedGeneration": stateful_set["metadata"]["generation"],
            "replicas": len(pods),
            "availableReplicas": ready,
            "currentRevision": current,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        for key, value in (
            ("readyReplicas", ready),
            ("currentReplicas", at_current),
            ("updatedReplicas", len(updated)),
        ):
            if value:
                status[key] = value
        self.registry.set_status(stateful_set, status)

    def _report(self, obj: Obj, type_: str, reason: str, message: str) -> None:
        self.control.events.report(obj, type_, reason, message, "statefulset-controller")


def _ordinal(pod_name: str) -> int:
    return int(pod_name.rpartition("-")[2])
