"""Why a pod that has its node does not run: its images, its containers, its probes."""

import re
from collections.abc import Iterator, Sequence

from provisioning.cluster import Obj
from provisioning.failures import causes
from provisioning.failures.cause import Cause
from provisioning.failures.logs import cause_of, telling_lines
from provisioning.failures.reading import (
    containers,
    counted,
    events_of,
    last_seen,
    line,
    living_pods,
    names_of,
    part_of,
    said,
    specified,
    time_of,
    times,
    waiting,
    warnings,
)
from provisioning.failures.reason import Finding

_PULL_REASONS = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
_START_REASONS = frozenset({"CreateContainerError", "RunContainerError"})

# What a registry or a node says, and the cause; the first that fits counts.
_PULL_CAUSES = (
    (re.compile(r"InvalidImageName|invalid reference format|couldn't parse image name", re.I), causes.IMAGE_NAME),
    (
        re.compile(r"unauthorized|authentication required|\bdenied\b|403 Forbidden|no basic auth", re.I),
        causes.IMAGE_UNAUTHORISED,
    ),
    (
        re.compile(r"\blookup \S|no such host|no route to host|network is unreachable", re.I),
        causes.REGISTRY_UNREACHABLE,
    ),
    (
        re.compile(
            r"not found|manifest unknown|name unknown|does not exist|ErrImageNeverPull|no match for "
            r"platform",
            re.I,
        ),
        causes.IMAGE_MISSING,
    ),
    (
        re.compile(
            r"i/o timeout|connection refused|connection reset|TLS handshake"
            r"|toomanyrequests|429 Too Many|50[0234] |deadline exceeded|temporary failure|\bEOF\b"
            r"|RegistryUnavailable",
            re.I,
        ),
        causes.REGISTRY_AWAY,
    ),
)
_FAILURES_OF_A_SLOW_START = 15
_KILLED_BY_PROBE = re.compile(r"Container (\S+) failed (liveness|startup) probe")
_PROBE = re.compile(
    r"(Readiness|Liveness|Startup) probe (?:failed|errored)(?: and resulted in \w+ state)?:\s*(.*)", re.S
)
_TOO_LITTLE_TO_START = re.compile(r"OOM-killed|memory limit too low|cannot allocate memory")


def images(objects: Sequence[Obj]) -> Iterator[Finding]:
    for pod, container in waiting(objects):
        why = container["state"]["waiting"]
        if why.get("reason") not in _PULL_REASONS:
            continue
        lines = [line(pod, why["reason"], str(why.get("message", ""))), *warnings(objects, pod, "Failed")]
        cause = _cause_of_pull("\n".join(lines))
        # The first refusal may be a hiccup; the kubelet's back-off means that it tried and goes on trying.
        lasting = False if why["reason"] == "ErrImagePull" else None
        yield cause.found(
            f"{part_of(pod)} pod failed to start: {why['reason']}",
            lines,
            _names(pod, container),
            tries=_pulls(objects, pod),
            lasting=lasting,
            pod=pod,
        )


def _cause_of_pull(words: str) -> Cause:
    return next((cause for pattern, cause in _PULL_CAUSES if pattern.search(words)), causes.IMAGE_PULL)


def _pulls(objects: Sequence[Obj], pod: Obj) -> int:
    """How often the kubelet tried to pull an image of `pod`."""
    return max((times(event) for event in events_of(objects, pod) if event.get("reason") == "Pulling"), default=0)


