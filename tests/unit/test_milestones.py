"""The timeline: the specification's wording, the cluster's times, the object of each line."""

from provisioning.milestones import timeline, told_by_log
from provisioning.release import DESCRIPTION, SPEC, TYPE, VERSION
from tests.unit.cluster_objects import obj, pod, warning


def at(second: int) -> str:
    return f"2026-01-02T12:01:{second:02}Z"


def ready(name: str, part: str, second: int):
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": at(second)}
    return pod(name, part, conditions=(condition,), at=at(0))


WHOLE = [
    obj("Ingress", "medusa", part="medusa", at=at(3)),
    obj("Namespace", "store-shop", at=at(0)),
    obj("Secret", "store-secrets", at=at(1)),
    *(obj(kind, "store", at=at(1)) for kind in ("ResourceQuota", "LimitRange", "NetworkPolicy")),
    obj("PersistentVolumeClaim", "data-postgres-0", part="postgres", at=at(2), spec={}, status={"phase": "Pending"}),
    obj("Deployment", "medusa", part="medusa", at=at(3)),
    ready("postgres-0", "postgres", 8),
    ready("medusa-7d8b-x", "medusa", 12),
]


def test_the_specified_lines_in_the_order_of_the_clusters_times():
    lines = [(f"{event.at:%H:%M:%S}", event.message, event.object) for event in timeline("id", WHOLE)]
    assert lines == [
        ("12:01:00", "Namespace created", "namespace/store-shop"),
        ("12:01:01", "Secrets, quota and policies in place", "secret/store-secrets"),
        ("12:01:02", "PostgreSQL PVC created", "persistentvolumeclaim/data-postgres-0"),
        ("12:01:03", "Medusa deployment created", "deployment/medusa"),
        ("12:01:03", "Ingress created", "ingress/medusa"),
        ("12:01:08", "PostgreSQL pod ready", "pod/postgres-0"),
        ("12:01:12", "Medusa pod ready", "pod/medusa-7d8b-x"),
    ]


def test_looking_twice_gives_the_same_keys():
    assert [event.key for event in timeline("id", WHOLE)] == [event.key for event in timeline("id", WHOLE)]


def test_a_pod_that_is_not_ready_is_not_told():
    starting = pod("postgres-0", "postgres", conditions=({"type": "Ready", "status": "False"},))
    assert timeline("id", [starting]) == []


def test_warnings_are_told_once_for_each_reason_and_object_and_probes_of_starting_containers_not_at_all():
    subject = ready("medusa-1", "medusa", 1)
    repeated = [warning(subject, "BackOff", f"Back-off restarting, {n}") for n in range(3)]
    noise = warning(subject, "Unhealthy", "Startup probe failed: connection refused")
    warnings = [event for event in timeline("id", [*repeated, noise]) if event.kind == "warning"]
    assert {event.key for event in warnings} == {"warning:BackOff:pod/medusa-1"}
    assert warnings[0].message == "BackOff: Back-off restarting, 0"


LOG = """2026-01-02T12:01:09.123456789Z storefleet: database restored from the 2.21.2 snapshot
2026-01-02T12:01:10.5Z info: whatever
2026-01-02T12:01:11.5Z storefleet: shop prepared
2026-01-02T12:01:11.6Z storefleet: shop prepared <script>alert(1)</script>
2026-01-02T12:01:11.7Z a visitor writes: storefleet: shop prepared
storefleet: shop prepared
"""


def test_only_the_shops_own_lines_are_taken_from_its_log():
    events = told_by_log("id", ready("medusa-1", "medusa", 1), LOG)
    assert [(f"{event.at:%H:%M:%S.%f}", event.message) for event in events] == [
        ("12:01:09.123456", "Database restored from the 2.21.2 snapshot"),
        ("12:01:11.500000", "Shop prepared"),
    ]


def revision(number: int, spec: str, version: str, description: str = "Upgrade complete", status: str = "superseded"):
    found = obj("Secret", f"sh.helm.release.v1.store-shop.v{number}", at=at(number), type=TYPE)
    found["metadata"]["labels"] = {"owner": "helm", "name": "store-shop", "version": str(number), "status": status}
    found["metadata"]["labels"][SPEC] = spec
    found["metadata"]["annotations"] = {VERSION: version, DESCRIPTION: description}
    return found


def test_another_release_is_told_in_helms_words_and_a_repair_is_none():
    revisions = [
        revision(1, "a", "2.21.2", "Install complete"),
        revision(2, "a", "2.21.2"),  # a repair
        revision(3, "b", "2.22.0"),
        revision(4, "c", "", status="failed"),
        revision(5, "a", "2.21.2", "Rollback to 2"),
        revision(6, "c", "", status="deployed"),  # which failed before
        revision(7, "d", "", status="pending-upgrade"),
    ]
    assert [(event.kind, event.message) for event in timeline("id", revisions)] == [
        ("release.upgraded", "Release upgraded: 2.22.0, revision 3"),
        ("release.rolled_back", "Release rolled back to revision 2: 2.21.2, revision 5"),
        ("release.upgraded", "Release upgraded, revision 6"),
    ]
