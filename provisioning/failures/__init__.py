"""Why a store does not come up, or is not well any more: from what the cluster shows to a reason to act on.

Pure.  Each rule looks at the store's objects and names the causes that it sees; the most telling is told.  A `lasting`
cause will not pass by itself, so the store fails at once; any other is what the store waits for, what a time-out names,
and what a READY store is degraded by.

A finding speaks of now: an event counts only while what it speaks of is still so (the claim still pending, the pod
still not running), and only if it is of this attempt.  So what is only history is no finding.

    cause        what is known of a cause, and how a rule says that it saw it
    causes       every cause, as data: who can mend it, what to try (docs/failures.md is made of it)
    reading      how objects are read, and their words made fit to be shown
    pods, placement, volumes, refusals, logs, front_door
                 the rules, by what they look at
    steps        what the failure of a step of ours means
"""

from collections.abc import Sequence
from datetime import datetime

from provisioning.cluster import Obj
from provisioning.failures.external_secrets import external_secrets
from provisioning.failures.placement import evictions, lost_nodes, unschedulable
from provisioning.failures.pods import configuration, crashes, images, mounts, probes
from provisioning.failures.reading import PARTS, condition, last_seen, made_at, of_kind, part_of, reference, time_of
from provisioning.failures.reason import ADMIN, OWNER, Finding, Reason, nearer, timed_out
from provisioning.failures.refusals import leaving_namespace, pods_refused, trouble_with
from provisioning.failures.volumes import claims

__all__ = [
    "ADMIN",
    "OWNER",
    "PARTS",
    "RULES",
    "Finding",
    "Reason",
    "condition",
    "diagnose",
    "nearer",
    "of_kind",
    "part_of",
    "reference",
    "time_of",
    "timed_out",
    "trouble_with",
]

RULES = (
    leaving_namespace,
    claims,
    images,
    crashes,
    external_secrets,
    configuration,
    evictions,
    lost_nodes,
    pods_refused,
    unschedulable,
    mounts,
    probes,
)
"""In the order in which they tell most."""


def diagnose(objects: Sequence[Obj], since: datetime) -> Finding | None:
    """The most telling cause among a store's objects; a lasting one before a passing one; None where all is well.

    Events from before `since` speak of an earlier attempt and do not count.
    """
    objects = [obj for obj in objects if obj["kind"] != "Event" or _is_of_this_attempt(obj, objects, since)]
    objects.sort(key=_rank)
    findings = [finding for rule in RULES for finding in rule(objects)]
    return next((finding for finding in findings if finding.lasting), findings[0] if findings else None)


def _rank(obj: Obj) -> tuple[int, str]:
    """The database before what needs it, and always the same order, so that the same store tells the same cause."""
    return list(PARTS.values()).index(part_of(obj)) if part_of(obj) in PARTS.values() else len(PARTS), reference(obj)


def _is_of_this_attempt(event: Obj, objects: Sequence[Obj], since: datetime) -> bool:
    """The cluster's times are whole seconds: in the second of the beginning, only what concerns new objects counts."""
    begun, uid = since.replace(microsecond=0), event["involvedObject"].get("uid")
    subject = next((obj for obj in objects if obj["metadata"]["uid"] == uid), None)
    is_new = subject is not None and made_at(subject) >= begun
    return last_seen(event) >= (begun if is_new else since)
