"""What the API server does not let in, by its own words: the same words come as events, as answers and from Helm."""

import re
from collections.abc import Callable, Iterator, Sequence

from provisioning.cluster import Obj
from provisioning.failures import causes
from provisioning.failures.reading import condition, events_of, last_seen, line, names_of, of_kind, part_of, said
from provisioning.failures.reason import Finding
from provisioning.quantities import quantity

_QUOTA = re.compile(r"exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+)")
_UNSPECIFIED = re.compile(r"failed quota: (\S+): must specify (.+)")
_POD_SECURITY = re.compile(r'violates PodSecurity "([^":]+)[^"]*": (.+)', re.S)
_LIMIT_RANGE = re.compile(
    r"((?:maximum|minimum) \S+ usage per \S+ is [^\s,]+[,.] ?(?:but (?:limit|request) is \S+|No (?:limit|request) is "
    r"specified)|\S+ max limit to request ratio per \S+ is \S+, but provided ratio is \S+)"
)
_RBAC = re.compile(
    r'User "([^"]+)" cannot (\w+) resource "([^"]+)"(?: in API group "[^"]*")?(?: in the namespace "([^"]+)")?'
)
_WEBHOOK_DENIED = re.compile(r'admission webhook "([^"]+)" denied the request(?: without explanation|: (.+))', re.S)
_POLICY_DENIED = re.compile(r"ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request: (.+)", re.S)
_WEBHOOK_AWAY = re.compile(r'failed calling webhook "([^"]+)": (.+)', re.S)
_LEAVING = re.compile(r"because it is being terminated")
_AWAY = re.compile(
    r"does not answer|cluster unreachable|connection refused|connection reset|i/o timeout|no such host|TLS handshake"
    r"|client connection lost|server is currently unable|etcdserver: |unexpected EOF|broke: |broke off: "
    r"|client rate limiter|context deadline exceeded",
    re.IGNORECASE,
)


def refusal_of(words: str, what: str, evidence: Sequence[str], namespace: str = "") -> Finding | None:
    """The cause behind an API server's refusal, None where it is none that is known.

    `what` is refused: "PostgreSQL pod".  `evidence`: what to show of it.
    """
    for pattern, told in _TOLD:
        if match := pattern.search(words):
            return told(match, what, evidence, namespace)
    return None


def unreachable(words: str, evidence: Sequence[str]) -> Finding | None:
    """That nobody answered, if that is what the words say."""
    if not _AWAY.search(words):
        return None
    return causes.CLUSTER_UNREACHABLE.found("The cluster does not answer", evidence)


def trouble_with(words: str) -> Finding | None:
    """The cause behind the watches' trouble, for a store that waits because of it; None where it is not known."""
    if re.search(r"\bUnauthorized\b", words):
        return causes.UNAUTHORISED.found("The cluster does not accept the platform's credentials", [words])
    return refusal_of(words, "The store", [words]) or unreachable(words, [words])


def _quota(match: re.Match[str], what: str, evidence: Sequence[str], namespace: str) -> Finding:
    asked, used, limit = (dict(pair.split("=", 1) for pair in match[number].split(",")) for number in (2, 3, 4))
    parts = [f"{name}: {asked[name]} asked, {used.get(name)} of {limit.get(name)} used" for name in asked]
    never = any(_more(asked[name], limit.get(name, "0")) for name in asked)
    message = f"{what} is refused: quota exceeded ({'; '.join(parts)})"
    return causes.QUOTA_EXCEEDED.found(message, evidence, lasting=never)


def _more(asked: str, limit: str) -> bool:
    try:
        return quantity(asked) > quantity(limit)
    except ValueError:
        return False


def _unspecified(match: re.Match[str], what: str, evidence: Sequence[str], namespace: str) -> Finding:
    return causes.QUOTA_UNSPECIFIED.found(f"{what} is refused: the quota {match[1]} wants {match[2]}", evidence)


def _limit_range(match: re.Match[str], what: str, evidence: Sequence[str], namespace: str) -> Finding:
    return causes.LIMIT_RANGE.found(f"{what} is refused: {match[1].rstrip(', .')}", evidence, {"namespace": namespace})


def _pod_security(match: re.Match[str], what: str, evidence: Sequence[str], namespace: str) -> Finding:
    # "runAsNonRoot != true (pod or container "x" must set ...), seccompProfile (...)": the rules without the details.
    rules = re.sub(r" \((?:[^()]|\([^()]*\))*\)", "", match[2])
    return causes.POD_SECURITY.found(f"{what} is refused: Pod Security {match[1]}: {rules}", evidence)