def crashes(objects: Sequence[Obj]) -> Iterator[Finding]:
    for pod in living_pods(objects):
        for container in containers(pod):
            state = container.get("state") or {}
            ended = (container.get("lastState") or {}).get("terminated") or state.get("terminated")
            backing_off = (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff"
            if container.get("ready") or not ended or (ended.get("exitCode") == 0 and not backing_off):
                continue
            if not _killed_by_probe(objects, pod, container):
                yield _crash(pod, container, ended)


def _crash(pod: Obj, container: Obj, ended: Obj) -> Finding:
    state, name = container.get("state") or {}, str(container.get("name", ""))
    number = container.get("restartCount", 0) + ("terminated" in state)
    last_words = str(ended.get("message", "")).strip()
    failed = f"{part_of(pod)} pod failed to start"
    how = f"exit code {ended.get('exitCode')}, {counted(number, 'time')}"
    if ended.get("reason") == "OOMKilled" or _TOO_LITTLE_TO_START.search(last_words):
        cause, message = causes.OUT_OF_MEMORY, f"{failed}: OOMKilled"
        how = f"OOMKilled at the memory limit {_memory_limit(pod, name)}, {counted(number, 'time')}"
    elif ended.get("reason") in ("StartError", "ContainerCannotRun"):
        cause, message = causes.BAD_COMMAND, f"{failed}: {ended['reason']}"
    else:
        cause, word = cause_of(last_words)
        message = f"{failed}: {word or 'CrashLoopBackOff'}"
    return cause.found(
        message,
        [line(pod, f"container {name}", how), *telling_lines(last_words)],
        _names(pod, container),
        tries=0 if "running" in state else number,
        pod=pod,
    )


def _names(pod: Obj, container: Obj) -> dict[str, str]:
    return {**names_of(pod), "image": str(container.get("image", ""))}


def _memory_limit(pod: Obj, container: str) -> str:
    return str(((specified(pod, container).get("resources") or {}).get("limits") or {}).get("memory", "none"))


def configuration(objects: Sequence[Obj]) -> Iterator[Finding]:
    for pod, container in waiting(objects):
        why = container["state"]["waiting"]
        reason, words = str(why.get("reason", "")), str(why.get("message", ""))
        if reason == "CreateContainerConfigError":
            cause, message = causes.CONTAINER_CONFIG, f"{part_of(pod)} pod failed to start: {words or reason}"
        elif reason in _START_REASONS and _TOO_LITTLE_TO_START.search(words):
            cause, message = causes.OUT_OF_MEMORY, f"{part_of(pod)} pod failed to start: OOMKilled"
            words += f" (memory limit {_memory_limit(pod, container['name'])})"
        elif reason in _START_REASONS:
            cause, message = causes.BAD_COMMAND, f"{part_of(pod)} pod failed to start: {reason}"
        else:
            continue
        yield cause.found(
            message,
            [line(pod, reason, words)],
            _names(pod, container),
            tries=container.get("restartCount", 0),
            pod=pod,
        )


def mounts(objects: Sequence[Obj]) -> Iterator[Finding]:
    """What keeps a pod from its first container; a pod that runs has overcome it."""
    for pod in living_pods(objects):
        if (pod.get("status") or {}).get("phase") != "Pending" or not _is_only_being_created(pod):
            continue
        reasons = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume")
        event = next((each for each in reversed(events_of(objects, pod)) if each.get("reason") in reasons), None)
        if event is not None:
            yield causes.POD_NOT_STARTED.found(
                f"{part_of(pod)} pod failed to start: {event['reason']}",
                [line(pod, event["reason"], said(event))],
                names_of(pod),
            )


def _is_only_being_created(pod: Obj) -> bool:
    reasons = {((each.get("state") or {}).get("waiting") or {}).get("reason") for each in containers(pod)}
    return reasons <= {"ContainerCreating", "PodInitializing"}


def probes(objects: Sequence[Obj]) -> Iterator[Finding]:
    """A container that runs and does not answer; while it starts, only if that takes unusually long."""
    for pod in living_pods(objects):
        for container in containers(pod):
            state = container.get("state") or {}
            if container.get("ready"):
                continue
            if kind := _killed_by_probe(objects, pod, container):
                message = f"{part_of(pod)} pod is restarted: its {kind} probe fails"
                yield _probe(causes.PROBE_FAILING, message, objects, pod, kind)
            elif "running" in state and container.get("started"):
                yield _probe(causes.PROBE_FAILING, f"{part_of(pod)} pod is not ready", objects, pod, "readiness")
            elif "running" in state and _starts_slowly(objects, pod, state["running"]):
                yield _probe(causes.STARTING_SLOWLY, f"{part_of(pod)} pod is still starting", objects, pod, "startup")


def _probe(cause: Cause, message: str, objects: Sequence[Obj], pod: Obj, kind: str) -> Finding:
    lines = [each for each in warnings(objects, pod, "Unhealthy") if f" {kind} probe" in each.lower()]
    answer = _PROBE.search(lines[-1]) if lines else None
    told = f": {kind} probe failed: {answer[2]}" if answer else ""
    return cause.found(message + told, lines or [line(pod, "condition", "Ready is False")], names_of(pod))


def _killed_by_probe(objects: Sequence[Obj], pod: Obj, container: Obj) -> str:
    """Which probe had the kubelet end the container's last run: "liveness", "startup" or ""."""
    if not container.get("restartCount"):
        return ""
    ended = (container.get("lastState") or {}).get("terminated") or {}
    for event in reversed(events_of(objects, pod)):
        match = _KILLED_BY_PROBE.search(said(event)) if event.get("reason") == "Killing" else None
        if match and match[1] == container.get("name"):
            begun = ended.get("startedAt")
            return match[2] if not begun or last_seen(event) >= time_of(begun) else ""
    return ""


def _starts_slowly(objects: Sequence[Obj], pod: Obj, running: Obj) -> bool:
    begun = time_of(running["startedAt"]) if running.get("startedAt") else None
    failures = [
        times(event)
        for event in events_of(objects, pod)
        if said(event).startswith("Startup probe") and (begun is None or last_seen(event) >= begun)
    ]
    return sum(failures) >= _FAILURES_OF_A_SLOW_START
