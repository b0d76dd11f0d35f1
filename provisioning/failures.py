"""Why a store does not come up: from what the cluster shows to a reason that a person can act on.

Pure.  Each rule looks at the store's objects and names at most one cause; the worst is told first.  A `lasting` cause
will not pass by itself, so the store fails at once; any other is what the store waits for, and what a time-out names.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from provisioning.cluster import Obj

PARTS = {"postgres": "PostgreSQL", "medusa": "Medusa"}
"""What people call the workloads of a store, by the label app.kubernetes.io/name."""

OWNER = "you, the store's owner"
ADMIN = "the platform's administrator"


@dataclass(frozen=True)
class Reason:
    """Why a store FAILED, or what it waits for; stored with the store and shown as it is.

    `evidence` holds the cluster's own words, one line each: untrusted.
    """

    code: str  # stable, for programs
    message: str  # "PostgreSQL pod failed to start: ImagePullBackOff"
    who: str = ADMIN  # who can do something about it
    hint: str = ""  # what to try
    evidence: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """A cause that was found, and whether waiting is pointless.

    `pod` and `since`: the pod that shows it and when that pod was made; what an older attempt left is replaced, not
    judged.
    """

    reason: Reason
    lasting: bool
    pod: str = ""
    since: datetime | None = None


# Words in a registry's answer that no further try will change.
_PULL_IS_HOPELESS = re.compile(
    r"not found|manifest unknown|name unknown|repository does not exist|unauthorized|authentication required"
    r"|denied|invalid reference format|InvalidImageName|no such host",
    re.IGNORECASE,
)
_PULL_REASONS = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
_CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_CRASHES_UNTIL_HOPELESS = 3
_PULLS_UNTIL_HOPELESS = 3  # by the kubelet's back-off, over about 40 s


def diagnose(objects: Sequence[Obj], since: datetime) -> Finding | None:
    """The most telling cause among a store's objects; a lasting one before a passing one.

    Events from before `since` speak of an earlier attempt and do not count.
    """
    objects = [obj for obj in objects if obj["kind"] != "Event" or _is_of_this_attempt(obj, objects, since)]
    findings = [finding for rule in RULES for finding in rule(objects)]
    return next((finding for finding in findings if finding.lasting), findings[0] if findings else None)


def timed_out(minutes: float, waiting_for: str, inner: Finding | None) -> Reason:
    """The reason of a store that took too long: it names what it was waiting for, never only the time."""
    if inner is not None:
        return Reason(
            code="timeout",
            message=f"Not ready after {minutes:g} minutes: {inner.reason.message}",
            who=inner.reason.who,
            hint=inner.reason.hint,
            evidence=inner.reason.evidence,
        )
    return Reason(
        code="timeout",
        message=f"Not ready after {minutes:g} minutes: still waiting for {waiting_for}",
        hint="Look at the timeline for the last step that ended, then retry: the store goes on from there.",
    )


def part_of(obj: Obj) -> str:
    """What people call the part of a store that an object belongs to."""
    name = (obj["metadata"].get("labels") or {}).get("app.kubernetes.io/name", "")
    return PARTS.get(name) or str(obj["metadata"]["name"])


def reference(obj: Obj) -> str:
    """An object in kubectl's words: "pod/postgres-0"."""
    return f"{obj['kind'].lower()}/{obj['metadata']['name']}"


def of_kind(objects: Iterable[Obj], kind: str) -> list[Obj]:
    return [obj for obj in objects if obj["kind"] == kind]


def condition(obj: Obj, kind: str) -> Obj | None:
    """The status condition called `kind`, if the object has it."""
    conditions: list[Obj] = (obj.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), None)


