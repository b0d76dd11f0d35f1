"""Helm's record of a release, read from the Secrets that Helm keeps in the cluster: no helm is started to know a state.

A revision is one Secret.  Its labels tell number and status; its data hold what was rendered (Helm's encoding: JSON,
gzip, base64, and base64 once more as every Secret's data).  States are told apart as Flux' helm-controller does.
"""

import gzip
import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

import yaml

from provisioning.cluster import Obj
from provisioning.kinds import KINDS

TYPE = "helm.sh/release.v1"
FIELD_MANAGER = "helm"  # under which Helm applies

SPEC = "storefleet.dev/spec"
"""The label of a revision that says from which chart and values it was made."""

RUNNER = "storefleet.dev/runner"
"""The label of a revision that says on which machine its helm runs (see `Helm.runner`)."""

MANIFEST = "storefleet.dev/cached-manifest"
"""An annotation that a cached revision carries in place of its data: the manifest, compressed; in this process."""

VERSION, DESCRIPTION = "storefleet.dev/cached-version", "storefleet.dev/cached-description"
"""Likewise: the chart's appVersion, and Helm's words on what made the revision ("Rollback to 1").  Untrusted text."""

DEPLOYED = ("deployed", "superseded")
"""What Helm calls the status of a revision that is in force, or was."""

_LARGEST = 8 * 1024 * 1024  # bytes of a record, unpacked: beyond is not Helm's


class Release(StrEnum):
    """What is known of a release."""

    ABSENT = "absent"
    UNMANAGED = "unmanaged"  # somebody else's, under our name: never touched
    LOCKED = "locked"  # pending-*: a helm works on it, or died over it
    FAILED = "failed"
    OUT_OF_SYNC = "out of sync"  # deployed, but from another chart or other values than are wanted
    DRIFTED = "drifted"  # in sync, but its objects are not as it says
    IN_SYNC = "in sync"


@dataclass(frozen=True)
class Revision:
    """The newest revision of a store's release.  `at`: when its status was written."""

    state: Release
    at: datetime
    runner: str = ""  # which machine's helm made it
    manifest: tuple[Obj, ...] = ()  # of a deployed one: the objects as Helm applies them


@dataclass(frozen=True)
class Kept:
    """A revision as Helm keeps it, the newest one or an earlier one."""

    number: int
    spec: str  # fingerprint of what it was made from
    version: str  # of the shop
    status: str  # Helm's

    @property
    def was_deployed(self) -> bool:
        """Whether it is, or can be had again by a rollback."""
        return self.status in DEPLOYED


def history(objects: Iterable[Obj], ours: tuple[str, str]) -> list[Kept]:
    """What Helm keeps of a store's release, oldest first; without what is not ours, and what nobody can read."""
    found = []
    for secret in revisions(objects):
        labels, kept = secret["metadata"]["labels"], secret["metadata"].get("annotations") or {}
        if labels.get(ours[0]) == ours[1] and kept.get(MANIFEST):
            number, status = int(labels["version"]), labels.get("status", "")
            found.append(Kept(number, labels.get(SPEC, ""), kept.get(VERSION, ""), status))
    return found


def kept_as(objects: Iterable[Obj], ours: tuple[str, str], spec: str) -> int:
    """The newest revision by which a release of that fingerprint can be had again; 0 where there is none."""
    return max((each.number for each in history(objects, ours) if each.spec == spec and each.was_deployed), default=0)


def revisions(objects: Iterable[Obj]) -> list[Obj]:
    """The Secrets that are revisions, oldest first; without those that Helm itself would not find."""
    secrets = [obj for obj in objects if obj["kind"] == "Secret" and obj.get("type") == TYPE and is_found(obj)]
    return sorted(secrets, key=lambda obj: int(obj["metadata"]["labels"]["version"]))


def is_found(secret: Obj) -> bool:
    """Whether Helm finds a record: it goes by labels, and these can be taken off by hand."""
    labels = secret["metadata"].get("labels") or {}
    return labels.get("owner") == "helm" and "name" in labels and str(labels.get("version", "")).isdigit()


