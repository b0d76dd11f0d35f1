"""Where the objects are: in memory, by resource, each write with the next resource version.

Everything else follows from its changes: watches, controllers, the kubelet, the ingress and the journal subscribe.
Nothing here awaits, so a write and its news are one step that nobody can see half of.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from provisioning.sandbox.errors import expired, not_found
from provisioning.sandbox.objects import Obj, clone, name_of, namespace_of
from provisioning.sandbox.resources import RESOURCES, Resource, resource_of

HISTORY = 5000  # changes a resource that a watch can resume from

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


class Record:
    """A stored object and, once somebody asked for it, its JSON: encoded once for all lists and watches."""

    __slots__ = ("_encoded", "obj")

    def __init__(self, obj: Obj) -> None:
        self.obj = obj
        self._encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        if self._encoded is None:
            self._encoded = json.dumps(self.obj, separators=(",", ":")).encode()
        return self._encoded


@dataclass(frozen=True, slots=True)
class Change:
    version: int
    type: ChangeType
    resource: Resource
    record: Record
    old: Obj | None  # what the object was before; None when it is new


Listener = Callable[[Change], None]


@dataclass
class Collection:
    """All objects of one resource, with the recent changes that a watch may resume from."""

    resource: Resource
    namespaces: dict[str, dict[str, Record]] = field(default_factory=dict)
    history: deque[Change] = field(default_factory=deque)
    forgotten: int = 0  # changes up to this version are no longer known
    listeners: dict[Listener, None] = field(default_factory=dict)

    def records(self, namespace: str | None = None) -> Iterator[Record]:
        """In the order of namespace and name, as etcd has them."""
        for space in sorted(self.namespaces) if namespace is None else (namespace,):
            objects = self.namespaces.get(space, {})
            for name in sorted(objects):
                yield objects[name]

    def since(self, version: int) -> list[Change]:
        """The changes after a version.  Raises ApiError 410 when they are not all known any more."""
        if version < self.forgotten:
            raise expired(version, self.forgotten)
        changes: list[Change] = []
        for change in reversed(self.history):
            if change.version <= version:
                break
            changes.append(change)
        return changes[::-1]

    def forget(self, version: int) -> None:
        self.history.clear()
        self.forgotten = version


class Store:
    """Call only from the event loop that the sandbox runs in."""

    def __init__(self) -> None:
        self.version = 1
        self._collections = {resource.kind: Collection(resource) for resource in RESOURCES if resource.stored}
        self._listeners: list[Listener] = []

    def collection(self, kind: str) -> Collection:
        return self._collections[kind]

    def collections(self) -> Iterable[Collection]:
        return self._collections.values()

    def subscribe(self, listener: Listener) -> None:
        """`listener` is called for each change of any resource, in order, before the write returns."""
        self._listeners.append(listener)

    def find(self, kind: str, namespace: str, name: str) -> Obj | None:
        record = self._collections[kind].namespaces.get(namespace, {}).get(name)
        return record.obj if record else None

    def get(self, resource: Resource, namespace: str, name: str) -> Obj:
        """Raises ApiError 404."""
        obj = self.find(resource.kind, namespace, name)
        if obj is None:
            raise not_found(resource, name)
        return obj

    def objects(self, kind: str, namespace: str | None = None) -> list[Obj]:
        return [record.obj for record in self._collections[kind].records(namespace)]

    def put(self, obj: Obj) -> Obj:
        """Write an object, new or not; it gets its resource version, and belongs to the store from now on."""
        collection = self._collections[obj["kind"]]
        space = collection.namespaces.setdefault(namespace_of(obj), {})
        known = space.get(name_of(obj))
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        record = Record(obj)
        space[name_of(obj)] = record
        self._tell(collection, "MODIFIED" if known else "ADDED", record, known.obj if known else None)
        return obj

    def remove(self, obj: Obj) -> Obj:
        """Take an object out; `obj` is its last state, the answer that with the version of the removal."""
        collection = self._collections[obj["kind"]]
        space = collection.namespaces[namespace_of(obj)]
        known = space.pop(name_of(obj)).obj
        if not space:
            del collection.namespaces[namespace_of(obj)]
        self.version += 1
        last: Obj = clone(obj)
        last["metadata"]["resourceVersion"] = str(self.version)
        self._tell(collection, "DELETED", Record(last), known)
        return last

    def load(self, objects: Iterable[Obj], version: int) -> None:
        """Take over what an earlier run kept; nobody is told, and no watch can resume from before."""
        for obj in objects:
            resource = resource_of(obj["kind"])
            spaces = self._collections[resource.kind].namespaces
            spaces.setdefault(namespace_of(obj), {})[name_of(obj)] = Record(obj)
        self.version = max(self.version, version)
        self.forget_history()

    def forget_history(self) -> None:
        """From now on a watch from an older version gets 410 Gone, as after etcd's compaction."""
        for collection in self._collections.values():
            collection.forget(self.version)

    def _tell(self, collection: Collection, type_: ChangeType, record: Record, old: Obj | None) -> None:
        change = Change(self.version, type_, collection.resource, record, old)
        collection.history.append(change)
        if len(collection.history) > HISTORY:
            collection.forgotten = collection.history.popleft().version
        for listener in list(collection.listeners):
            listener(change)
        for listener in self._listeners:
            listener(change)
