"""Why a pod has no node, or loses it: no room, a rule that keeps it off, an eviction, a node that is gone."""

import re
from collections.abc import Callable, Iterator, Sequence

from provisioning.cluster import Obj
from provisioning.failures import causes
from provisioning.failures.cause import Cause
from provisioning.failures.reading import (
    condition,
    counted,
    is_true,
    line,
    living_pods,
    names_of,
    of_kind,
    part_of,
    said,
    warnings,
)
from provisioning.failures.reason import Finding

_NODES = re.compile(r"\d+/(\d+) nodes are available")


def _asked(pod: Obj, resource: str) -> str:
    """How much of a resource the pod's containers ask for, as the spec has it."""
    spec = (pod.get("spec") or {}).get("containers") or []
    asked = [((each.get("resources") or {}).get("requests") or {}).get(resource) for each in spec]
    return " + ".join(str(each) for each in asked if each) or "none"


def _selected(pod: Obj) -> str:
    selector = (pod.get("spec") or {}).get("nodeSelector") or {}
    return ", ".join(f"{key}={value}" for key, value in selector.items()) or "its affinity"


# The scheduler's words, the cause, and what to say of it, most telling first.
_WORDS: tuple[tuple[re.Pattern[str], Cause, Callable[[Obj, re.Match[str]], str]], ...] = (
    (
        re.compile(r"Insufficient ([\w./-]*\w)"),
        causes.UNSCHEDULABLE_ROOM,
        lambda pod, found: f"not enough {found[1]} (asks for {_asked(pod, found[1])})",
    ),
    (re.compile(r"Too many pods"), causes.UNSCHEDULABLE_ROOM, lambda pod, found: "no room for one more pod"),
    (
        re.compile(r"exceed max volume count"),
        causes.UNSCHEDULABLE_ROOM,
        lambda pod, found: "no room for one more volume",
    ),
    (
        re.compile(r"volume node affinity conflict|didn't find available persistent volumes to bind"),
        causes.UNSCHEDULABLE_RULE,
        lambda pod, found: "its volume is not where the free nodes are",
    ),
    (
        re.compile(r"untolerated taint(?:\(s\))? \{?(node\.kubernetes\.io/(?:not-ready|unreachable))"),
        causes.NODE_LOST,
        lambda pod, found: "no node answers",
    ),
    (
        re.compile(r"didn't match Pod's node affinity/selector"),
        causes.UNSCHEDULABLE_RULE,
        lambda pod, found: f"no node has the labels that it selects ({_selected(pod)})",
    ),
    (
        re.compile(r"untolerated taint(?:\(s\))?(?: \{([^}]*?):? ?\})?"),
        causes.UNSCHEDULABLE_RULE,
        lambda pod, found: "the taint " + (found[1] or "of the nodes") + " keeps it off",
    ),
    (re.compile(r"were unschedulable"), causes.UNSCHEDULABLE_RULE, lambda pod, found: "the nodes are cordoned"),
    (re.compile(r"no nodes available|0/0 nodes"), causes.UNSCHEDULABLE_ROOM, lambda pod, found: "there is no node"),
)


def unschedulable(objects: Sequence[Obj]) -> Iterator[Finding]:
    for pod in living_pods(objects):
        scheduled = condition(pod, "PodScheduled")
        if not scheduled or scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
            continue
        words = str(scheduled.get("message", ""))
        cause, what = causes.UNSCHEDULABLE_RULE, "no node takes it"
        for pattern, its_cause, told in _WORDS:
            if found := pattern.search(words):
                cause, what = its_cause, told(pod, found)
                break
        nodes = _NODES.search(words)
        on = f" on {counted(int(nodes[1]), 'node')}" if nodes else ""
        names = {**names_of(pod), "node": ""}
        message = f"{part_of(pod)} pod cannot be placed{on}: {what}"
        yield cause.found(message, [line(pod, "Unschedulable", words)], names)


