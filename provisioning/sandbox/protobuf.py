"""Reads Kubernetes' protobuf encoding of the few kinds that client-go sends so: what Helm writes by its typed client.

A body starts with `k8s\\0`, then an envelope (runtime.Unknown: 1 = type, 2 = the object).  Field numbers are those of
the published .proto files.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any

from provisioning.sandbox.errors import ApiError, bad_request
from provisioning.sandbox.objects import Obj

MAGIC = b"k8s\0"


def decode(body: bytes) -> Obj:
    """The object as JSON data.  Raises ApiError 400 for a malformed body, 415 for a kind that is not read here."""
    if not body.startswith(MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        envelope = dict(_fields(body[len(MAGIC) :]))
        type_ = dict(_fields(envelope[1]))
        obj: Obj = {"apiVersion": _text(type_.get(1, b"")), "kind": _text(type_.get(2, b""))}
        reader = _READERS.get(obj["kind"])
        if reader is None:
            message = f"the sandbox does not read protobuf of kind {obj['kind']}"
            raise ApiError(415, "UnsupportedMediaType", message)
        obj.update(reader(envelope.get(2, b"")))
    except (AttributeError, KeyError, ValueError, IndexError, TypeError) as error:
        raise bad_request(f"the protobuf message cannot be read: {error!r}") from error
    return obj


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, value): an int for varints, bytes for everything with a length."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 0:
            number, at = _varint(data, at)
            yield tag >> 3, number
        elif tag & 7 == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("the message is cut off")
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            raise ValueError(f"wire type {tag & 7}")


def _text(data: bytes) -> str:
    return data.decode()


def _entry(data: bytes) -> tuple[str, bytes]:
    pair = dict(_fields(data))
    return _text(pair.get(1, b"")), pair.get(2, b"")


def _metadata(data: bytes) -> Obj:
    metadata: Obj = {}
    texts = {1: "name", 2: "generateName", 3: "namespace", 5: "uid", 6: "resourceVersion"}
    maps = {11: "labels", 12: "annotations"}
    for number, value in _fields(data):
        if number in texts and value:
            metadata[texts[number]] = _text(value)
        elif number in maps:
            key, item = _entry(value)
            metadata.setdefault(maps[number], {})[key] = _text(item)
        elif number == 13:
            metadata.setdefault("ownerReferences", []).append(_owner_reference(value))
        elif number == 14:
            metadata.setdefault("finalizers", []).append(_text(value))
    return metadata


def _owner_reference(data: bytes) -> Obj:
    texts = {1: "kind", 3: "name", 4: "uid", 5: "apiVersion"}
    flags = {6: "controller", 7: "blockOwnerDeletion"}
    return {
        texts.get(number) or flags[number]: _text(value) if number in texts else bool(value)
        for number, value in _fields(data)
    }


def _secret(data: bytes) -> Obj:
    secret: Obj = {}
    for number, value in _fields(data):
        if number == 1:
            secret["metadata"] = _metadata(value)
        elif number == 2:
            key, item = _entry(value)
            secret.setdefault("data", {})[key] = base64.b64encode(item).decode()
        elif number == 3:
            secret["type"] = _text(value)
        elif number == 4:
            key, item = _entry(value)
            secret.setdefault("stringData", {})[key] = _text(item)
        elif number == 5:
            secret["immutable"] = bool(value)
    return secret


def _config_map(data: bytes) -> Obj:
    config: Obj = {}
    for number, value in _fields(data):
        if number == 1:
            config["metadata"] = _metadata(value)
        elif number == 2:
            key, item = _entry(value)
            config.setdefault("data", {})[key] = _text(item)
    return config


def _namespace(data: bytes) -> Obj:
    return {"metadata": _metadata(dict(_fields(data)).get(1, b""))}


def _delete_options(data: bytes) -> Obj:
    options: Obj = {}
    for number, value in _fields(data):
        if number == 1:
            options["gracePeriodSeconds"] = value
        elif number == 2:
            texts = {1: "uid", 2: "resourceVersion"}
            options["preconditions"] = {texts[key]: _text(item) for key, item in _fields(value)}
        elif number == 3 and value:
            options["propagationPolicy"] = "Orphan"
        elif number == 4:
            options["propagationPolicy"] = _text(value)
        elif number == 5:
            options.setdefault("dryRun", []).append(_text(value))
    return options


_READERS: dict[str, Callable[[bytes], Obj]] = {
    "ConfigMap": _config_map,
    "DeleteOptions": _delete_options,
    "Namespace": _namespace,
    "Secret": _secret,
}
