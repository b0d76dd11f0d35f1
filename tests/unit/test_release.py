"""The states of a release, read from Helm's own record."""

import base64
import gzip
import json
from datetime import UTC, datetime

import pytest

from provisioning.release import MANIFEST, SPEC, TYPE, Release, newest, packed_manifest

OURS = ("storefleet.dev/store", "abc")
RENDERED = """---
apiVersion: v1
kind: Service
metadata: {name: medusa, labels: {a: b}}
spec: {ports: [{port: 9000}]}
---
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: w}
"""


def secret(status, version=1, labels=None, manifest=RENDERED):
    record = gzip.compress(json.dumps({"name": "store-shop", "manifest": manifest}).encode())
    obj = {
        "kind": "Secret",
        "type": TYPE,
        "metadata": {
            "name": f"sh.helm.release.v1.store-shop.v{version}",
            "namespace": "store-shop",
            "creationTimestamp": "2026-01-02T12:00:00Z",
            "labels": {
                "name": "store-shop",
                "owner": "helm",
                "status": status,
                "version": str(version),
                "modifiedAt": "1767355260",
                SPEC: "wanted",
                OURS[0]: OURS[1],
            }
            | (labels or {}),
        },
        "data": {"release": base64.b64encode(base64.b64encode(record)).decode()},
    }
    obj["metadata"]["annotations"] = {MANIFEST: packed_manifest(obj)}
    return obj


@pytest.mark.parametrize(
    ("secrets", "state"),
    [
        ([secret("deployed")], Release.IN_SYNC),
        ([secret("deployed", labels={SPEC: "older"})], Release.OUT_OF_SYNC),
        ([secret("deployed"), secret("pending-upgrade", 2)], Release.LOCKED),
        ([secret("pending-install")], Release.LOCKED),
        ([secret("pending-rollback", 10), secret("deployed", 9)], Release.LOCKED),
        ([secret("failed")], Release.FAILED),
        ([secret("uninstalling")], Release.FAILED),
        ([secret("superseded"), secret("deployed", 2)], Release.IN_SYNC),
        ([secret("deployed", labels={OURS[0]: "somebody-elses"})], Release.UNMANAGED),
        ([secret("pending-install", labels={OURS[0]: ""})], Release.UNMANAGED),
    ],
)
def test_the_newest_revision_tells_the_state(secrets, state):
    assert newest(secrets, OURS, "wanted").state is state


def test_no_revision_is_no_release():
    assert newest([{"kind": "Secret", "type": "Opaque", "metadata": {"name": "s"}}], OURS, "wanted") is None


def test_the_manifest_is_what_helm_applies():
    (service,) = newest([secret("deployed")], OURS, "wanted").manifest  # of a kind that nobody watches nothing is known
    assert service["metadata"] == {
        "name": "medusa",
        "namespace": "store-shop",
        "labels": {"a": "b", "app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "store-shop", "meta.helm.sh/release-namespace": "store-shop"},
    }
    assert newest([secret("deployed")], OURS, "wanted").at == datetime(2026, 1, 2, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("data", [{}, {"release": "%%%"}, {"release": "aGVsbG8="}, {"release": ""}])
def test_a_record_that_cannot_be_read_has_no_manifest(data):
    broken = {**secret("deployed"), "data": data}
    assert packed_manifest(broken) == ""


def test_a_manifest_that_is_no_yaml_is_no_manifest():
    assert newest([secret("deployed", manifest="a: [")], OURS, "wanted").manifest == ()
