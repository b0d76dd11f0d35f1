"""The parts of a store, PostgreSQL, Medusa, ingress, certificate, volume: how each is, and why.  Pure, from the cache.

What a store as a whole is, `health` says; here is what a person sees who asks which part it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from provisioning.cluster import Obj
from provisioning.failures import condition, diagnose, of_kind, part_of, time_of
from provisioning.failures.causes import USUAL
from provisioning.failures.front_door import certificate_secret_of, class_of
from provisioning.failures.reading import PARTS, clean, is_true, last_seen, living_pods, made_at, times
from provisioning.observe import replicas, rolled_out, workloads
from provisioning.quantities import quantity


class PartHealth(StrEnum):
    """How a part is."""

    OK = "ok"
    STARTING = "starting"  # on its way, and nothing speaks against it
    DEGRADED = "degraded"  # something is the matter, and `note` says what
    STOPPED = "stopped"  # on purpose
    ABSENT = "absent"  # not there (yet)
    UNUSED = "unused"  # this store has none, as it is set up
    UNKNOWN = "unknown"  # the cluster does not tell


@dataclass(frozen=True)
class Container:
    """A container of a pod, as it runs now.  Limits are 0 where there is none."""

    name: str
    image: str
    ready: bool
    state: str  # "running", or why it does not: "ImagePullBackOff", "Error, exit code 1"
    since: datetime | None  # of the state, where the cluster tells
    restarts: int
    had_run: bool  # there is the log of a run before this one
    cpu_limit: float = 0.0  # cores
    memory_limit: float = 0.0  # bytes


@dataclass(frozen=True)
class Pod:
    """A pod and its containers, those that prepare it first."""

    name: str
    ready: bool
    leaving: bool
    since: datetime
    containers: tuple[Container, ...] = ()


@dataclass(frozen=True)
class Part:
    """`detail`: what there is to know of one that is well, "1 GiB, class standard"."""

    key: str  # postgres, medusa, ingress, certificate, volume
    health: PartHealth
    note: str = ""  # why it is not well, or what it waits for
    detail: str = ""
    since: datetime | None = None
    image: str = ""
    restarts: int = 0
    pods: tuple[Pod, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """What was read of an Ingress's certificate; None where it may not be read, or there is none."""

    secret_there: bool | None = None
    certificate: Obj | None = None  # cert-manager's


@dataclass(frozen=True)
class Told:
    """What an event of the cluster says beyond its words: how often, and when last."""

    reason: str
    about: str
    count: int
    last: datetime


def parts(
    objects: Sequence[Obj], since: datetime, *, ready: bool, certificate: Certificate | None = None
) -> list[Part]:
    """All parts of a store, `objects` being all that is known of its namespace.

    `since`: when the store came into its state; `ready`: the shop answered through its ingress.
    """
    found = [_workload(objects, kind, name, since, ready=ready) for kind, name in _WORKLOADS]
    ingress = next(iter(of_kind(objects, "Ingress")), None)
    found += [_ingress(ingress, ready), _certificate(ingress, certificate or Certificate()), _volume(objects, since)]
    return [part for part in found if part is not None]


def unknown(known: Iterable[Part], why: str) -> list[Part]:
    """The same parts while the cluster does not tell."""
    return [
        Part(each.key, PartHealth.UNKNOWN, why, each.detail, None, each.image, each.restarts, each.pods)
        for each in known
    ]


def told(objects: Iterable[Obj]) -> list[Told]:
    """How often the cluster said what it warned of, as long as it remembers (an hour, mostly)."""
    return [
        Told(
            clean(str(event.get("reason", ""))),
            f"{str(event['involvedObject'].get('kind', '')).lower()}/{event['involvedObject'].get('name', '')}",
            times(event),
            last_seen(event),
        )
        for event in of_kind(objects, "Event")
        if event.get("type") == "Warning"
    ]


_WORKLOADS = (("StatefulSet", "postgres"), ("Deployment", "medusa"))


