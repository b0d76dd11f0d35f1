"""metrics.k8s.io as a metrics server serves it, with figures that are made up and say so.

What a container uses follows from its image (`behaviour`), how long it runs, and a little noise that is the same for
the same moment, so that a curve is a curve: much CPU at its start, little afterwards, memory that grows and then stays.
"""

import hashlib
import math
from datetime import UTC, datetime

from provisioning.sandbox.behaviour import behaviour_of
from provisioning.sandbox.objects import Obj, labels_of, name_of, namespace_of, parse_time

GROUP = "metrics.k8s.io"
SIMULATED = "sandbox.storefleet.dev/simulated"
_WINDOW = 15  # seconds


def pod_metrics(pod: Obj) -> Obj | None:
    """The PodMetrics of a pod; None while none of its containers runs."""
    at = datetime.now(UTC).replace(microsecond=0)
    images = {each["name"]: each["image"] for each in pod["spec"]["containers"]}
    containers = []
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        started = (status.get("state") or {}).get("running", {}).get("startedAt")
        if started:
            seconds = max(0.0, (at - parse_time(started)).total_seconds())
            cores, size = _use(images[status["name"]], pod["metadata"]["uid"], seconds)
            usage = {"cpu": f"{round(cores * 1e9)}n", "memory": f"{round(size / 1024)}Ki"}
            containers.append({"name": status["name"], "usage": usage})
    if not containers:
        return None
    return {
        "kind": "PodMetrics",
        "apiVersion": f"{GROUP}/v1beta1",
        "metadata": {
            "name": name_of(pod),
            "namespace": namespace_of(pod),
            "creationTimestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "labels": labels_of(pod),
            "annotations": {SIMULATED: "true"},
        },
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "window": f"{_WINDOW}s",
        "containers": containers,
    }


def _use(image: str, uid: str, seconds: float) -> tuple[float, float]:
    """(cores, bytes) that a container uses so long after its start."""
    behaviour = behaviour_of(image)
    noise = int(hashlib.sha256(f"{uid}{int(seconds / _WINDOW)}".encode()).hexdigest()[:6], 16) / 0xFFFFFF
    wave = math.sin(seconds / 47 + noise)
    cores = behaviour.cores * (0.6 + 1.3 * noise + 0.25 * wave) + 0.8 * math.exp(-seconds / 6)
    size = behaviour.memory * (1 - 0.45 * math.exp(-seconds / 25) + 0.02 * wave + 0.015 * noise)
    return max(cores, 0.0005), size