def time_of(text: str) -> datetime:
    """A Kubernetes time ("2026-01-02T03:04:05Z", with or without a fraction)."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).astimezone(UTC)


def _which(pod: Obj) -> dict[str, Any]:
    return {"pod": pod["metadata"]["name"], "since": time_of(pod["metadata"]["creationTimestamp"])}


def _images(objects: Sequence[Obj]) -> Iterator[Finding]:
    for pod, container in _waiting(objects):
        waiting = container["state"]["waiting"]
        if waiting.get("reason") not in _PULL_REASONS:
            continue
        said = str(waiting.get("message", ""))
        lines = [_line(pod, waiting["reason"], said), *_warnings(objects, pod)]
        # The first refusal may be a hiccup; the kubelet's back-off means that it tried and goes on trying.
        backing_off = waiting["reason"] != "ErrImagePull"
        yield Finding(
            Reason(
                code="image_pull",
                message=f"{part_of(pod)} pod failed to start: {waiting['reason']}",
                hint=f"Check that the image {container.get('image', '')} exists and that the cluster may pull it; "
                "correct the tag in the values, then retry.",
                evidence=lines,
            ),
            lasting=backing_off
            and (_pulls(objects, pod) >= _PULLS_UNTIL_HOPELESS or any(map(_PULL_IS_HOPELESS.search, lines))),
            **_which(pod),
        )


def _pulls(objects: Sequence[Obj], pod: Obj) -> int:
    """How often the kubelet tried to pull an image of `pod`."""
    tries = [event.get("count") or 1 for event in _events_of(objects, pod) if event.get("reason") == "Pulling"]
    return max(tries, default=0)


def _crashes(objects: Sequence[Obj]) -> Iterator[Finding]:
    for pod in of_kind(objects, "Pod"):
        for container in _containers(pod):
            ended = (container.get("lastState") or {}).get("terminated") or container["state"].get("terminated")
            if container.get("ready") or not ended or ended.get("exitCode") == 0:
                continue
            crashes = container.get("restartCount", 0) + ("terminated" in container["state"])
            out_of_memory = ended.get("reason") == "OOMKilled"
            word = "OOMKilled" if out_of_memory else "CrashLoopBackOff"
            said = str(ended.get("message", "")).strip()
            yield Finding(
                Reason(
                    code="out_of_memory" if out_of_memory else _crash_code(said),
                    message=f"{part_of(pod)} pod failed to start: {word}",
                    hint="Give it more memory: choose a larger plan, then retry."
                    if out_of_memory
                    else "Read the last lines of its log below; correct what they name, then retry.",
                    who=OWNER if out_of_memory else ADMIN,
                    evidence=[
                        _line(pod, f"exit code {ended.get('exitCode')}", f"{crashes} times"),
                        *said.splitlines()[-10:],
                    ],
                ),
                lasting=crashes >= _CRASHES_UNTIL_HOPELESS and "running" not in container["state"],
                **_which(pod),
            )


def _crash_code(said: str) -> str:
    return "migration_failed" if "storefleet: failed: migration" in said else "crash_loop"


def _configuration(objects: Sequence[Obj]) -> Iterator[Finding]:
    for pod, container in _waiting(objects):
        waiting = container["state"]["waiting"]
        if waiting.get("reason") in _CONFIG_REASONS:
            yield Finding(
                Reason(
                    code="container_config",
                    message=f"{part_of(pod)} pod failed to start: {waiting['reason']}",
                    hint="The container refers to something that is not there; the evidence names it. Then retry.",
                    evidence=[_line(pod, waiting["reason"], str(waiting.get("message", "")))],
                ),
                lasting=False,
            )


def _unschedulable(objects: Sequence[Obj]) -> Iterator[Finding]:
    for pod in of_kind(objects, "Pod"):
        scheduled = condition(pod, "PodScheduled")
        if scheduled and scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
            said = str(scheduled.get("message", ""))
            short = re.search(r"Insufficient ([\w./-]*\w)", said)
            what = f"not enough {short[1]}" if short else "no node takes it"
            yield Finding(
                Reason(
                    code="unschedulable",
                    message=f"{part_of(pod)} pod cannot be placed: {what}",
                    hint="Add a node, delete stores, or choose a smaller plan; this goes on by itself.",
                    evidence=[_line(pod, "Unschedulable", said)],
                ),
                lasting=False,
            )


def _refused(objects: Sequence[Obj]) -> Iterator[Finding]:
    """Pods or claims that the API server does not let in: quota, Pod Security, limits."""
    for event in of_kind(objects, "Event"):
        if event.get("reason") not in ("FailedCreate", "ReplicaSetCreateError") or event.get("type") != "Warning":
            continue
        said = str(event.get("message", ""))
        quota = "exceeded quota" in said
        if quota or "forbidden" in said:
            yield Finding(
                Reason(
                    code="quota_exceeded" if quota else "forbidden",
                    message="The store's quota does not allow its pods"
                    if quota
                    else "The cluster refuses the store's pods",
                    who=OWNER if quota else ADMIN,
                    hint="Choose a larger plan, then retry."
                    if quota
                    else "The evidence names the rule that refuses them.",
                    evidence=[said],
                ),
                # A rolling update may pass a full quota when the old pod goes.
                lasting=False,
            )


def _volumes(objects: Sequence[Obj]) -> Iterator[Finding]:
    for claim in of_kind(objects, "PersistentVolumeClaim"):
        if (claim.get("status") or {}).get("phase") != "Pending":
            continue
        for event in of_kind(objects, "Event"):
            if event.get("reason") not in ("FailedBinding", "ProvisioningFailed"):
                continue
            if event["involvedObject"].get("name") != claim["metadata"]["name"]:
                continue
            said = str(event.get("message", ""))
            classless = "no storage class is set" in said or ("storageclass" in said and "not found" in said)
            yield Finding(
                Reason(
                    code="volume_not_bound",
                    message="PostgreSQL volume is not provided"
                    + (": no storage class" if classless else f": {event['reason']}"),
                    hint="Set a default storage class in the cluster, or name one in the store values; then retry.",
                    evidence=[_line(claim, event["reason"], said)],
                ),
                lasting=classless,
            )


def _mounts(objects: Sequence[Obj]) -> Iterator[Finding]:
    pods = {pod["metadata"]["name"]: pod for pod in of_kind(objects, "Pod")}
    for event in of_kind(objects, "Event"):
        pod = pods.get(event["involvedObject"].get("name", ""))
        started = pod and (pod.get("status") or {}).get("phase") != "Pending"
        if (
            pod
            and not started
            and event.get("reason") in ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
        ):
            yield Finding(
                Reason(
                    code="pod_not_started",
                    message=f"{part_of(pod)} pod failed to start: {event['reason']}",
                    hint="The node reports a problem of its own; the evidence names it. It is tried again by itself.",
                    evidence=[_line(pod, event["reason"], str(event.get("message", "")))],
                ),
                lasting=False,
            )


RULES = (_images, _crashes, _configuration, _volumes, _unschedulable, _refused, _mounts)
"""In the order in which they tell most."""


def _is_of_this_attempt(event: Obj, objects: Sequence[Obj], since: datetime) -> bool:
    """The cluster's times are whole seconds: in the second of the beginning, only what concerns new objects counts."""
    begun, uid = since.replace(microsecond=0), event["involvedObject"].get("uid")
    subject = next((obj for obj in objects if obj["metadata"]["uid"] == uid), None)
    is_new = subject is not None and time_of(subject["metadata"]["creationTimestamp"]) >= begun
    return _last_seen(event) >= (begun if is_new else since)


def _last_seen(event: Obj) -> datetime:
    series = (event.get("series") or {}).get("lastObservedTime")
    when = series or event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
    return time_of(str(when))


def _containers(pod: Obj) -> list[Obj]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _waiting(objects: Sequence[Obj]) -> Iterator[tuple[Obj, Obj]]:
    """(pod, container status) of every container that waits."""
    for pod in of_kind(objects, "Pod"):
        for container in _containers(pod):
            if container.get("state", {}).get("waiting"):
                yield pod, container


def _warnings(objects: Sequence[Obj], subject: Obj) -> list[str]:
    """What warning events say of `subject`, newest last, at most three."""
    events = sorted((event for event in _events_of(objects, subject) if event.get("type") == "Warning"), key=_last_seen)
    return [_line(subject, str(event.get("reason")), str(event.get("message", ""))) for event in events[-3:]]


def _events_of(objects: Sequence[Obj], subject: Obj) -> list[Obj]:
    uid = subject["metadata"]["uid"]
    return [event for event in of_kind(objects, "Event") if event["involvedObject"].get("uid") == uid]


def _line(obj: Obj, word: str, said: str) -> str:
    return f"{reference(obj)} {word}: {said}".rstrip(": ")[:500]
