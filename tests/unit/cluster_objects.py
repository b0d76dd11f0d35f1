"""Small Kubernetes objects, as the API shows them, for the tests of what is derived from them."""

from itertools import count
from typing import Any

_uids = count(1)


def obj(kind: str, name: str, *, part: str = "", at: str = "2026-01-02T12:00:00Z", **content: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": part} if part else {}
    metadata = {"name": name, "namespace": "store-shop", "uid": f"uid-{next(_uids)}", "labels": labels}
    return {"kind": kind, "metadata": {**metadata, "creationTimestamp": at, "resourceVersion": "1"}, **content}


def pod(
    name: str,
    part: str,
    *containers: dict[str, Any],
    conditions: tuple[dict[str, Any], ...] = (),
    phase: str = "Pending",
    said: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """`said`: what the pod itself says of its phase (reason, message)."""
    status = {"phase": phase, "containerStatuses": list(containers), "conditions": list(conditions), **(said or {})}
    return obj("Pod", name, part=part, status=status, **more)


def waiting(reason: str, message: str = "", image: str = "postgres:17-trixi") -> dict[str, Any]:
    return {"name": "c", "image": image, "ready": False, "state": {"waiting": {"reason": reason, "message": message}}}


def crashed(times: int, *, reason: str = "Error", code: int = 1, message: str = "", now: str = "waiting"):
    state = {"waiting": {"reason": "CrashLoopBackOff"}} if now == "waiting" else {now: {}}
    ended = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return {"name": "c", "image": "i", "ready": False, "restartCount": times, "state": state, "lastState": ended}


def running(*, ready: bool = False, started: bool = True, restarts: int = 0) -> dict[str, Any]:
    state = {"running": {"startedAt": "2026-01-02T12:00:00Z"}}
    return {"name": "c", "image": "i", "ready": ready, "started": started, "restartCount": restarts, "state": state}


def workload(kind: str, name: str, *, pods: int = 0, ready: int = 0, conditions: tuple[dict[str, Any], ...] = ()):
    status = {"replicas": pods, "readyReplicas": ready, "conditions": list(conditions)}
    return obj(kind, name, part=name, spec={"replicas": 1}, status=status)


def gone_pod(name: str) -> dict[str, Any]:
    """A pod that is there no more, for what events still say of it."""
    return obj("Pod", name)


def warning(about: dict[str, Any], reason: str, message: str, at: str = "2026-01-02T12:00:01Z") -> dict[str, Any]:
    subject = {"kind": about["kind"], "name": about["metadata"]["name"], "uid": about["metadata"]["uid"]}
    return obj(
        "Event",
        f"{about['metadata']['name']}.{reason}",
        involvedObject={**subject, "namespace": "store-shop"},
        type="Warning",
        reason=reason,
        message=message,
        firstTimestamp=at,
        lastTimestamp=at,
    )
