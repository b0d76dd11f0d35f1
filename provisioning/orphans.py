"""What has lost its other half: objects in the cluster whose store has no row, and rows whose store has no objects.

Pure.  Only what carries this installation's label can be an orphan: everything else in the cluster is somebody else's,
whatever it is called.  By itself only that is removed whose store is known to have been deleted, by its receipt in the
audit trail: where a backup of the database was restored, the stores that were made after it have no row either, and
they are alive.  Volumes are made by the cluster, without labels, so they are labelled while the claim that they
belong to is there to prove whose they are (`unmarked`).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from provisioning import names
from provisioning.cluster import Obj
from provisioning.inventory import item_of
from provisioning.templates import LABEL_INSTALLATION, LABEL_STORE

CLEANED_AFTER = timedelta(minutes=10)


class Policy(StrEnum):
    """What is done about orphans by itself."""

    REPORT = "report"
    CLEAN = "clean"


@dataclass(frozen=True)
class Row:
    """What is asked of a store here."""

    id: str
    name: str
    ready: bool
    since: datetime  # when it came into its state


@dataclass(frozen=True)
class Orphan:
    """An object without a row, or a row without objects.  Names are untrusted text."""

    id: str  # the object's uid; of a row, the store's id
    kind: str  # "Store" of a row
    api_version: str  # "" of a row
    name: str
    namespace: str
    store_id: str
    created: datetime
    size: int | None = None  # bytes of storage, of all that is in it
    contains: int = 0  # further labelled objects that go with it
    deleting: bool = False

    @property
    def is_row(self) -> bool:
        return not self.api_version

    @property
    def reference(self) -> str:
        """In kubectl's words: "namespace/store-x"."""
        return f"{self.kind.lower()}/{self.name}"


def find(objects: Iterable[Obj], rows: Iterable[Row], installation: str) -> list[Orphan]:
    """The orphans among `objects` (labelled ones, and no others are looked at) and `rows`, the largest first.

    What lies in an orphaned namespace, or is owned by an orphan, goes with it and is counted there.
    """
    rows, ours = list(rows), [obj for obj in objects if _label(obj, LABEL_INSTALLATION) == installation]
    known = {row.id for row in rows}
    lost = [obj for obj in ours if _label(obj, LABEL_STORE) and _label(obj, LABEL_STORE) not in known]
    lost = [obj for obj in lost if _is_left_over(obj)]
    spaces = {obj["metadata"]["name"]: obj["metadata"]["uid"] for obj in lost if obj["kind"] == "Namespace"}
    found: dict[str, Orphan] = {}
    parent: dict[str, str] = {}
    for obj in lost:
        orphan = _orphan(obj)
        found[orphan.id] = orphan
        owners = [each["uid"] for each in obj["metadata"].get("ownerReferences") or []]
        parent.update((orphan.id, uid) for uid in owners)
        if uid := spaces.get(_space(obj)):
            parent[orphan.id] = uid
    for orphan in list(found.values()):
        top = _top(orphan.id, parent, found)
        if top != orphan.id:
            whole = found[top]
            size = whole.size
            if orphan.kind == "PersistentVolumeClaim":  # its volume is the same storage
                size = (size or 0) + (orphan.size or 0)
            found[top] = replace(whole, contains=whole.contains + 1, size=size)
    tops = [orphan for orphan in found.values() if _top(orphan.id, parent, found) == orphan.id]
    there = {_label(obj, LABEL_STORE) for obj in ours if obj["kind"] != "PersistentVolume"}
    empty = [
        Orphan(row.id, "Store", "", row.name, names.namespace(row.name), row.id, row.since)
        for row in rows
        if row.ready and row.id not in there
    ]
    return sorted([*tops, *empty], key=lambda orphan: (-(orphan.size or 0), orphan.kind, orphan.name))


def seen_since(before: Mapping[str, datetime], orphans: Iterable[Orphan], at: datetime) -> dict[str, datetime]:
    """By orphan: since when it has been seen without a break."""
    return {orphan.id: before.get(orphan.id, at) for orphan in orphans}


def to_clean(
    orphans: Iterable[Orphan], seen: Mapping[str, datetime], at: datetime, deleted: Collection[str]
) -> list[Orphan]:
    """What the policy CLEAN removes: objects that two sweeps saw, at least so far apart that nobody is still at it.

    `deleted`: ids of stores of which the audit trail tells the deletion; what is not of these is for a person to judge.
    """
    return [
        orphan
        for orphan in orphans
        if not orphan.is_row
        and not orphan.deleting
        and orphan.store_id in deleted
        and at - seen.get(orphan.id, at) >= CLEANED_AFTER
    ]


def is_still(obj: Obj | None, orphan: Orphan, installation: str) -> bool:
    """Is this, as the cluster has it now, still the object that was found, with our label on it?"""
    return (
        obj is not None
        and obj["metadata"]["uid"] == orphan.id
        and _label(obj, LABEL_INSTALLATION) == installation
        and _label(obj, LABEL_STORE) == orphan.store_id
        and _is_left_over(obj)
    )


def unmarked(objects: Iterable[Obj], volumes: Iterable[Obj], installation: str) -> list[Obj]:
    """The labels that volumes lack, as objects to apply: of each whose claim is there and carries ours."""
    claims = {obj["metadata"]["uid"]: obj for obj in objects if obj["kind"] == "PersistentVolumeClaim"}
    marks = []
    for volume in volumes:
        claim = claims.get((volume["spec"].get("claimRef") or {}).get("uid", ""))
        if claim is None or _label(claim, LABEL_INSTALLATION) != installation or not _label(claim, LABEL_STORE):
            continue
        labels = {LABEL_INSTALLATION: installation, LABEL_STORE: _label(claim, LABEL_STORE)}
        if any(_label(volume, key) != value for key, value in labels.items()):
            # With its uid, so that a volume that is gone by now is not made anew.
            metadata = {key: volume["metadata"][key] for key in ("name", "uid")}
            marks.append({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {**metadata, "labels": labels}})
    return marks


def _orphan(obj: Obj) -> Orphan:
    item = item_of(obj)
    return Orphan(
        id=item.uid,
        kind=item.kind,
        api_version=item.api_version,
        name=item.name,
        namespace=item.namespace,
        store_id=_label(obj, LABEL_STORE),
        created=item.created,
        size=item.size,
        deleting=item.deleting is not None,
    )


def _top(uid: str, parent: Mapping[str, str], found: Mapping[str, Orphan]) -> str:
    """The orphan that `uid` goes with at last: itself, if nothing that is found holds or owns it."""
    seen = {uid}
    while (above := parent.get(uid)) in found and above not in seen:
        uid = str(above)
        seen.add(uid)
    return uid


def _space(obj: Obj) -> str:
    """The namespace that an object lies in; a volume goes with its claim."""
    if obj["kind"] == "PersistentVolume":
        return str((obj["spec"].get("claimRef") or {}).get("namespace", ""))
    return str(obj["metadata"].get("namespace", ""))


def _is_left_over(obj: Obj) -> bool:
    """Also a label is not proof enough where much would be lost: a namespace that is not called as ours are, a volume
    that somebody bound anew.
    """
    if obj["kind"] == "Namespace":
        return str(obj["metadata"]["name"]).startswith(names.PREFIX)
    if obj["kind"] == "PersistentVolume":
        bound = (obj.get("status") or {}).get("phase") == "Bound"
        return not bound and _space(obj).startswith(names.PREFIX)
    return True


def _label(obj: Obj, key: str) -> str:
    return str((obj["metadata"].get("labels") or {}).get(key, ""))