def is_damaged(secret: Obj) -> bool:
    """Whether Helm can make nothing of a record, as the cluster has it; every further operation would fail of that."""
    return not is_found(secret) or not packed_manifest(secret)


def newest(objects: Sequence[Obj], ours: tuple[str, str], spec: str) -> Revision | None:
    """The newest revision among a store's cached objects; None where the release is absent.

    `ours`: the label, and its value, by which a release is known as the store's.  `spec`: the wanted fingerprint.
    """
    found = revisions(objects)
    if not found:
        return None
    metadata = found[-1]["metadata"]
    labels = metadata["labels"]
    written = labels.get("modifiedAt") or labels.get("createdAt") or ""
    at = datetime.fromtimestamp(int(written), UTC) if written.isdigit() else _created(found[-1])
    status, runner = labels.get("status", ""), labels.get(RUNNER, "")
    if labels.get(ours[0]) != ours[1]:
        return Revision(Release.UNMANAGED, at)
    if status.startswith("pending-"):
        # A rollback takes the labels of the revision that it goes back to: who runs it, they do not say.
        return Revision(Release.LOCKED, _created(found[-1]), "" if status == "pending-rollback" else runner)
    if status != "deployed":  # failed, or an uninstall that was cut off: doing it again is right
        return Revision(Release.FAILED, at, runner)
    state = Release.IN_SYNC if labels.get(SPEC) == spec else Release.OUT_OF_SYNC
    packed = (metadata.get("annotations") or {}).get(MANIFEST, "")
    if not packed:
        return Revision(Release.FAILED, at, runner)  # damaged by hand: made anew
    return Revision(state, at, runner, _manifest(packed, metadata["namespace"], labels["name"]))


def packed_manifest(secret: Obj) -> str:
    """The manifest in a revision's data, small enough to keep; "" where there is none to be read."""
    return kept(secret)[MANIFEST]


def kept(secret: Obj) -> dict[str, str]:
    """The annotations that a cached revision carries in place of its data; "" for what cannot be read."""
    try:
        packed = b64decode(b64decode(secret["data"]["release"]))
        if packed[:2] == b"\x1f\x8b":
            packed = zlib.decompressobj(wbits=31).decompress(packed, _LARGEST)
        record = json.loads(packed)
        manifest = b64encode(gzip.compress(record["manifest"].encode(), mtime=0)).decode()
    except (KeyError, TypeError, ValueError, AttributeError, zlib.error):
        return {MANIFEST: "", VERSION: "", DESCRIPTION: ""}
    return {
        MANIFEST: manifest,
        VERSION: _text(record, "chart", "metadata", "appVersion"),
        DESCRIPTION: _text(record, "info", "description"),
    }


def _text(record: object, *path: str) -> str:
    """A short text in a record, where there is one."""
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return "".join(each for each in record if each.isprintable())[:60] if isinstance(record, str) else ""


def _created(secret: Obj) -> datetime:
    return datetime.fromisoformat(secret["metadata"]["creationTimestamp"]).astimezone(UTC)


@lru_cache(maxsize=20)  # as many as change at the same time; the parsed form is large
def _manifest(packed: str, namespace: str, name: str) -> tuple[Obj, ...]:
    """The objects of a manifest with what Helm adds as it applies them."""
    if not packed:
        return ()
    text = gzip.decompress(b64decode(packed)).decode()
    try:
        documents = [each for each in yaml.load_all(text, yaml.CSafeLoader) if isinstance(each, dict)]
    except yaml.YAMLError:
        return ()
    return tuple(_as_applied(obj, namespace, name) for obj in documents if obj.get("kind") in KINDS)


def _as_applied(obj: Obj, namespace: str, name: str) -> Obj:
    metadata = dict(obj["metadata"])
    if KINDS[obj["kind"]].namespaced:
        metadata.setdefault("namespace", namespace)
    metadata["labels"] = {**(metadata.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
    owner = {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **owner}
    return {**obj, "metadata": metadata}
