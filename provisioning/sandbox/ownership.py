"""Who manages which field: `metadata.managedFields`, and server-side apply, which is decided by it."""

from dataclasses import dataclass
from typing import Any, Literal

from provisioning.sandbox import fieldsets
from provisioning.sandbox.errors import apply_conflict
from provisioning.sandbox.fieldsets import MISSING, Path
from provisioning.sandbox.objects import Obj, timestamp
from provisioning.sandbox.schema import Schema

_UNMANAGED_METADATA = frozenset(
    "name namespace uid resourceVersion generation creationTimestamp selfLink managedFields deletionTimestamp "
    "deletionGracePeriodSeconds generateName".split()
)


@dataclass
class _Entry:
    manager: str
    operation: Literal["Apply", "Update"]
    subresource: str
    api_version: str
    time: str
    fields: set[Path]

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.manager, self.operation, self.subresource

    def shown(self) -> str:
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return text if self.operation == "Apply" else f"{text} using {self.api_version}"


def _read(obj: Obj) -> list[_Entry]:
    return [
        _Entry(
            entry.get("manager", ""),
            "Apply" if entry.get("operation") == "Apply" else "Update",
            entry.get("subresource", ""),
            entry.get("apiVersion", ""),
            entry.get("time", ""),
            fieldsets.decode(entry.get("fieldsV1") or {}),
        )
        for entry in obj["metadata"].get("managedFields") or []
    ]


def _written(entries: list[_Entry]) -> list[Obj]:
    written: list[Obj] = []
    for entry in entries:
        if entry.fields or entry.operation == "Apply":
            item: Obj = {
                "manager": entry.manager,
                "operation": entry.operation,
                "apiVersion": entry.api_version,
                "time": entry.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": fieldsets.encode(entry.fields),
            }
            if entry.subresource:
                item["subresource"] = entry.subresource
            written.append(item)
    return written


def managed_part(obj: Obj) -> Obj:
    """The part of an object that managers can own."""
    part = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _UNMANAGED_METADATA}
    return {"metadata": metadata, **part} if metadata else part


def record_update(old: Obj | None, new: Obj, manager: str, subresource: str, schema: Schema) -> None:
    """Set `new`'s managedFields after a create, update or patch by `manager`."""
    changed, removed = fieldsets.compare(managed_part(old) if old else {}, managed_part(new), schema)
    entries = _read(old) if old else []
    if not changed and not removed:
        if old and "managedFields" in old["metadata"]:
            new["metadata"]["managedFields"] = old["metadata"]["managedFields"]
        return
    identity = (manager, "Update", subresource)
    for entry in entries:
        entry.fields -= removed if entry.identity == identity else removed | changed
    mine = next((entry for entry in entries if entry.identity == identity), None)
    if mine is None:
        mine = _Entry(manager, "Update", subresource, new["apiVersion"], "", set())
        entries.append(mine)
    mine.fields |= changed
    mine.time, mine.api_version = timestamp(), new["apiVersion"]
    new["metadata"]["managedFields"] = _written(entries)


def apply(live: Obj | None, configuration: Obj, manager: str, subresource: str, force: bool, schema: Schema) -> Obj:
    """The object that applying a configuration leads to, with its managedFields.

    Raises ApiError 409 when others manage fields with other values and `force` is not set.
    """
    wanted = managed_part(configuration)
    wanted_paths = set(fieldsets.paths_of(wanted, schema))
    current = managed_part(live) if live else {}
    merged = fieldsets.merge(current, wanted, schema)
    entries = _read(live) if live else []
    identity = (manager, "Apply", subresource)
    mine = next((entry for entry in entries if entry.identity == identity), None)
    others = [entry for entry in entries if entry is not mine]

    changed, _ = fieldsets.compare(current, merged, schema)
    contested = [(entry, path) for entry in others for path in sorted(entry.fields & changed, key=repr)]
    if contested and not force:
        raise apply_conflict([(entry.shown(), fieldsets.show(path)) for entry, path in contested])
    for entry in others:
        entry.fields -= changed

    before = mine.fields if mine else set()
    kept_by_others: set[Path] = set().union(*(_with_parents(entry.fields) for entry in others)) if others else set()
    pruned = fieldsets.remove(merged, before - _with_parents(wanted_paths) - kept_by_others, schema)
    result = _with_managed_part(live or configuration, {} if pruned is MISSING else pruned)

    if mine is None:
        mine = _Entry(manager, "Apply", subresource, configuration["apiVersion"], timestamp(), wanted_paths)
        entries.insert(0, mine)
    elif mine.fields != wanted_paths or fieldsets.compare(current, pruned, schema) != (set(), set()):
        mine.fields, mine.time, mine.api_version = wanted_paths, timestamp(), configuration["apiVersion"]
    result["metadata"]["managedFields"] = _written(entries)
    return result


def _with_parents(paths: set[Path]) -> set[Path]:
    return {path[:end] for path in paths for end in range(1, len(path) + 1)}


def _with_managed_part(obj: Obj, part: Obj) -> Obj:
    metadata: dict[str, Any] = {key: obj["metadata"][key] for key in _UNMANAGED_METADATA if key in obj["metadata"]}
    metadata.update(part.get("metadata") or {})
    rest = {key: value for key, value in part.items() if key != "metadata"}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata, **rest}
