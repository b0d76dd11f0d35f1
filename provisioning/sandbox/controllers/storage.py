"""Volumes: claims get one from their storage class, and what becomes of it when the claim is gone."""

from collections.abc import Iterable

from provisioning.quantities import quantity
from provisioning.sandbox.bootstrap import NODE, PROVISIONER
from provisioning.sandbox.control import Control, Controller, Key
from provisioning.sandbox.objects import Obj, is_terminating, name_of, namespace_of
from provisioning.sandbox.resources import resource_of
from provisioning.sandbox.store import Change

SELECTED_NODE = "volume.kubernetes.io/selected-node"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_PROVISIONING = 0.8  # seconds
_CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
_VOLUME_PROTECTION = "kubernetes.io/pv-protection"


def claims_of(pod: Obj) -> list[str]:
    volumes = pod["spec"].get("volumes") or []
    return [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]


class VolumeClaims(Controller):
    def __init__(self, control: Control) -> None:
        super().__init__(control)
        self.registry.on_create.append(self._name_default_class)

    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        if change.resource.kind == "PersistentVolumeClaim":
            return [(namespace_of(obj), name_of(obj))]
        if change.resource.kind == "PersistentVolume" and change.type != "DELETED":
            claim = obj["spec"].get("claimRef") or {}
            return [(claim["namespace"], claim["name"])] if claim else ()
        if change.resource.kind == "Pod" and change.type != "MODIFIED":
            return [(namespace_of(obj), name) for name in claims_of(obj)]
        if change.resource.kind == "StorageClass":
            return self.all_of("PersistentVolumeClaim")
        return ()

    def everything(self) -> Iterable[Key]:
        return self.all_of("PersistentVolumeClaim")

    def sync(self, namespace: str, name: str) -> None:
        claim = self.store.find("PersistentVolumeClaim", namespace, name)
        if claim is None:
            return
        if is_terminating(claim):
            self._lift_protection(claim)
        elif claim["status"]["phase"] != "Bound":
            self._bind(claim)
        else:
            self._check(claim)

    def _name_default_class(self, obj: Obj) -> None:
        if obj["kind"] == "PersistentVolumeClaim" and obj["spec"].get("storageClassName") is None:
            default = next(
                (
                    name_of(item)
                    for item in self.store.objects("StorageClass")
                    if (item["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
                ),
                None,
            )
            if default:
                obj["spec"]["storageClassName"] = default

    def _lift_protection(self, claim: Obj) -> None:
        namespace = namespace_of(claim)
        if self.faults.holds_finalizers(namespace) or _CLAIM_PROTECTION not in (
            claim["metadata"].get("finalizers") or []
        ):
            return
        used = any(
            name_of(claim) in claims_of(pod) and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
            for pod in self.store.objects("Pod", namespace)
        )
        if not used:
            self.registry.modify(claim, lambda item: item["metadata"]["finalizers"].remove(_CLAIM_PROTECTION))

    def _bind(self, claim: Obj) -> None:
        fault = self.faults.unbound(claim)
        class_name = claim["spec"].get("storageClassName") or ""
        if fault is not None:
            self._report(claim, "Warning", "ProvisioningFailed", fault.message)
            return
        existing = self._matching_volume(claim, class_name)
        if existing is not None:
            self._complete(claim, existing)
            return
        if not class_name:
            message = "no persistent volumes available for this claim and no storage class is set"
            self._report(claim, "Normal", "FailedBinding", message)
            return
        storage_class = self.store.find("StorageClass", "", class_name)
        if storage_class is None:
            message = f'storageclass.storage.k8s.io "{class_name}" not found'
            self._report(claim, "Warning", "ProvisioningFailed", message)
            return
        waits = storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"
        if waits and SELECTED_NODE not in (claim["metadata"].get("annotations") or {}):
            message = "waiting for first consumer to be created before binding"
            self._report(claim, "Normal", "WaitForFirstConsumer", message)
            return
        if storage_class.get("provisioner") != PROVISIONER:
            message = (
                f"Waiting for a volume to be created either by the external provisioner "
                f"'{storage_class.get('provisioner')}' or manually by the system administrator."
            )
            self._report(claim, "Normal", "ExternalProvisioning", message)
            return
        self._provision(claim, storage_class)

    def _provision(self, claim: Obj, storage_class: Obj) -> None:
        uid = claim["metadata"]["uid"]
        if "provision" not in self.moments.of(claim):
            message = f'External provisioner is provisioning volume for claim "{namespace_of(claim)}/{name_of(claim)}"'
            self._report(claim, "Normal", "Provisioning", message)
        if not self.moments.due(self, claim, "provision", _PROVISIONING):
            return
        spec = claim["spec"]
        volume = {
            "metadata": {"name": f"pvc-{uid}", "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
            "spec": {
                "capacity": {"storage": spec["resources"]["requests"]["storage"]},
                "accessModes": spec["accessModes"],
                "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
                "storageClassName": name_of(storage_class),
                "volumeMode": spec.get("volumeMode", "Filesystem"),
                "claimRef": _claim_reference(claim),
                "hostPath": {"path": f"/var/lib/sandbox/{uid}", "type": "DirectoryOrCreate"},
            },
        }
        created = self.registry.create(resource_of("PersistentVolume"), "", volume)
        message = f"Successfully provisioned volume {name_of(created)}"
        self._report(claim, "Normal", "ProvisioningSucceeded", message)
        self._complete(claim, created)

    def _matching_volume(self, claim: Obj, class_name: str) -> Obj | None:
        """A volume that is this claim's already, or one that somebody made by hand and that fits."""
        uid, wanted = claim["metadata"]["uid"], quantity(claim["spec"]["resources"]["requests"]["storage"])
        named = claim["spec"].get("volumeName")
        own = self.store.find("PersistentVolume", "", named or f"pvc-{uid}")
        if own is not None:
            return own if (own["spec"].get("claimRef") or {}).get("uid", uid) == uid else None
        for volume in self.store.objects("PersistentVolume"):
            spec = volume["spec"]
            if (volume.get("status") or {}).get("phase") != "Available":
                continue
            fits = quantity(spec["capacity"]["storage"]) >= wanted
            if fits and (spec.get("storageClassName") or "") == class_name:
                return volume
        return None

    def _complete(self, claim: Obj, volume: Obj) -> None:
        def take(item: Obj) -> None:
            item["spec"]["claimRef"] = _claim_reference(claim)

        volume = self.registry.modify(volume, take)
        self.registry.set_status(volume, {"phase": "Bound"})

        def name_volume(item: Obj) -> None:
            item["spec"]["volumeName"] = name_of(volume)
            item["metadata"].setdefault("annotations", {})["pv.kubernetes.io/bind-completed"] = "yes"

        claim = self.registry.modify(claim, name_volume)
        status = {
            "phase": "Bound",
            "accessModes": volume["spec"]["accessModes"],
            "capacity": {"storage": volume["spec"]["capacity"]["storage"]},
        }
        self.registry.set_status(claim, status)

    def _check(self, claim: Obj) -> None:
        if self.store.find("PersistentVolume", "", claim["spec"].get("volumeName", "")) is None:
            self.registry.set_status(claim, {**claim["status"], "phase": "Lost"})
            self._report(
                claim, "Warning", "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
            )

    def _report(self, claim: Obj, type_: str, reason: str, message: str) -> None:
        self.control.events.report(claim, type_, reason, message, "persistentvolume-controller")


class Volumes(Controller):
    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        if change.resource.kind == "PersistentVolume":
            return [("", name_of(obj))]
        if change.resource.kind == "PersistentVolumeClaim" and change.type == "DELETED":
            return [("", obj["spec"].get("volumeName", ""))]
        return ()

    def everything(self) -> Iterable[Key]:
        return self.all_of("PersistentVolume")

    def sync(self, namespace: str, name: str) -> None:
        volume = self.store.find("PersistentVolume", "", name)
        if volume is None:
            return
        reference = volume["spec"].get("claimRef")
        claim = (
            self.store.find("PersistentVolumeClaim", reference["namespace"], reference["name"]) if reference else None
        )
        held = claim is not None and claim["metadata"]["uid"] == (reference or {}).get("uid")
        phase = (volume.get("status") or {}).get("phase")
        if not held and reference and phase in ("Bound", "Released"):
            volume = self.registry.set_status(volume, {**volume["status"], "phase": "Released"})
            if volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete" and not is_terminating(volume):
                self.registry.delete(resource_of("PersistentVolume"), "", name)
        elif not reference and phase == "Pending":
            self.registry.set_status(volume, {"phase": "Available"})
        volume = self.store.find("PersistentVolume", "", name) or {}
        if (
            volume
            and is_terminating(volume)
            and not held
            and _VOLUME_PROTECTION in volume["metadata"].get("finalizers", [])
        ):
            self.registry.modify(volume, lambda item: item["metadata"]["finalizers"].remove(_VOLUME_PROTECTION))


def select_node(control: Control, claim: Obj) -> None:
    """The scheduler's part: say where a claim that waits for its first consumer is needed."""
    if SELECTED_NODE not in (claim["metadata"].get("annotations") or {}):
        control.registry.modify(
            claim, lambda item: item["metadata"].setdefault("annotations", {}).update({SELECTED_NODE: NODE})
        )


def _claim_reference(claim: Obj) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace_of(claim),
        "name": name_of(claim),
        "uid": claim["metadata"]["uid"],
    }
