"""How objects of the cluster are read: their parts, conditions, events, and their words as evidence.

What the cluster says is untrusted and may hold a secret by accident (a program that prints its connection string):
every line that is passed on goes through `clean`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from provisioning.cluster import Obj

PARTS = {"postgres": "PostgreSQL", "medusa": "Medusa"}
"""What people call the workloads of a store, by the label app.kubernetes.io/name."""

LONGEST_LINE = 1000  # characters


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


def is_true(obj: Obj, kind: str) -> bool:
    return (condition(obj, kind) or {}).get("status") == "True"


def time_of(text: str) -> datetime:
    """A Kubernetes time ("2026-01-02T03:04:05Z", with or without a fraction)."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).astimezone(UTC)


def made_at(obj: Obj) -> datetime:
    return time_of(obj["metadata"]["creationTimestamp"])


def names_of(obj: Obj) -> dict[str, str]:
    """What a hint's placeholders stand for: where an object is, and what it is called."""
    return {"namespace": str(obj["metadata"].get("namespace", "")), "name": str(obj["metadata"]["name"])}


def living_pods(objects: Iterable[Obj]) -> list[Obj]:
    """The pods that a store runs on now: without those that leave, that have ended, and Helm's own tests."""
    return [
        pod
        for pod in of_kind(objects, "Pod")
        if not pod["metadata"].get("deletionTimestamp")
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        and "helm.sh/hook" not in (pod["metadata"].get("annotations") or {})
    ]


def containers(pod: Obj) -> list[Obj]:
    """The statuses of a pod's containers, those that prepare it first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def waiting(objects: Iterable[Obj]) -> Iterator[tuple[Obj, Obj]]:
    """(pod, container status) of every container that waits."""
    for pod in living_pods(objects):
        for container in containers(pod):
            if (container.get("state") or {}).get("waiting"):
                yield pod, container


def specified(pod: Obj, container: str) -> Mapping[str, Any]:
    """What the pod's spec says of a container."""
    spec = pod.get("spec") or {}
    every = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return next((each for each in every if each.get("name") == container), {})


def events_of(objects: Iterable[Obj], subject: Obj) -> list[Obj]:
    """The events about this very object, oldest first."""
    uid = subject["metadata"]["uid"]
    found = (event for event in of_kind(objects, "Event") if event["involvedObject"].get("uid") == uid)
    return sorted(found, key=last_seen)


def warnings(objects: Iterable[Obj], subject: Obj, *reasons: str) -> list[str]:
    """What warning events (for one of `reasons`, if any are given) say of `subject`, newest last, at most three."""
    events = [
        event
        for event in events_of(objects, subject)
        if event.get("type") == "Warning" and (not reasons or event.get("reason") in reasons)
    ]
    return [line(subject, str(event.get("reason")), said(event)) for event in events[-3:]]


def last_seen(event: Obj) -> datetime:
    series = (event.get("series") or {}).get("lastObservedTime")
    when = series or event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
    return time_of(str(when))


def said(event: Obj) -> str:
    return str(event.get("message", ""))


def times(event: Obj) -> int:
    """How often an event was seen."""
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)


def line(obj: Obj, word: str, words: str) -> str:
    """One line of evidence: which object, what about it, in whose words."""
    return clean(f"{reference(obj)} {word}: {words}".rstrip(": "))


def clean(text: str) -> str:
    """`text` as it may be shown: one bounded line, no control characters, no passwords."""
    return _bounded(without_secrets(" ".join(_CONTROL.sub(" ", _COLOUR.sub("", text)).split())), LONGEST_LINE)


def log_line(text: str, longest: int) -> str:
    """As `clean`, of at most `longest` characters, its spaces kept: a log is read by how its lines are set in."""
    return _bounded(without_secrets(_CONTROL.sub(" ", _COLOUR.sub("", text).replace("\t", "    "))).rstrip(), longest)


def without_secrets(text: str) -> str:
    """`***` in place of what looks like a password, a token, or the password in a connection string."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def _bounded(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 2] + " …"


_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SECRETS = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+@", re.IGNORECASE), r"\1***@"),
    (
        re.compile(
            r"((?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|authorization|cookie)[\"']?\s*[=:]\s*[\"']?"
            r"(?:bearer\s+|basic\s+)?)[^\s\"',;&})\]]+",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    (re.compile(r"(\bpassword\s+')(?:[^']|'')*'", re.IGNORECASE), r"\1***'"),  # as SQL has it
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"), "***"),
)


def counted(number: int, noun: str) -> str:
    """ "1 node", "3 nodes"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
