"""Garbage collection: what an object owned goes after it, or before it, or stays, as the deletion asked."""

from collections import defaultdict
from collections.abc import Iterable

from provisioning.sandbox.control import Control, Controller, Key
from provisioning.sandbox.objects import Obj, is_terminating, name_of, namespace_of
from provisioning.sandbox.resources import resource_of
from provisioning.sandbox.store import Change

_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"
_Where = tuple[str, str, str]  # (kind, namespace, name)


class GarbageCollector(Controller):
    """Its keys are (uid of an owner, "")."""

    def __init__(self, control: Control) -> None:
        super().__init__(control)
        self._dependents: dict[str, set[_Where]] = defaultdict(set)  # by the owner's uid
        self._alive: dict[str, _Where] = {}  # by uid
        for collection in self.store.collections():
            for record in collection.records():
                self._index(record.obj)

    def concerns(self, change: Change) -> Iterable[Key]:
        obj, uids = change.record.obj, []
        if change.old is not None:
            self._unindex(change.old)
        if change.type != "DELETED":
            self._index(obj)
            if any(reference["uid"] not in self._alive for reference in _references(obj)):
                uids += [reference["uid"] for reference in _references(obj)]
        uid = obj["metadata"]["uid"]
        if (change.type == "DELETED" and self._dependents.get(uid)) or (
            is_terminating(obj) and change.type != "DELETED"
        ):
            uids.append(uid)
        if change.type == "DELETED":
            uids += [reference["uid"] for reference in _references(obj) if reference["uid"] in self._alive]
        return [(uid, "") for uid in uids]

    def everything(self) -> Iterable[Key]:
        return [(uid, "") for uid in self._dependents]

    def sync(self, namespace: str, name: str) -> None:
        uid = namespace
        where = self._alive.get(uid)
        owner = self.store.find(*where) if where else None
        dependents = [obj for place in sorted(self._dependents.get(uid, ())) if (obj := self.store.find(*place))]
        if owner is None:
            for obj in dependents:
                self._collect(obj, uid)
            self._dependents.pop(uid, None)
            return
        finalizers = owner["metadata"].get("finalizers") or []
        if is_terminating(owner) and _ORPHAN in finalizers:
            for obj in dependents:
                self._release(obj, uid)
            self._lift(owner, _ORPHAN)
        elif is_terminating(owner) and _FOREGROUND in finalizers:
            for obj in dependents:
                if not is_terminating(obj):
                    options = {"propagationPolicy": "Foreground"}
                    self.registry.delete(resource_of(obj["kind"]), namespace_of(obj), name_of(obj), options)
            if not any(self.store.find(obj["kind"], namespace_of(obj), name_of(obj)) for obj in dependents):
                self._lift(owner, _FOREGROUND)

    def _collect(self, obj: Obj, uid: str) -> None:
        if any(reference["uid"] in self._alive for reference in _references(obj) if reference["uid"] != uid):
            self._release(obj, uid)
        elif not is_terminating(obj):
            self.registry.delete(resource_of(obj["kind"]), namespace_of(obj), name_of(obj))

    def _release(self, obj: Obj, uid: str) -> None:
        def change(item: Obj) -> None:
            item["metadata"]["ownerReferences"] = [r for r in _references(item) if r["uid"] != uid]

        self.registry.modify(obj, change)

    def _lift(self, owner: Obj, finalizer: str) -> None:
        self.registry.modify(owner, lambda item: item["metadata"]["finalizers"].remove(finalizer))

    def _index(self, obj: Obj) -> None:
        where = (obj["kind"], namespace_of(obj), name_of(obj))
        self._alive[obj["metadata"]["uid"]] = where
        for reference in _references(obj):
            self._dependents[reference["uid"]].add(where)

    def _unindex(self, obj: Obj) -> None:
        where = (obj["kind"], namespace_of(obj), name_of(obj))
        self._alive.pop(obj["metadata"]["uid"], None)
        for reference in _references(obj):
            places = self._dependents.get(reference["uid"])
            if places is not None:
                places.discard(where)
                if not places:
                    del self._dependents[reference["uid"]]


def _references(obj: Obj) -> list[Obj]:
    return obj["metadata"].get("ownerReferences") or []
