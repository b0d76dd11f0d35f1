"""Namespaces: what each has from the start, how it ends, and what quotas count in it."""

from collections import Counter
from collections.abc import Iterable

from provisioning.sandbox import admission
from provisioning.sandbox.control import Controller, Key
from provisioning.sandbox.objects import Obj, clone, is_terminating, name_of, namespace_of, set_condition
from provisioning.sandbox.resources import RESOURCES, resource_of
from provisioning.sandbox.store import Change


class Namespaces(Controller):
    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        if change.resource.kind == "Namespace":
            return [("", name_of(obj))]
        if not change.resource.namespaced or change.type == "ADDED":
            return ()
        namespace = self.store.find("Namespace", "", namespace_of(obj))
        return [("", namespace_of(obj))] if namespace is not None and is_terminating(namespace) else ()

    def everything(self) -> Iterable[Key]:
        return self.all_of("Namespace")

    def sync(self, namespace: str, name: str) -> None:
        space = self.store.find("Namespace", "", name)
        if space is None:
            return
        if is_terminating(space):
            self._empty(space)
            return
        if self.store.find("ServiceAccount", name, "default") is None:
            self.registry.create(resource_of("ServiceAccount"), name, {"metadata": {"name": "default"}})
        if self.store.find("ConfigMap", name, "kube-root-ca.crt") is None:
            body = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": ""}}
            self.registry.create(resource_of("ConfigMap"), name, body)

    def _empty(self, space: Obj) -> None:
        name = name_of(space)
        for resource in RESOURCES:
            if resource.namespaced and resource.stored:
                for obj in self.store.objects(resource.kind, name):
                    if not is_terminating(obj):
                        self.registry.delete(resource, name, name_of(obj))
        left = [
            obj
            for resource in RESOURCES
            if resource.namespaced and resource.stored
            for obj in self.store.objects(resource.kind, name)
        ]
        if left:
            self._report_remains(space, left)
        elif space["spec"].get("finalizers"):
            self.registry.modify(space, lambda item: item["spec"].update(finalizers=[]))

    def _report_remains(self, space: Obj, left: list[Obj]) -> None:
        status = clone(space["status"])
        resources = [resource_of(obj["kind"]) for obj in left]
        kinds = Counter(f"{resource.plural}.{resource.group}" for resource in resources)
        finalizers = Counter(item for obj in left for item in obj["metadata"].get("finalizers") or [])
        for type_, reason, message in (
            ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
            (
                "NamespaceDeletionGroupVersionParsingFailure",
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
            (
                "NamespaceDeletionContentFailure",
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
        ):
            set_condition(status, type_, False, reason, message)
        remains = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items()))
        message = f"Some resources are remaining: {remains}"
        set_condition(status, "NamespaceContentRemaining", True, "SomeResourcesRemain", message)
        if finalizers:
            held = ", ".join(f"{item} in {count} resource instances" for item, count in sorted(finalizers.items()))
            message = f"Some content in the namespace has finalizers remaining: {held}"
            set_condition(status, "NamespaceFinalizersRemaining", True, "SomeFinalizersRemain", message)
        else:
            message = "All content-preserving finalizers finished"
            set_condition(status, "NamespaceFinalizersRemaining", False, "ContentHasNoFinalizers", message)
        self.registry.set_status(space, status)


class Quotas(Controller):
    """Keeps the quotas' status; the refusing is admission's part."""

    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        if change.resource.kind == "ResourceQuota":
            return [(namespace_of(obj), name_of(obj))]
        if not change.resource.namespaced or change.resource.kind == "Event":
            return ()
        if change.type == "MODIFIED" and change.resource.kind != "Pod":
            return ()
        return [(namespace_of(obj), name_of(quota)) for quota in self.store.objects("ResourceQuota", namespace_of(obj))]

    def everything(self) -> Iterable[Key]:
        return self.all_of("ResourceQuota")

    def sync(self, namespace: str, name: str) -> None:
        quota = self.store.find("ResourceQuota", namespace, name)
        if quota is None or is_terminating(quota):
            return
        hard = quota["spec"].get("hard") or {}
        used = {key: admission.format_quantity(key, admission.usage(self.store, key, namespace)) for key in hard}
        self.registry.set_status(quota, {"hard": dict(hard), "used": used})