_OWN_LIMIT = re.compile(
    r"exceeds the (?:total )?limit|exceeded its local ephemeral storage limit|exceeds the size limit"
)
_WHAT_WAS_EXCEEDED = re.compile(r"EmptyDir volume \"([^\"]+)\" exceeds the limit \"([^\"]+)\"")
_SHORT_OF = re.compile(r"low on resource: ([\w.-]*\w)")
_WORKLOAD = re.compile(r"-(\d+|[a-z0-9]+-[a-z0-9]{5})$")


def evictions(objects: Sequence[Obj]) -> Iterator[Finding]:
    """Pods that a node ended, by the pods or the events they left, while their workload is not whole again."""
    told = [
        (str(pod["metadata"]["name"]), str((pod.get("status") or {}).get("message", "")), str(_node_of(pod)))
        for pod in of_kind(objects, "Pod")
        if (pod.get("status") or {}).get("reason") == "Evicted"
    ]
    told += [
        (str(event["involvedObject"].get("name", "")), said(event), str((event.get("source") or {}).get("host", "")))
        for event in of_kind(objects, "Event")
        if event.get("reason") == "Evicted" and event["involvedObject"].get("kind") == "Pod"
    ]
    for workload in (*of_kind(objects, "StatefulSet"), *of_kind(objects, "Deployment")):
        own = [each for each in told if _WORKLOAD.sub("", each[0]) == workload["metadata"]["name"]]
        if not own or _is_whole(workload):
            continue
        _, words, node = own[-1]
        cause = causes.EVICTED_OWN_LIMIT if _OWN_LIMIT.search(words) else causes.EVICTED
        if exceeded := _WHAT_WAS_EXCEEDED.search(words):
            what = f"its volume {exceeded[1]} grew beyond {exceeded[2]}"
        elif short := _SHORT_OF.search(words):
            what = f"its node was short of {short[1]}"
        else:
            what = (
                "it used more disk than it may" if cause is causes.EVICTED_OWN_LIMIT else "its node was short of room"
            )
        lines = list(dict.fromkeys(f"pod/{name} Evicted: {words}" for name, words, _ in own[-3:]))
        yield cause.found(
            f"{part_of(workload)} pod was evicted: {what}",
            lines,
            {**names_of(workload), "node": node},
            tries=len(own),
        )


def _is_whole(workload: Obj) -> bool:
    wanted, status = int(workload["spec"].get("replicas", 1)), workload.get("status") or {}
    return int(status.get("readyReplicas", 0)) >= wanted


def lost_nodes(objects: Sequence[Obj]) -> Iterator[Finding]:
    """Pods whose kubelet has fallen silent: others say that they are not ready, the kubelet's own words are old."""
    for pod in of_kind(objects, "Pod"):
        status = pod.get("status") or {}
        disrupted = condition(pod, "DisruptionTarget") or {}
        silent = (
            status.get("phase") == "Running"
            and not pod["metadata"].get("deletionTimestamp")
            and is_true(pod, "ContainersReady")
            and (condition(pod, "Ready") or {}).get("status") == "False"
            and not (pod.get("spec") or {}).get("readinessGates")
        )
        leaving = pod["metadata"].get("deletionTimestamp") and disrupted.get("reason") == "DeletionByTaintManager"
        if silent or leaving or status.get("reason") == "NodeLost" or status.get("phase") == "Unknown":
            node = _node_of(pod)
            lines = warnings(objects, pod, "NodeNotReady") or [line(pod, "Ready", "False, by its node's absence")]
            if leaving:
                lines.append(line(pod, "DeletionByTaintManager", str(disrupted.get("message", ""))))
            yield causes.NODE_LOST.found(
                f"{part_of(pod)} pod is on a node that does not answer: {node}",
                lines,
                {**names_of(pod), "node": node},
            )


def _node_of(pod: Obj) -> str:
    return str((pod.get("spec") or {}).get("nodeName", ""))
