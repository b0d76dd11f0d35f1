"""Sets of field paths: what `managedFields` record, and what server-side apply reasons with.

A path is a tuple of steps; a step is `("f", name)` for a field, `("k", key)` for the list item with that key, `("v",
value)` for a member of a set.  The set of a value holds its leaves (scalars, atomic lists and maps, empty ones) and
each item of a keyed list.
"""

import json
from collections.abc import Iterator
from typing import Any

from provisioning.sandbox.objects import Obj, clone
from provisioning.sandbox.schema import Schema

Step = tuple[str, Any]
Path = tuple[Step, ...]
Paths = frozenset[Path]

MISSING = object()


def children(value: Any, name: str, schema: Schema) -> list[tuple[Step, Any, str]] | None:
    """What is directly inside a value, as (step, value, name); None for a leaf."""
    if isinstance(value, dict):
        if schema.is_atomic_map(name) or not value:
            return None
        return [(("f", key), item, key) for key, item in value.items() if item is not None]
    if isinstance(value, list) and value:
        if schema.is_set(name, value):
            return [(("v", item), item, "") for item in value]
        keys = schema.list_keys(name, value)
        if keys is not None:
            return [(("k", schema.key_of(item, keys)), item, "") for item in value]
    return None


def paths_of(value: Any, schema: Schema, prefix: Path = (), name: str = "") -> Iterator[Path]:
    inside = children(value, name, schema)
    if inside is None:
        if prefix:
            yield prefix
        return
    for step, item, item_name in inside:
        path = (*prefix, step)
        if step[0] == "k":
            yield path
        yield from paths_of(item, schema, path, item_name)


def compare(old: Any, new: Any, schema: Schema) -> tuple[set[Path], set[Path]]:
    """The paths that are new or differ in `new`, and those that only `old` has."""
    changed: set[Path] = set()
    removed: set[Path] = set()
    _compare(old, new, schema, (), "", changed, removed)
    return changed - {()}, removed - {()}


def _compare(
    old: Any, new: Any, schema: Schema, prefix: Path, name: str, changed: set[Path], removed: set[Path]
) -> None:
    if old is new:
        return
    before = children(old, name, schema) if old is not MISSING else None
    after = children(new, name, schema) if new is not MISSING else None
    if before is None and after is None:
        if new is MISSING:
            removed.add(prefix)
        elif old is MISSING or old != new:
            changed.add(prefix)
        return
    if before is None and old is not MISSING and old not in ({}, []):
        removed.add(prefix)
    if after is None and new is not MISSING and new != old:
        changed.add(prefix)
    olds = {step: (item, item_name) for step, item, item_name in before or []}
    news = {step: (item, item_name) for step, item, item_name in after or []}
    for step, (item, item_name) in news.items():
        path = (*prefix, step)
        known = olds.get(step)
        if known is None and step[0] == "k":
            changed.add(path)
        _compare(known[0] if known else MISSING, item, schema, path, item_name, changed, removed)
    for step, (item, item_name) in olds.items():
        if step not in news:
            path = (*prefix, step)
            if step[0] == "k":
                removed.add(path)
            _compare(item, MISSING, schema, path, item_name, changed, removed)


def merge(live: Any, applied: Any, schema: Schema, name: str = "") -> Any:
    """`live` with everything that `applied` says laid over it."""
    if isinstance(applied, dict):
        if schema.is_atomic_map(name) or not isinstance(live, dict):
            return {key: merge(None, item, schema, key) for key, item in applied.items() if item is not None}
        result = dict(live)
        for key, item in applied.items():
            if item is not None:
                result[key] = merge(live.get(key), item, schema, key)
        return result
    if isinstance(applied, list) and isinstance(live, list):
        if schema.is_set(name, applied):
            return live + [item for item in applied if item not in live]
        keys = schema.list_keys(name, applied or live)
        if keys is not None and all(isinstance(item, dict) for item in live):
            return _merge_keyed(live, applied, keys, schema)
    return clone(applied)


def _merge_keyed(live: list[Obj], applied: list[Obj], keys: tuple[str, ...], schema: Schema) -> list[Obj]:
    """Applied items in their order, among what else is there."""
    olds = {schema.key_of(item, keys): item for item in live}
    merged = {schema.key_of(item, keys): merge(olds.get(schema.key_of(item, keys)), item, schema) for item in applied}
    pending = list(merged)
    result: list[Obj] = []
    for key, item in olds.items():
        if key not in merged:
            result.append(item)
        elif pending:
            result.append(merged[pending.pop(0)])
    return result + [merged[key] for key in pending]


def remove(value: Any, paths: set[Path], schema: Schema, name: str = "", prefix: Path = ()) -> Any:
    """`value` without these paths; containers that become empty by it go too.  MISSING when nothing is left."""
    inside = children(value, name, schema)
    if inside is None:
        return MISSING if prefix in paths else value
    kept: list[tuple[Step, Any]] = []
    touched = False
    for step, item, item_name in inside:
        path = (*prefix, step)
        left = remove(item, paths, schema, item_name, path)
        if step[0] == "k" and path in paths and left is not MISSING:
            # The item was this manager's alone: what is left of it are defaults.
            left = MISSING
        touched = touched or left is not item
        if left is not MISSING:
            kept.append((step, left))
    if not touched:
        return value
    if not kept:
        return MISSING if prefix else {}
    if isinstance(value, dict):
        return {step[1]: item for step, item in kept}
    return [item for _, item in kept]


def encode(paths: Paths | set[Path]) -> Obj:
    """As `fieldsV1`."""
    tree: Obj = {}
    for path in sorted(paths, key=repr):
        node = tree
        for step in path:
            node = node.setdefault(_encode_step(step), {})
        if path[-1][0] == "k":
            node.setdefault(".", {})
    return tree


def decode(fields: Obj, prefix: Path = ()) -> set[Path]:
    paths: set[Path] = set()
    for text, inside in fields.items():
        if text == ".":
            paths.add(prefix)
            continue
        path = (*prefix, _decode_step(text))
        paths |= decode(inside, path) if inside else {path}
    return paths


def _encode_step(step: Step) -> str:
    kind, value = step
    if kind == "f":
        return f"f:{value}"
    if kind == "k":
        return "k:" + json.dumps(dict(value), separators=(",", ":"))
    return "v:" + json.dumps(value)


def _decode_step(text: str) -> Step:
    kind, _, rest = text.partition(":")
    if kind == "f":
        return ("f", rest)
    if kind == "k":
        return ("k", tuple(json.loads(rest).items()))
    return ("v", json.loads(rest))


def show(path: Path) -> str:
    """A path as error messages have it: `.spec.containers[name="web"].image`."""
    text = ""
    for kind, value in path:
        if kind == "f":
            text += f".{value}"
        elif kind == "k":
            text += "[" + ",".join(f"{key}={json.dumps(item)}" for key, item in value) + "]"
        else:
            text += f"[={json.dumps(value)}]"
    return text
