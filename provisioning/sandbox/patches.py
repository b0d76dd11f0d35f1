"""The three classic kinds of patch: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge patch."""

from typing import Any

from provisioning.sandbox.errors import ApiError, bad_request
from provisioning.sandbox.objects import Obj, clone
from provisioning.sandbox.schema import Schema


def merge_patch(current: Any, patch: Any) -> Any:
    """The patched value; `current` stays as it is."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(current) if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def strategic_patch(current: Any, patch: Any, schema: Schema, name: str = "") -> Any:
    """Like a merge patch, but lists of named things merge by their names; `$patch` and its kin are directives."""
    if isinstance(patch, dict):
        return _strategic_map(current if isinstance(current, dict) else {}, patch, schema)
    if isinstance(patch, list):
        return _strategic_list(current if isinstance(current, list) else [], patch, schema, name)
    return patch


def _strategic_map(current: Obj, patch: Obj, schema: Schema) -> Obj:
    if patch.get("$patch") == "replace":
        return {key: clone(value) for key, value in patch.items() if key != "$patch"}
    result = dict(current)
    if isinstance(patch.get("$retainKeys"), list):
        result = {key: value for key, value in result.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            result[field] = [item for item in result.get(field, []) if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
            result.pop(key, None)
        else:
            result[key] = strategic_patch(result.get(key), value, schema, key)
    return result


def _strategic_list(current: list[Any], patch: list[Any], schema: Schema, name: str) -> list[Any]:
    if schema.is_set(name, patch):
        return current + [item for item in patch if item not in current]
    items = [item for item in patch if not (isinstance(item, dict) and set(item) == {"$patch"})]
    keys = schema.list_keys(name, items)
    if keys is None or len(items) < len(patch):  # atomic, or replaced by a {"$patch": "replace"} among the items
        return [clone(item) for item in items]
    keys = keys[:1]
    result = list(current)
    for item in items:
        key = schema.key_of(item, keys)
        at = next(
            (i for i, old in enumerate(result) if isinstance(old, dict) and schema.key_of(old, keys) == key), None
        )
        if item.get("$patch") == "delete":
            if at is not None:
                del result[at]
        elif at is None:
            result.append(_strategic_map({}, item, schema))
        else:
            result[at] = _strategic_map(result[at], item, schema)
    return result


def json_patch(document: Any, operations: Any) -> Any:
    """The patched document; `document` stays as it is.  Raises ApiError 422 when an operation does not fit."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch is a list of operations")
    result = clone(document)
    for operation in operations:
        try:
            _apply_operation(result, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            message = "the server rejected our request due to an error in our request"
            raise ApiError(422, "Invalid", message) from error
    return result


def _apply_operation(document: Any, operation: Obj) -> None:
    op, path = operation["op"], operation["path"]
    parent, key = _resolve(document, path)
    if op == "add":
        _add(parent, key, clone(operation["value"]))
    elif op == "remove":
        del parent[key]
    elif op == "replace":
        parent[key]
        parent[key] = clone(operation["value"])
    elif op == "test":
        if parent[key] != operation["value"]:
            raise ValueError(path)
    elif op in ("move", "copy"):
        source, source_key = _resolve(document, operation["from"])
        value = clone(source[source_key])
        if op == "move":
            del source[source_key]
        _add(*_resolve(document, path), value)
    else:
        raise ValueError(op)


def _resolve(document: Any, pointer: str) -> tuple[Any, Any]:
    """The container that a JSON pointer leads into, and the key or index in it."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    if not parts:
        raise ValueError("the whole document")
    node = document
    for part in parts[:-1]:
        node = node[int(part)] if isinstance(node, list) else node[part]
    last = parts[-1]
    return node, (len(node) if last == "-" else int(last)) if isinstance(node, list) else last


def _add(parent: Any, key: Any, value: Any) -> None:
    if isinstance(parent, list):
        if not 0 <= key <= len(parent):
            raise IndexError(key)
        parent.insert(key, value)
    else:
        parent[key] = value