def _webhook_denied(match: re.Match[str], what: str, evidence: Sequence[str], namespace: str) -> Finding:
    return causes.ADMISSION_DENIED.found(f"{what} is refused by {match[1]}: {match[2] or 'no reason given'}", evidence)


def _policy_denied(match: re.Match[str], what: str, evidence: Sequence[str], namespace: str) -> Finding:
    return causes.ADMISSION_DENIED.found(f"{what} is refused by {match[1]}: {match[2]}", evidence)


def _webhook_away(match: re.Match[str], what: str, evidence: Sequence[str], namespace: str) -> Finding:
    message = f"{what} is held up: the admission webhook {match[1]} does not answer"
    return causes.WEBHOOK_AWAY.found(message, evidence)


def _rbac(match: re.Match[str], what: str, evidence: Sequence[str], namespace: str) -> Finding:
    user, verb, resource, where = match.groups()
    message = f"The platform is not permitted to {verb} {resource}" + (f" in {where}" if where else "")
    names = {"verb": verb, "resource": resource, "user": user}
    return causes.PERMISSION_DENIED.found(message, evidence, names)


def _leaving(match: re.Match[str], what: str, evidence: Sequence[str], namespace: str) -> Finding:
    return causes.NAMESPACE_LEAVING.found("The store's namespace is being deleted", evidence, {"namespace": namespace})


_Told = Callable[[re.Match[str], str, Sequence[str], str], Finding]
_TOLD: tuple[tuple[re.Pattern[str], _Told], ...] = (
    (_LEAVING, _leaving),
    (_QUOTA, _quota),
    (_UNSPECIFIED, _unspecified),
    (_POD_SECURITY, _pod_security),
    (_LIMIT_RANGE, _limit_range),
    (_WEBHOOK_DENIED, _webhook_denied),
    (_POLICY_DENIED, _policy_denied),
    (_WEBHOOK_AWAY, _webhook_away),
    (_RBAC, _rbac),
)


def pods_refused(objects: Sequence[Obj]) -> Iterator[Finding]:
    """Workloads whose pods or claims do not get in.

    A Deployment says so in a condition, and its ReplicaSet (which is not watched) in events; a StatefulSet in events
    only.  Either counts only while pods are missing.  What was said before this attempt may only be waiting for its
    next try: it is told, but it is no cause to give up.
    """
    for workload in of_kind(objects, "StatefulSet"):
        if _lacks_pods(workload):
            events = [event for event in events_of(objects, workload) if event.get("reason") == "FailedCreate"]
            if events:
                yield _refused(workload, said(events[-1]), fresh=True)
    for workload in of_kind(objects, "Deployment"):
        failed = condition(workload, "ReplicaFailure")
        if not failed or failed.get("status") != "True":
            continue
        events = [event for event in of_kind(objects, "Event") if _is_of_replica_set(event, workload)]
        words = said(max(events, key=last_seen)) if events else str(failed.get("message", ""))
        yield _refused(workload, words, fresh=bool(events))


def _refused(workload: Obj, words: str, *, fresh: bool) -> Finding:
    part, evidence = part_of(workload), [line(workload, "FailedCreate", words)]
    what = f"{part} volume" if "persistentvolumeclaims" in words.lower() or "create Claim" in words else f"{part} pod"
    names = names_of(workload)
    finding = refusal_of(words, what, evidence, names["namespace"])
    if finding is None:
        finding = causes.FORBIDDEN.found(f"{what} cannot be created: FailedCreate", evidence)
    return Finding(finding.reason, finding.lasting and fresh)


def _lacks_pods(workload: Obj) -> bool:
    return int((workload.get("status") or {}).get("replicas", 0)) < int(workload["spec"].get("replicas", 1))


def _is_of_replica_set(event: Obj, deployment: Obj) -> bool:
    subject = event["involvedObject"]
    named = str(subject.get("name", "")).rpartition("-")[0] == deployment["metadata"]["name"]
    return subject.get("kind") == "ReplicaSet" and named and event.get("reason") == "FailedCreate"


def leaving_namespace(objects: Sequence[Obj]) -> Iterator[Finding]:
    for namespace in of_kind(objects, "Namespace"):
        if not namespace["metadata"].get("deletionTimestamp"):
            continue
        conditions = (namespace.get("status") or {}).get("conditions") or []
        held = [str(each.get("message", "")) for each in conditions if each.get("status") == "True"]
        when = namespace["metadata"]["deletionTimestamp"]
        name = str(namespace["metadata"]["name"])
        yield causes.NAMESPACE_LEAVING.found(
            "The store's namespace is being deleted",
            [line(namespace, "Terminating", f"deleted at {when}"), *held],
            {"namespace": name},
        )
