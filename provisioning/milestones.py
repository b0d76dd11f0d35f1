"""A store's timeline, derived from what the cluster shows: never from our own steps.

Pure.  Each line cites its object and carries the cluster's own time, so that the timeline tells what happened, also
where somebody else did it or we were away.  The wording is the specification's.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from provisioning.cluster import Obj
from provisioning.failures import condition, of_kind, part_of, reference, time_of
from provisioning.models import Event, Level
from provisioning.release import DEPLOYED, DESCRIPTION, SPEC, VERSION, revisions

SECRET = "store-secrets"  # noqa: S105 - the object's name
_POLICIES = ("ResourceQuota", "LimitRange", "NetworkPolicy")

_ORDER = (
    "namespace.created",
    "secrets.applied",
    "release.upgraded",
    "release.rolled_back",
    "pvc.created",
    "volume.bound",
    "postgres.ready",
    "medusa.created",
    "ingress.created",
    "database.restored",
    "database.migrated",
    "shop.prepared",
    "medusa.ready",
)
_RANK = {kind: rank for rank, kind in enumerate(_ORDER)}

_ROLLBACK = re.compile(r"^Rollback to (\d{1,9})$")  # Helm's description of a revision

_TOLD_BY_THE_SHOP = {
    "database restored": ("database.restored", "Database restored"),
    "database migrated": ("database.migrated", "Database migrated"),
    "shop prepared": ("shop.prepared", "Shop prepared"),
}
_SHOP_LINE = re.compile(
    r"^(\S+) storefleet: (database restored|database migrated|shop prepared)( from the ([\w.-]{1,40}) snapshot)?$"
)

# While a container starts its probes fail: that is what they are for.
_NOISE = re.compile(r"^(Startup|Readiness) probe failed")


def timeline(store_id: str, objects: Sequence[Obj]) -> list[Event]:
    """The events that a store's objects attest, oldest first; `key` names the very object, so each comes once."""
    events = [*_created(store_id, objects), *_in_place(store_id, objects), *_ready(store_id, objects)]
    events += [*_released(store_id, objects), *_warnings(store_id, objects)]
    return in_order(events)


def in_order(events: list[Event]) -> list[Event]:
    """Oldest first; within one second, which is as fine as the cluster tells, what has to come before what."""
    return sorted(events, key=lambda event: (event.at.replace(microsecond=0), _RANK.get(event.kind, len(_RANK))))


def told_by_log(store_id: str, pod: Obj, log: str) -> list[Event]:
    """What the shop itself reports in its log (lines behind the node's time), for what no object shows."""
    events = []
    for line in log.splitlines():
        if match := _SHOP_LINE.match(line):
            kind, message = _TOLD_BY_THE_SHOP[match[2]]
            if match[4]:
                message += f" from the {match[4]} snapshot"
            events.append(_event(store_id, pod, kind, message, match[1]))
    return events


def _event(store_id: str, obj: Obj, kind: str, message: str, at: str, level: Level = Level.SUCCESS) -> Event:
    uid = obj["metadata"]["uid"]
    return Event(
        store_id=store_id,
        key=f"{kind}:{uid}",
        at=time_of(at),
        kind=kind,
        message=message,
        level=level,
        object=reference(obj),
    )


def _created(store_id: str, objects: Sequence[Obj]) -> Iterator[Event]:
    lines = {
        ("Namespace", None): ("namespace.created", "Namespace created"),
        ("PersistentVolumeClaim", "PostgreSQL"): ("pvc.created", "PostgreSQL PVC created"),
        ("Deployment", "Medusa"): ("medusa.created", "Medusa deployment created"),
        ("Ingress", "Medusa"): ("ingress.created", "Ingress created"),
    }
    for obj in objects:
        part = None if obj["kind"] == "Namespace" else part_of(obj)
        if line := lines.get((obj["kind"], part)):
            yield _event(store_id, obj, *line, at=obj["metadata"]["creationTimestamp"])


def _in_place(store_id: str, objects: Sequence[Obj]) -> Iterator[Event]:
    """One line for the Secret and the policies: when the last of them came."""
    made = [obj for obj in objects if obj["kind"] in _POLICIES or obj["metadata"]["name"] == SECRET]
    if all(any(obj["kind"] == kind for obj in made) for kind in ("Secret", *_POLICIES)):
        secret = next(obj for obj in made if obj["kind"] == "Secret")
        last = max(str(obj["metadata"]["creationTimestamp"]) for obj in made)
        yield _event(store_id, secret, "secrets.applied", "Secrets, quota and policies in place", last)


def _released(store_id: str, objects: Sequence[Obj]) -> Iterator[Event]:
    """Each revision that is another release than the one before it: Helm makes one also to repair the same."""
    deployed = [obj for obj in revisions(objects) if obj["metadata"]["labels"].get("status") in DEPLOYED]
    for before, obj in pairwise(deployed):
        metadata, labels = obj["metadata"], obj["metadata"]["labels"]
        if labels.get(SPEC) == before["metadata"]["labels"].get(SPEC):
            continue
        kept, number = metadata.get("annotations") or {}, labels["version"]
        version = kept.get(VERSION, "")
        if back := _ROLLBACK.match(kept.get(DESCRIPTION, "")):
            kind, said = "release.rolled_back", f"Release rolled back to revision {back[1]}"
        else:
            kind, said = "release.upgraded", "Release upgraded"
        said += f": {version}, revision {number}" if version else f", revision {number}"
        yield _event(store_id, obj, kind, said, metadata["creationTimestamp"])


def _ready(store_id: str, objects: Sequence[Obj]) -> Iterator[Event]:
    for claim in of_kind(objects, "PersistentVolumeClaim"):
        volume = (claim.get("spec") or {}).get("volumeName")
        for obj in of_kind(objects, "PersistentVolume"):
            if obj["metadata"]["name"] == volume and (claim.get("status") or {}).get("phase") == "Bound":
                at = obj["metadata"]["creationTimestamp"]
                yield _event(store_id, obj, "volume.bound", f"{part_of(claim)} volume provided", at)
    for pod in of_kind(objects, "Pod"):
        ready = condition(pod, "Ready")
        if ready and ready.get("status") == "True" and part_of(pod) in ("PostgreSQL", "Medusa"):
            kind = "postgres.ready" if part_of(pod) == "PostgreSQL" else "medusa.ready"
            yield _event(store_id, pod, kind, f"{part_of(pod)} pod ready", ready["lastTransitionTime"])


def _warnings(store_id: str, objects: Sequence[Obj]) -> Iterator[Event]:
    """The cluster's own warnings, one line for each reason and object however often it is repeated."""
    for event in of_kind(objects, "Event"):
        said = str(event.get("message", ""))
        if event.get("type") != "Warning" or _NOISE.match(said):
            continue
        subject, why = event["involvedObject"], str(event.get("reason", ""))
        at = event.get("firstTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
        about = f"{str(subject.get('kind', '')).lower()}/{subject.get('name', '')}"
        yield Event(
            store_id=store_id,
            key=f"warning:{why}:{about}"[:250],
            at=time_of(at),
            kind="warning",
            message=f"{why}: {said}"[:300],
            level=Level.WARNING,
            object=about,
            evidence=said[:2000],
        )
