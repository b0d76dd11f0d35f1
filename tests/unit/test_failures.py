"""Each cause, from what the cluster shows to the sentence that a person reads."""

from datetime import UTC, datetime

import pytest

from provisioning.failures import diagnose
from tests.unit.cluster_objects import crashed, obj, pod, waiting, warning

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOT_FOUND = 'Back-off pulling image "postgres:17-trixi": ErrImagePull: rpc error: code = NotFound desc = not found'


def claim():
    return obj("PersistentVolumeClaim", "data-postgres-0", part="postgres", status={"phase": "Pending"})


def unschedulable(said):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    return pod("medusa-1", "medusa", conditions=(condition,))


CLAIM = claim()
DEPLOYMENT = obj("ReplicaSet", "medusa-7d8b", part="medusa")

CASES = {
    "image that is not there": (
        [pod("postgres-0", "postgres", waiting("ImagePullBackOff", NOT_FOUND))],
        ("image_pull", "PostgreSQL pod failed to start: ImagePullBackOff", True),
    ),
    "image that was refused for the first time": (
        [pod("postgres-0", "postgres", waiting("ErrImagePull", NOT_FOUND))],
        ("image_pull", "PostgreSQL pod failed to start: ErrImagePull", False),
    ),
    "registry that is away": (
        [pod("medusa-1", "medusa", waiting("ImagePullBackOff", "i/o timeout"))],
        ("image_pull", "Medusa pod failed to start: ImagePullBackOff", False),
    ),
    "crash loop": (
        [pod("medusa-1", "medusa", crashed(3, message="Error: boom"))],
        ("crash_loop", "Medusa pod failed to start: CrashLoopBackOff", True),
    ),
    "one crash": (
        [pod("medusa-1", "medusa", crashed(1))],
        ("crash_loop", "Medusa pod failed to start: CrashLoopBackOff", False),
    ),
    "crashed, and running again": (
        [pod("medusa-1", "medusa", crashed(4, now="running"))],
        ("crash_loop", "Medusa pod failed to start: CrashLoopBackOff", False),
    ),
    "failed migration": (
        [pod("medusa-1", "medusa", crashed(3, message="storefleet: failed: migration: no such column"))],
        ("migration_failed", "Medusa pod failed to start: CrashLoopBackOff", True),
    ),
    "out of memory": (
        [pod("medusa-1", "medusa", crashed(3, reason="OOMKilled", code=137))],
        ("out_of_memory", "Medusa pod failed to start: OOMKilled", True),
    ),
    "reference to nothing": (
        [pod("medusa-1", "medusa", waiting("CreateContainerConfigError", 'secret "x" not found'))],
        ("container_config", "Medusa pod failed to start: CreateContainerConfigError", False),
    ),
    "no room": (
        [unschedulable("0/1 nodes are available: 1 Insufficient memory.")],
        ("unschedulable", "Medusa pod cannot be placed: not enough memory", False),
    ),
    "no node fits": (
        [unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint.")],
        ("unschedulable", "Medusa pod cannot be placed: no node takes it", False),
    ),
    "quota": (
        [warning(DEPLOYMENT, "FailedCreate", 'pods "medusa-1" is forbidden: exceeded quota: store')],
        ("quota_exceeded", "The store's quota does not allow its pods", False),
    ),
    "no storage class": (
        [CLAIM, warning(CLAIM, "FailedBinding", "no persistent volumes available and no storage class is set")],
        ("volume_not_bound", "PostgreSQL volume is not provided: no storage class", True),
    ),
    "storage that fails": (
        [CLAIM, warning(CLAIM, "ProvisioningFailed", "disk full")],
        ("volume_not_bound", "PostgreSQL volume is not provided: ProvisioningFailed", False),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_named(case):
    objects, (code, message, lasting) = CASES[case]
    finding = diagnose(objects, NOON)
    assert (finding.reason.code, finding.reason.message, finding.lasting) == (code, message, lasting)
    assert finding.reason.hint
    assert finding.reason.who
    assert finding.reason.evidence


@pytest.mark.parametrize(("tries", "lasting"), [(1, False), (3, True)])
def test_a_registry_that_stays_away_is_given_three_tries(tries, lasting):
    subject = pod("medusa-1", "medusa", waiting("ImagePullBackOff", "connect: no route to host"))
    pulling = {**warning(subject, "Pulling", "Pulling image"), "type": "Normal", "count": tries}
    assert diagnose([subject, pulling], NOON).lasting is lasting


def test_nothing_wrong_is_nothing_found():
    assert (
        diagnose([pod("postgres-0", "postgres", {"name": "c", "ready": True, "state": {"running": {}}})], NOON) is None
    )


def test_a_ready_container_that_crashed_once_is_no_cause():
    assert diagnose([pod("medusa-1", "medusa", {**crashed(5, now="running"), "ready": True})], NOON) is None


def test_a_lasting_cause_is_told_before_a_passing_one():
    passing = pod("medusa-1", "medusa", waiting("ErrImagePull", "i/o timeout"))
    lasting = pod("postgres-0", "postgres", crashed(3))
    assert diagnose([passing, lasting], NOON).reason.code == "crash_loop"


def test_warnings_of_an_earlier_attempt_do_not_count():
    claim_ = claim()
    old = warning(claim_, "FailedBinding", "no storage class is set", at="2026-01-02T11:59:00Z")
    assert diagnose([claim_, old], NOON) is None


@pytest.mark.parametrize(("made", "counts"), [("2026-01-02T12:00:00Z", True), ("2026-01-02T11:58:00Z", False)])
def test_in_the_second_in_which_an_attempt_began_only_warnings_of_new_objects_count(made, counts):
    claim_ = obj("PersistentVolumeClaim", "data-postgres-0", part="postgres", at=made, status={"phase": "Pending"})
    said = warning(claim_, "FailedBinding", "no storage class is set", at="2026-01-02T12:00:00Z")
    assert (diagnose([claim_, said], NOON.replace(microsecond=700_000)) is not None) is counts


def test_evidence_is_bounded():
    finding = diagnose([pod("postgres-0", "postgres", waiting("ImagePullBackOff", "x" * 100_000))], NOON)
    assert sum(map(len, finding.reason.evidence)) < 3000
