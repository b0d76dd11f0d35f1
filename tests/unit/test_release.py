"""The states of a release, read from Helm's own record."""

import base64
import gzip
import json
from datetime import UTC, datetime

import pytest

from provisioning.release import (
    DESCRIPTION,
    MANIFEST,
    RUNNER,
    SPEC,
    TYPE,
    VERSION,
    Kept,
    Release,
    history,
    kept,
    kept_as,
    newest,
    packed_manifest,
)

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


def secret(status, version=1, labels=None, manifest=RENDERED, **more):
    record = gzip.compress(json.dumps({"name": "store-shop", "manifest": manifest, **more}).encode())
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
    obj["metadata"]["annotations"] = kept(obj)
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


def of(version, spec, status="superseded", app_version="2.21.2"):
    return secret(status, version, {SPEC: spec}, chart={"metadata": {"appVersion": app_version}})


def test_what_helm_keeps_can_be_had_again():
    there = [of(2, "b", app_version="2.22.0"), of(1, "a"), of(3, "a", "deployed"), of(4, "b", "failed")]
    theirs = secret("superseded", 5, {OURS[0]: "somebody-elses"})
    damaged = {**of(6, "b"), "data": {}}
    damaged["metadata"]["annotations"] = kept(damaged)
    found = history([*there, theirs, damaged], OURS)
    assert found == [
        Kept(1, "a", "2.21.2", "superseded"),
        Kept(2, "b", "2.22.0", "superseded"),
        Kept(3, "a", "2.21.2", "deployed"),
        Kept(4, "b", "2.21.2", "failed"),
    ]
    assert [kept_as([*there, theirs, damaged], OURS, spec) for spec in "abc"] == [3, 2, 0]


def test_who_runs_a_rollback_is_not_known():
    """It has the labels of the revision that it goes back to."""
    runner = {RUNNER: "this machine"}
    assert newest([secret("pending-upgrade", labels=runner)], OURS, "wanted").runner == "this machine"
    assert newest([secret("pending-rollback", labels=runner)], OURS, "wanted").runner == ""


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"chart": {"metadata": {"appVersion": "2.22.0"}}, "info": {"description": "Rollback to 1"}}, "Rollback to 1"),
        ({"chart": {"metadata": {"appVersion": "2.22.0"}}, "info": {"description": "a\x1b[31m\nb" + "c" * 99}}, None),
        ({"chart": {"metadata": None}, "info": []}, ""),
        ({"chart": {"metadata": {"appVersion": 7}}}, ""),
    ],
)
def test_what_a_record_says_is_made_fit_to_be_shown(more, told):
    found = kept(secret("deployed", **more))
    assert found[MANIFEST]
    assert found[VERSION] in ("2.22.0", "")
    assert found[DESCRIPTION] == told if told is not None else found[DESCRIPTION].startswith("a[31mbccc")
    assert len(found[DESCRIPTION]) <= 60
