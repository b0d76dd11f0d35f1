"""The sandbox's small parts: patches, selectors, quantities, protobuf, behaviour."""

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.quantities import quantity
from provisioning.sandbox import protobuf
from provisioning.sandbox.admission import format_quantity
from provisioning.sandbox.behaviour import behaviour_of, is_known
from provisioning.sandbox.errors import ApiError
from provisioning.sandbox.patches import json_patch, merge_patch, strategic_patch
from provisioning.sandbox.schema import Schema
from provisioning.sandbox.selectors import field_selector, label_selector, selects


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("500m", 0.5),
        ("1Gi", 2**30),
        ("1k", 1000),
        ("1e3", 1000),
        ("1.5Mi", 1.5 * 2**20),
        (2, 2),
        ("3E", 3e18),
    ],
)
def test_quantities(text: Any, number: float) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize("text", ["", "x", "1Q", "1 Gi", "Gi"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        quantity(text)


def test_quantities_are_written_as_kubernetes_does() -> None:
    assert format_quantity("requests.cpu", 0.35) == "350m"
    assert format_quantity("requests.cpu", 2.0) == "2"
    assert format_quantity("requests.memory", 512 * 2**20) == "512Mi"
    assert format_quantity("requests.storage", 2**30) == "1Gi"
    assert format_quantity("pods", 3.0) == "3"


def test_a_merge_patch_by_its_standard() -> None:
    document = {"title": "Goodbye!", "author": {"given": "John", "family": "Doe"}, "tags": ["a"], "content": "x"}
    patch = {"title": "Hello!", "phone": "1", "author": {"family": None}, "tags": ["b"]}
    expected = {"title": "Hello!", "author": {"given": "John"}, "tags": ["b"], "content": "x", "phone": "1"}
    assert merge_patch(document, patch) == expected


def test_a_json_patch_moves_copies_and_tests() -> None:
    operations = [
        {"op": "test", "path": "/a/0", "value": 1},
        {"op": "move", "from": "/a/0", "path": "/b"},
        {"op": "copy", "from": "/b", "path": "/c"},
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "replace", "path": "/d~0e", "value": 0},
    ]
    assert json_patch({"a": [1, 2], "d~e": 9}, operations) == {"a": [2, 3], "b": 1, "c": 1, "d~e": 0}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/absent"},
        {"op": "replace", "path": "/absent", "value": 1},
        {"op": "add", "path": "/list/9", "value": 1},
        {"op": "add", "path": "/no/where", "value": 1},
        {"op": "other", "path": "/list"},
        {"path": "/list"},
        {"op": "remove", "path": ""},
    ],
)
def test_a_json_patch_that_does_not_fit(operation: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        json_patch({"list": []}, [operation])
    assert refused.value.code == 422


def test_strategic_directives() -> None:
    schema = Schema("Deployment")
    containers = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}
    removed = strategic_patch(containers, {"containers": [{"name": "a", "$patch": "delete"}]}, schema)
    assert removed == {"containers": [{"name": "b", "image": "2"}]}
    replaced = strategic_patch(containers, {"containers": [{"$patch": "replace"}, {"name": "c"}]}, schema)
    assert replaced == {"containers": [{"name": "c"}]}
    kept = strategic_patch({"a": 1, "b": 2}, {"$retainKeys": ["b"], "b": 3}, schema)
    assert kept == {"b": 3}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("app=x", True),
        ("app==x,tier", True),
        ("app!=x", False),
        ("app in (x, y)", True),
        ("app notin (x)", False),
        ("!missing", True),
        ("missing", False),
        ("missing!=x", True),
        ("", True),
    ],
)
def test_label_selectors(selector: str, matches: bool) -> None:
    assert label_selector(selector)({"app": "x", "tier": "web"}) is matches


def test_field_selectors() -> None:
    pod = {"spec": {"nodeName": "n"}, "status": {}}
    assert field_selector("spec.nodeName=n,status.phase=")(pod)
    assert not field_selector("spec.nodeName!=n")(pod)


def test_selector_objects() -> None:
    expression = {"key": "app", "operator": "In", "values": ["x"]}
    assert selects({"matchExpressions": [expression]}, {"app": "x"})
    assert not selects({"matchExpressions": [{**expression, "operator": "NotIn"}]}, {"app": "x"})
    assert selects({}, {})
    assert not selects(None, {})


def field(number: int, value: bytes) -> bytes:
    assert len(value) < 128
    return bytes([number << 3 | 2, len(value)]) + value


def message(kind: str, body: bytes) -> bytes:
    return protobuf.MAGIC + field(1, field(1, b"v1") + field(2, kind.encode())) + field(2, body)


def test_a_secret_in_protobuf() -> None:
    metadata = field(1, b"s") + field(3, b"ns") + field(11, field(1, b"owner") + field(2, b"helm"))
    body = field(1, metadata) + field(2, field(1, b"key") + field(2, b"\x00\xff")) + field(3, b"Opaque")
    assert protobuf.decode(message("Secret", body)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "ns", "labels": {"owner": "helm"}},
        "data": {"key": base64.b64encode(b"\x00\xff").decode()},
        "type": "Opaque",
    }


def test_delete_options_in_protobuf() -> None:
    body = bytes([1 << 3, 5]) + field(2, field(1, b"uid-1")) + field(4, b"Background")
    options = protobuf.decode(message("DeleteOptions", body))
    assert options["gracePeriodSeconds"] == 5
    assert options["preconditions"] == {"uid": "uid-1"}
    assert options["propagationPolicy"] == "Background"


def test_other_kinds_in_protobuf_are_refused() -> None:
    with pytest.raises(ApiError) as refused:
        protobuf.decode(message("Pod", b""))
    assert refused.value.code == 415


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for body in (data, protobuf.MAGIC + data, message("Secret", data)):
        with contextlib.suppress(ApiError):  # anything else would be a fault of the reader
            protobuf.decode(body)


def test_known_and_unknown_images() -> None:
    assert is_known("docker.io/library/postgres:17-trixie")
    assert is_known("postgres")
    assert not is_known("registry.invalid/shop:1")
    assert not is_known("ghcr.io/storefleet/medusa-store:does-not-exist")
    assert not is_known("localhost:5000/shop:missing")
    assert behaviour_of("ghcr.io/storefleet/medusa-store:2.21.2").waits_for == "DATABASE_HOST"
    assert behaviour_of("busybox").waits_for == ""
