"""How each part of a store is, by what the cluster shows."""

from datetime import UTC, datetime
from typing import Any

from provisioning.parts import Certificate, Part, PartHealth, parts, told, unknown, volume_size
from tests.unit.cluster_objects import crashed, obj, pod, running, waiting, warning, workload

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T12:00:05Z"}


def rolled_out(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    made = workload(kind, name, pods=1, ready=1)
    template = {"spec": {"containers": [{"name": "c", "image": f"registry/{name}:1"}]}}
    made["spec"] |= {"template": template, **spec}
    made["metadata"]["generation"] = 1
    made["status"] |= {"observedGeneration": 1, "updatedReplicas": 1}
    return made


def coming_up(kind: str, name: str) -> dict[str, Any]:
    made = rolled_out(kind, name)
    made["status"]["readyReplicas"] = 0
    return made


def claim(phase: str = "Bound") -> dict[str, Any]:
    spec = {"resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "fast", "volumeName": "pv"}
    return obj("PersistentVolumeClaim", "data-postgres-0", part="postgres", spec=spec, status={"phase": phase})


def ingress(**spec: Any) -> dict[str, Any]:
    return obj("Ingress", "medusa", part="medusa", spec={"rules": [{"host": "shop.example"}], **spec}, status={})


def of(name: str, part: str, *containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    limits = {"cpu": "500m", "memory": "256Mi"}
    spec = {"containers": [{"name": "c", "image": "registry/x:1", "resources": {"limits": limits}}]}
    return pod(name, part, *containers, spec=spec, **more)


def a_well_store() -> list[dict[str, Any]]:
    up = {"conditions": (READY,), "phase": "Running"}
    return [
        obj("Namespace", "store-shop"),
        rolled_out("StatefulSet", "postgres", volumeClaimTemplates=[{}]),
        rolled_out("Deployment", "medusa"),
        of("postgres-0", "postgres", running(ready=True, restarts=2), **up),
        of("medusa-x", "medusa", running(ready=True), **up),
        claim(),
        ingress(),
    ]


def found(objects: list[dict[str, Any]], *, ready: bool = True, **more: Any) -> dict[str, Part]:
    return {part.key: part for part in parts(objects, NOON, ready=ready, **more)}


def test_a_store_that_is_well():
    all_parts = found(a_well_store())
    assert list(all_parts) == ["postgres", "medusa", "ingress", "certificate", "volume"]
    health = {key: part.health for key, part in all_parts.items()}
    assert health == dict.fromkeys(("postgres", "medusa", "ingress", "volume"), PartHealth.OK) | {
        "certificate": PartHealth.UNUSED
    }
    postgres = all_parts["postgres"]
    assert (postgres.restarts, postgres.image, postgres.since) == (2, "registry/postgres:1", NOON.replace(second=5))
    (container,) = postgres.pods[0].containers
    assert (container.state, container.cpu_limit, container.memory_limit) == ("running", 0.5, 256 * 1024**2)
    assert all_parts["volume"].detail == "1Gi, class fast"
    assert volume_size(a_well_store()) == 1024**3


def test_nothing_is_there_yet():
    assert {part.health for part in found([], ready=False).values()} == {PartHealth.ABSENT}


def test_a_part_that_fails_says_why_and_the_others_do_not():
    objects = a_well_store()
    objects[2] = coming_up("Deployment", "medusa")
    objects[4] = of("medusa-x", "medusa", waiting("ImagePullBackOff", "not found", "registry/medusa:nope"))
    all_parts = found(objects)
    assert all_parts["medusa"].health is PartHealth.DEGRADED
    assert all_parts["medusa"].note == "Medusa pod failed to start: ImagePullBackOff"
    assert all_parts["medusa"].pods[0].containers[0].state == "ImagePullBackOff"
    assert all_parts["postgres"].health is PartHealth.OK


def test_one_that_is_on_its_way_or_stopped_is_not_called_ill():
    objects = a_well_store()
    objects[2] = coming_up("Deployment", "medusa")
    objects[4] = of("medusa-x", "medusa", running(started=False))
    assert found(objects)["medusa"].health is PartHealth.STARTING
    objects[2]["spec"]["replicas"] = 0
    assert found(objects)["medusa"].health is PartHealth.STOPPED


def test_a_run_before_this_one_has_a_log_of_its_own():
    objects = a_well_store()
    objects[4] = of("medusa-x", "medusa", crashed(3))
    (container,) = found(objects)["medusa"].pods[0].containers
    assert (container.had_run, container.restarts, container.state) == (True, 3, "CrashLoopBackOff")


def test_the_ingress_is_well_where_it_has_an_address_or_the_shop_was_reached():
    objects = a_well_store()
    assert found(objects, ready=False)["ingress"].health is PartHealth.STARTING
    objects[-1]["status"] = {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}
    assert found(objects, ready=False)["ingress"].health is PartHealth.OK


def test_the_certificate():
    objects = a_well_store()

    def certificate(read: Certificate | None = None, **tls: Any) -> Part:
        objects[-1] = ingress(tls=[{"hosts": ["shop.example"], **tls}])
        return found(objects, certificate=read)["certificate"]

    assert certificate().health is PartHealth.OK  # the controller's own
    named = {"secretName": "medusa-tls"}
    assert certificate(**named).health is PartHealth.UNKNOWN
    assert certificate(Certificate(secret_there=True), **named).health is PartHealth.OK
    missing = certificate(Certificate(secret_there=False), **named)
    assert (missing.health, "medusa-tls" in missing.note) == (PartHealth.DEGRADED, True)
    issued = obj("Certificate", "medusa-tls", status={"conditions": [READY], "notAfter": "2026-04-01T00:00:00Z"})
    assert certificate(Certificate(True, issued), **named).detail == "valid until 2026-04-01"
    pending = obj("Certificate", "medusa-tls", status={"conditions": [{"type": "Ready", "message": "waiting"}]})
    assert certificate(Certificate(True, pending), **named).note == "waiting"


def test_a_database_of_somebody_elses_is_no_part_and_has_no_volume():
    objects = [each for each in a_well_store() if "postgres" not in each["metadata"]["name"]]
    assert list(found(objects)) == ["medusa", "ingress", "certificate"]


def test_while_the_cluster_does_not_tell_nothing_is_called_well():
    assert {part.health for part in unknown(found(a_well_store()).values(), "")} == {PartHealth.UNKNOWN}


def test_how_often_the_cluster_warned():
    about = of("medusa-x", "medusa")
    event = {**warning(about, "BackOff", "again", at="2026-01-02T12:00:09Z"), "count": 7}
    (seen,) = told([about, event])
    assert (seen.reason, seen.about, seen.count, seen.last.second) == ("BackOff", "pod/medusa-x", 7, 9)
