"""Kubernetes objects as plain JSON data, and the few operations that everything here shares.

An object that the store holds is never changed in place: whoever wants to change one works on a `clone` and writes
that. So lists, watch events and caches can hand out the stored dicts themselves.
"""

import secrets
import uuid
from datetime import UTC, datetime
from typing import Any

Obj = dict[str, Any]

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' own choice: no vowels, nothing that looks alike


def clone(value: Any) -> Any:
    """A deep copy of JSON data; several times faster than `copy.deepcopy`, which expects anything."""
    if type(value) is dict:
        return {key: clone(item) if type(item) in (dict, list) else item for key, item in value.items()}
    if type(value) is list:
        return [clone(item) if type(item) in (dict, list) else item for item in value]
    return value


def timestamp(at: datetime | None = None) -> str:
    """A point in time as metadata and conditions have it: UTC, whole seconds."""
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def precise_timestamp(at: datetime | None = None) -> str:
    """As pod logs and leases have it: UTC with microseconds."""
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Raises ValueError when `text` is no RFC 3339 time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def new_uid() -> str:
    return str(uuid.uuid4())


def random_suffix(length: int = 5) -> str:
    return "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(length))


def name_of(obj: Obj) -> str:
    return str(obj["metadata"]["name"])


def namespace_of(obj: Obj) -> str:
    """The namespace an object is in; "" for those that are in none."""
    return str(obj["metadata"].get("namespace", ""))


def labels_of(obj: Obj) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def is_terminating(obj: Obj) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference of the controller that manages this object, if one does."""
    references: list[Obj] = obj["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), None)


def owner_reference(owner: Obj) -> Obj:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Obj, type_: str) -> Obj | None:
    conditions: list[Obj] = (obj.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item["type"] == type_), None)


def is_true(obj: Obj, type_: str) -> bool:
    return (condition(obj, type_) or {}).get("status") == "True"


def set_condition(status: Obj, type_: str, value: bool, reason: str = "", message: str = "", **more: Any) -> None:
    """Set one condition of a status in place; its transition time moves only when its value does."""
    conditions: list[Obj] = status.setdefault("conditions", [])
    wanted: Obj = {"type": type_, "status": "True" if value else "False", **more}
    if reason:
        wanted["reason"] = reason
    if message:
        wanted["message"] = message
    for index, known in enumerate(conditions):
        if known["type"] == type_:
            same = known["status"] == wanted["status"]
            wanted["lastTransitionTime"] = known["lastTransitionTime"] if same else timestamp()
            kept: Obj = {key: known[key] for key in ("lastProbeTime", "lastUpdateTime") if key in known}
            conditions[index] = {**kept, **wanted}
            return
    conditions.append({**wanted, "lastTransitionTime": timestamp()})
