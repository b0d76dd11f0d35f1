"""The verbs on objects: create, update, patch, apply, delete; what each checks and fills in before the store has it.

Requests from outside, controllers and the kubelet all write through here, so the rules hold for everyone.  The order
is the API server's: prepare, default, admit, validate, count against quotas, store.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from provisioning.sandbox import admission, ownership
from provisioning.sandbox.defaults import apply_defaults
from provisioning.sandbox.errors import FieldProblem, already_exists, bad_request, conflict, invalid
from provisioning.sandbox.objects import (
    Obj,
    clone,
    is_terminating,
    name_of,
    namespace_of,
    new_uid,
    random_suffix,
    timestamp,
)
from provisioning.sandbox.pod_security import check_pod_security
from provisioning.sandbox.resources import Resource, resource_of
from provisioning.sandbox.schema import Schema
from provisioning.sandbox.shape import check_shape
from provisioning.sandbox.store import Store
from provisioning.sandbox.validation import check

_SYSTEM_FIELDS = (
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "namespace",
    "name",
)
_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"

_OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"


class Registry:
    """Objects that are handed out are the stored ones: read them, never change them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._addresses = _ClusterAddresses(store)
        self.on_create: list[Callable[[Obj], None]] = []  # the cluster's own touches to a new object, in place

    def create(self, resource: Resource, namespace: str, body: Obj, manager: str = "", dry_run: bool = False) -> Obj:
        """The created object.  Raises ApiError: 404/403 for the namespace, 409, 422, 403 for limits and quotas."""
        obj = self._prepared(resource, namespace, body)
        return self._create(resource, obj, manager, dry_run)

    def _prepared(self, resource: Resource, namespace: str, body: Obj) -> Obj:
        check_shape(resource, body)
        if body.get("kind", resource.kind) != resource.kind:
            wrong = f'{body.get("kind")} in version "{resource.version}" cannot be handled as a {resource.kind}'
            raise bad_request(wrong)
        given = {key: value for key, value in clone(body).items() if value is not None}
        obj: Obj = {**given, "apiVersion": resource.api_version, "kind": resource.kind}
        metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if value is not None}
        obj["metadata"] = metadata
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + random_suffix()
        if not metadata.get("name"):
            why = "name or generateName is required"
            raise invalid(resource, "", [FieldProblem.required("metadata.name", why)])
        if resource.namespaced:
            if metadata.setdefault("namespace", namespace) != namespace:
                raise bad_request(_OTHER_NAMESPACE)
        else:
            metadata.pop("namespace", None)
        return obj

    def _create(self, resource: Resource, obj: Obj, manager: str, dry_run: bool) -> Obj:
        if resource.namespaced:
            admission.require_namespace(self.store, resource, obj)
        if self.store.find(resource.kind, namespace_of(obj), name_of(obj)) is not None:
            raise already_exists(resource, name_of(obj))
        metadata = obj["metadata"]
        applied = metadata.pop("managedFields", None)
        for key in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(key, None)
        metadata.update(uid=new_uid(), creationTimestamp=timestamp())
        if "spec" in obj and resource.kind not in ("Namespace", "Node", "Service", "PersistentVolume"):
            metadata["generation"] = 1
        if "status" in resource.subresources and resource.kind != "Node":
            obj.pop("status", None)
        self._fill_in(resource, obj)
        for touch in self.on_create:
            touch(obj)
        check(resource, obj, None)
        if resource.kind == "Pod":
            check_pod_security(resource, self.store.find("Namespace", "", namespace_of(obj)) or {}, obj)
        if resource.namespaced:
            admission.check_quotas(self.store, resource, obj)
        if applied is not None:
            metadata["managedFields"] = applied
        elif manager:
            ownership.record_update(None, obj, manager, "", Schema(resource.kind))
        return obj if dry_run else self.store.put(obj)

    def _fill_in(self, resource: Resource, obj: Obj) -> None:
        try:
            apply_defaults(obj)
            if resource.kind == "Service":
                self._addresses.allocate(obj)
            elif resource.kind == "Pod":
                admission.apply_limit_ranges(self.store, resource, obj)
        except (AttributeError, TypeError, KeyError) as error:
            what = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {error!r}'
            raise bad_request(what) from error
        if resource.kind == "Namespace":
            obj["status"] = {"phase": "Active"}
        elif resource.kind == "Pod":
            obj["status"] = {"phase": "Pending", "qosClass": _quality_of_service(obj)}
        elif resource.kind in ("PersistentVolumeClaim", "PersistentVolume"):
            obj["status"] = {"phase": "Pending"}
            protection = "pvc" if resource.kind == "PersistentVolumeClaim" else "pv"
            finalizers = obj["metadata"].setdefault("finalizers", [])
            if f"kubernetes.io/{protection}-protection" not in finalizers:
                finalizers.append(f"kubernetes.io/{protection}-protection")
        elif resource.kind in ("Service", "Ingress"):
            obj["status"] = {"loadBalancer": {}}

    def update(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Obj,
        subresource: str = "",
        manager: str = "",
        dry_run: bool = False,
    ) -> Obj:
        """The updated object.  Raises ApiError 404, 409 when the body is of an older version, 422."""
        old = self.store.get(resource, namespace, name)
        new = self._replaced(resource, old, body, subresource)
        if manager:
            ownership.record_update(old, new, manager, subresource, Schema(resource.kind))
        return self._commit(resource, old, new, dry_run)

    def apply(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        configuration: Obj,
        manager: str,
        *,
        force: bool = False,
        subresource: str = "",
        dry_run: bool = False,
    ) -> tuple[Obj, bool]:
        """Server-side apply: the object, and whether it is new.  Raises ApiError 409 for other managers' fields."""
        check_shape(resource, configuration)
        if "apiVersion" not in configuration or "kind" not in configuration:
            raise bad_request("apiVersion and kind must be set in an applied configuration")
        configuration = clone(configuration)
        metadata = configuration.setdefault("metadata", {})
        if metadata.get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        if metadata.setdefault("name", name) != name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        if "status" in resource.subresources and subresource != "status":
            configuration.pop("status", None)
        schema = Schema(resource.kind)
        old = self.store.find(resource.kind, namespace, name)
        if old is None:
            if metadata.get("uid") or metadata.get("resourceVersion"):
                raise conflict(
                    resource, name, "uid mismatch: the provided object specified uid, and no existing object was found"
                )
            prepared = self._prepared(resource, namespace, configuration)
            return self._create(
                resource, ownership.apply(None, prepared, manager, "", force, schema), manager, dry_run
            ), True
        applied = ownership.apply(old, configuration, manager, subresource, force, schema)
        if "resourceVersion" in metadata:
            applied["metadata"]["resourceVersion"] = metadata["resourceVersion"]
        new = self._replaced(resource, old, applied, subresource)
        return self._commit(resource, old, new, dry_run), False

    def _replaced(self, resource: Resource, old: Obj, body: Obj, subresource: str) -> Obj:
        """`body` in the place of `old`, as far as the request may change it."""
        check_shape(resource, body)
        name, metadata = name_of(old), body.get("metadata") or {}
        if metadata.get("name", name) != name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        if metadata.get("namespace", namespace_of(old)) != namespace_of(old):
            raise bad_request(_OTHER_NAMESPACE)
        if metadata.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            precondition = f"UID in precondition: {metadata['uid']}, UID in object meta: {old['metadata']['uid']}"
            raise conflict(resource, name, f"Precondition failed: {precondition}")
        version = metadata.get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise conflict(resource, name, _MODIFIED)
        new: Obj
        if subresource == "status":
            new = {**clone(old), "status": clone(body.get("status") or {})}
            new["metadata"]["managedFields"] = clone(
                metadata.get("managedFields", old["metadata"].get("managedFields", []))
            )
            return new
        new = clone(body)
        new["apiVersion"], new["kind"] = resource.api_version, resource.kind
        new["metadata"] = {key: value for key, value in clone(metadata).items() if key not in _SYSTEM_FIELDS}
        for key in _SYSTEM_FIELDS:
            if key in old["metadata"]:
                new["metadata"][key] = old["metadata"][key]
        if not new["metadata"].get("managedFields"):
            new["metadata"]["managedFields"] = clone(old["metadata"].get("managedFields", []))
        if is_terminating(old):
            known = old["metadata"].get("finalizers") or []
            added = [item for item in new["metadata"].get("finalizers") or [] if item not in known]
            if added:
                found = "[]string{" + ", ".join(f'"{item}"' for item in added) + "}"
                why = f"no new finalizers can be added if the object is being deleted, found new finalizers {found}"
                raise invalid(resource, name, [FieldProblem.forbidden("metadata.finalizers", why)])
        if "status" in resource.subresources:
            new.pop("status", None)
            if "status" in old:
                new["status"] = clone(old["status"])
        if resource.kind == "Service" and new.get("spec", {}).get("type") != "ExternalName":
            for key in ("clusterIP", "clusterIPs"):
                if key in old["spec"] and isinstance(new.get("spec"), dict):
                    new["spec"].setdefault(key, clone(old["spec"][key]))
        elif resource.kind == "Namespace" and subresource != "finalize":
            new["spec"] = clone(old["spec"])
        elif resource.kind in ("PersistentVolumeClaim", "Pod", "Job"):
            for key in ("volumeName", "storageClassName", "nodeName", "selector"):
                if key in old["spec"]:
                    new.setdefault("spec", {}).setdefault(key, clone(old["spec"][key]))
        try:
            apply_defaults(new)
        except (AttributeError, TypeError, KeyError) as error:
            what = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {error!r}'
            raise bad_request(what) from error
        check(resource, new, old)
        return new

    def set_status(self, obj: Obj, status: Obj) -> Obj:
        """What controllers and the kubelet report of an object; nobody runs meanwhile, so no version is checked."""
        old = self.store.get(resource_of(obj["kind"]), namespace_of(obj), name_of(obj))
        return (
            old
            if old.get("status") == status
            else self.store.put({**old, "metadata": dict(old["metadata"]), "status": status})
        )

    def modify(self, obj: Obj, change: Callable[[Obj], None]) -> Obj:
        """Change an object as a controller does: `change` works on a copy of its latest state."""
        resource = resource_of(obj["kind"])
        old = self.store.get(resource, namespace_of(obj), name_of(obj))
        new = clone(old)
        change(new)
        return self._commit(resource, old, new, dry_run=False)

    def _commit(self, resource: Resource, old: Obj, new: Obj, dry_run: bool) -> Obj:
        for key in ("finalizers", "ownerReferences", "labels", "annotations", "managedFields"):
            if key in new["metadata"] and not new["metadata"][key]:
                del new["metadata"][key]
        if new == old:
            return old
        if "generation" in old["metadata"] and new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        if dry_run:
            return new
        if is_terminating(new) and self._may_go(new):
            return self.store.remove(new)
        return self.store.put(new)

    def delete(self, resource: Resource, namespace: str, name: str, options: Obj | None = None) -> tuple[Obj, bool]:
        """The object in its last or latest state, and whether it is gone: finalizers and grace periods hold it.

        `options` are DeleteOptions.  Raises ApiError 404, 409 when a precondition does not hold.
        """
        options = options or {}
        obj = self.store.get(resource, namespace, name)
        self._check_preconditions(resource, obj, options.get("preconditions") or {})
        if "All" in (options.get("dryRun") or []):
            return obj, False
        policy = options.get("propagationPolicy") or ""
        finalizer = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(policy)
        grace = self._grace_seconds(obj, options.get("gracePeriodSeconds"))
        new = clone(obj)
        metadata = new["metadata"]
        if finalizer and not is_terminating(obj):
            metadata.setdefault("finalizers", []).append(finalizer)
        if is_terminating(obj):
            if grace < metadata.get("deletionGracePeriodSeconds", 0):
                metadata["deletionGracePeriodSeconds"] = grace
        else:
            metadata["deletionTimestamp"] = timestamp(datetime.now(UTC) + timedelta(seconds=grace))
            metadata["deletionGracePeriodSeconds"] = grace
            if "generation" in metadata:
                metadata["generation"] += 1
        if resource.kind == "Namespace":
            metadata.pop("deletionGracePeriodSeconds", None)
            new["status"] = {**(new.get("status") or {}), "phase": "Terminating"}
        if self._may_go(new):
            return self.store.remove(new if is_terminating(obj) else obj), True
        return (obj if new == obj else self.store.put(new)), False

    @staticmethod
    def _check_preconditions(resource: Resource, obj: Obj, preconditions: Obj) -> None:
        for key, title, fate in (
            ("uid", "UID", "deleted and then recreated"),
            ("resourceVersion", "ResourceVersion", "modified"),
        ):
            wanted, found = preconditions.get(key), obj["metadata"][key]
            if wanted not in (None, found):
                why = f"the {title} in the precondition ({wanted}) does not match the {title} in record ({found})"
                raise conflict(resource, name_of(obj), f"{why}. The object might have been {fate}")

    @staticmethod
    def _grace_seconds(obj: Obj, asked: int | None) -> int:
        """Only pods that a kubelet has taken over end gracefully."""
        if obj["kind"] != "Pod" or not obj["spec"].get("nodeName"):
            return 0
        if (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return 0
        return int(obj["spec"].get("terminationGracePeriodSeconds", 30)) if asked is None else asked

    @staticmethod
    def _may_go(obj: Obj) -> bool:
        if obj["kind"] == "Namespace" and obj["spec"].get("finalizers"):
            return False
        return not obj["metadata"].get("finalizers") and not obj["metadata"].get("deletionGracePeriodSeconds")


class _ClusterAddresses:
    """Gives each Service an address of 10.96.0.0/16 that no other has."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last = 1

    def allocate(self, service: Obj) -> None:
        spec = service["spec"]
        if spec["type"] == "ExternalName":
            return
        if not spec.get("clusterIP"):
            used = {other["spec"].get("clusterIP") for other in self._store.objects("Service")}
            while (address := f"10.96.{self._last // 256 % 256}.{self._last % 256}") in used:
                self._last += 1
            spec["clusterIP"] = address
            self._last += 1
        spec.setdefault("clusterIPs", [spec["clusterIP"]])


def _quality_of_service(pod: Obj) -> str:
    resources = [container.get("resources") or {} for container in pod["spec"].get("containers") or []]
    if not any(item.get("requests") or item.get("limits") for item in resources):
        return "BestEffort"
    guaranteed = all(
        item.get("limits") and item["limits"] == item.get("requests") and {"cpu", "memory"} <= set(item["limits"])
        for item in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"