def _workload(objects: Sequence[Obj], kind: str, name: str, since: datetime, *, ready: bool) -> Part | None:
    workload = next((obj for obj in of_kind(objects, kind) if obj["metadata"]["name"] == name), None)
    if workload is None:
        if kind == "StatefulSet" and workloads(objects):
            return None  # a database of somebody else's
        return Part(name, PartHealth.ABSENT)
    own = [pod for pod in of_kind(objects, "Pod") if part_of(pod) == PARTS[name]]
    pods = tuple(sorted((_pod(each) for each in own if each in living_pods(own) or _leaves(each)), key=_newest_first))
    living = [pod for pod in pods if not pod.leaving]
    image = str((workload["spec"]["template"]["spec"]["containers"] or [{}])[0].get("image", ""))
    restarts = sum(container.restarts for pod in living for container in pod.containers)
    wanted, up = replicas(workload), sum(pod.ready for pod in living)
    detail = f"{up} of {wanted} pods ready" if wanted != 1 or len(living) > 1 else ""
    if wanted == 0:
        return Part(name, PartHealth.STOPPED, "", "", None, image, 0, pods)
    if rolled_out(workload):
        begun = max((_ready_since(pod) for pod in own if is_true(pod, "Ready")), default=None)
        return Part(name, PartHealth.OK, "", detail, begun, image, restarts, pods)
    finding = diagnose([obj for obj in objects if _concerns(obj, PARTS[name], objects)], since)
    if finding is not None:
        waits = not ready and not finding.lasting and finding.reason.code in USUAL
        health = PartHealth.STARTING if waits else PartHealth.DEGRADED
        return Part(name, health, finding.reason.message, detail, None, image, restarts, pods)
    return Part(name, PartHealth.STARTING, "", detail or "Coming up", made_at(workload), image, restarts, pods)


def _concerns(obj: Obj, part: str, objects: Sequence[Obj]) -> bool:
    """Is it of the part, or an event about something that is?"""
    if obj["kind"] in ("PersistentVolumeClaim", "PersistentVolume"):
        return False  # the volume is a part of its own
    if obj["kind"] != "Event":
        return obj["kind"] == "Namespace" or part_of(obj) == part
    uid = obj["involvedObject"].get("uid")
    return any(each["metadata"]["uid"] == uid and part_of(each) == part for each in objects if each["kind"] != "Event")


def _leaves(pod: Obj) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _newest_first(pod: Pod) -> tuple[bool, float, str]:
    return pod.leaving, -pod.since.timestamp(), pod.name


def _ready_since(pod: Obj) -> datetime:
    ready = condition(pod, "Ready") or {}
    return time_of(ready["lastTransitionTime"]) if ready.get("lastTransitionTime") else made_at(pod)


def _pod(pod: Obj) -> Pod:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    said = {
        each["name"]: each for key in ("initContainerStatuses", "containerStatuses") for each in status.get(key) or []
    }
    every = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    containers = tuple(_container(each, said.get(each["name"], {})) for each in every)
    return Pod(str(pod["metadata"]["name"]), is_true(pod, "Ready"), _leaves(pod), made_at(pod), containers)


def _container(spec: Obj, status: Obj) -> Container:
    state = status.get("state") or {}
    words, since = "waiting", None
    if running := state.get("running"):
        words, since = "running", running.get("startedAt")
    elif ended := state.get("terminated"):
        words, since = f"{ended.get('reason') or 'ended'}, exit code {ended.get('exitCode')}", ended.get("finishedAt")
    elif waiting := state.get("waiting"):
        words = str(waiting.get("reason") or "waiting")
    limits = (spec.get("resources") or {}).get("limits") or {}
    return Container(
        str(spec["name"]),
        str(spec.get("image", "")),
        bool(status.get("ready")),
        clean(words),
        time_of(since) if since else None,
        int(status.get("restartCount") or 0),
        bool((status.get("lastState") or {}).get("terminated")),
        _limit(limits.get("cpu")),
        _limit(limits.get("memory")),
    )


def _limit(value: object) -> float:
    try:
        return quantity(value) if value is not None else 0.0
    except ValueError:
        return 0.0


def _ingress(ingress: Obj | None, ready: bool) -> Part:
    if ingress is None:
        return Part("ingress", PartHealth.ABSENT)
    since, hosts = made_at(ingress), [str(rule.get("host", "")) for rule in ingress["spec"].get("rules") or []]
    detail = ", ".join(filter(None, [*hosts, f"class {class_of(ingress)}" if class_of(ingress) else ""]))
    addressed = bool(((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress"))
    if addressed or ready:  # some controllers never say where they are, and serve all the same
        return Part("ingress", PartHealth.OK, "", clean(detail), since)
    return Part("ingress", PartHealth.STARTING, "No controller has given it an address yet", clean(detail), since)


def _certificate(ingress: Obj | None, read: Certificate) -> Part:
    key = "certificate"
    if ingress is None:
        return Part(key, PartHealth.ABSENT)
    if not (ingress.get("spec") or {}).get("tls"):
        return Part(key, PartHealth.UNUSED, detail="The address is plain http")
    secret = certificate_secret_of(ingress)
    if not secret:
        return Part(key, PartHealth.OK, detail="The ingress controller’s own", since=made_at(ingress))
    if read.certificate is not None:
        return _issued(read.certificate)
    if read.secret_there is False:
        return Part(key, PartHealth.DEGRADED, f"The Secret {clean(secret)} with the certificate is not there")
    if read.secret_there is None:
        return Part(key, PartHealth.UNKNOWN, "The cluster does not let us look at it")
    return Part(key, PartHealth.OK, detail=f"Secret {clean(secret)}")


def _issued(certificate: Obj) -> Part:
    """By cert-manager."""
    status = certificate.get("status") or {}
    until = str(status.get("notAfter", ""))[:10]
    detail = f"valid until {until}" if until else ""
    if is_true(certificate, "Ready"):
        begun = (condition(certificate, "Ready") or {}).get("lastTransitionTime")
        return Part("certificate", PartHealth.OK, "", clean(detail), time_of(begun) if begun else None)
    said = clean(str((condition(certificate, "Ready") or {}).get("message", "")))
    return Part("certificate", PartHealth.STARTING, said or "It is not issued yet", clean(detail))


def _volume(objects: Sequence[Obj], since: datetime) -> Part | None:
    claim = next(
        (each for each in of_kind(objects, "PersistentVolumeClaim") if part_of(each) == PARTS["postgres"]), None
    )
    if claim is None:
        database = next(
            (each for each in of_kind(objects, "StatefulSet") if each["metadata"]["name"] == "postgres"), None
        )
        if database is None:
            return None if workloads(objects) else Part("volume", PartHealth.ABSENT)
        if not database["spec"].get("volumeClaimTemplates"):
            return Part("volume", PartHealth.UNUSED, detail="The data lives as long as the pod")
        return Part("volume", PartHealth.ABSENT)
    status, spec = claim.get("status") or {}, claim.get("spec") or {}
    size = (status.get("capacity") or {}).get("storage") or spec["resources"]["requests"]["storage"]
    detail = ", ".join(
        filter(None, [str(size), f"class {spec['storageClassName']}" if spec.get("storageClassName") else ""])
    )
    about = {claim["metadata"]["uid"], *(each["metadata"]["uid"] for each in of_kind(objects, "PersistentVolume"))}
    concerned = [
        obj
        for obj in objects
        if obj["metadata"]["uid"] in about or (obj["kind"] == "Event" and obj["involvedObject"].get("uid") in about)
    ]
    finding = diagnose(concerned, since)
    if finding is not None:
        return Part("volume", PartHealth.DEGRADED, finding.reason.message, clean(detail), made_at(claim))
    bound = status.get("phase") == "Bound"
    health = PartHealth.OK if bound else PartHealth.STARTING
    return Part("volume", health, "" if bound else "Waiting to be provided", clean(detail), made_at(claim))


def volume_size(objects: Iterable[Obj]) -> float:
    """Bytes that the database's volume has; 0 where there is none."""
    for claim in of_kind(objects, "PersistentVolumeClaim"):
        if part_of(claim) == PARTS["postgres"]:
            size = ((claim.get("status") or {}).get("capacity") or {}).get("storage")
            return _limit(size or claim["spec"]["resources"]["requests"]["storage"])
    return 0.0
