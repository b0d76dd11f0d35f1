"""Why the database has no volume, or is about to lose it."""

import re
from collections.abc import Iterator, Sequence

from provisioning.cluster import Obj
from provisioning.failures import causes
from provisioning.failures.reading import events_of, line, names_of, of_kind, part_of, reference, said
from provisioning.failures.reason import Finding

_NO_CLASS = re.compile(r"no storage class is set")
_WRONG_CLASS = re.compile(r'storageclass\S* "([^"]*)" not found')
_SPEAKING = ("FailedBinding", "ProvisioningFailed", "ExternalProvisioning", "VolumeMismatch", "ClaimMisbound")


def claims(objects: Sequence[Obj]) -> Iterator[Finding]:
    for claim in of_kind(objects, "PersistentVolumeClaim"):
        phase = (claim.get("status") or {}).get("phase")
        if claim["metadata"].get("deletionTimestamp"):
            yield from _leaving(claim, objects)
        elif phase == "Lost":
            lines = [line(claim, event["reason"], said(event)) for event in events_of(objects, claim)[-1:]]
            message = f"{part_of(claim)} volume is lost: its data is gone"
            yield causes.VOLUME_LOST.found(message, lines or [f"{reference(claim)} phase: Lost"], names_of(claim))
        elif phase == "Pending":
            yield from _pending(claim, objects)


def _pending(claim: Obj, objects: Sequence[Obj]) -> Iterator[Finding]:
    events = [event for event in events_of(objects, claim) if event.get("reason") in _SPEAKING]
    if not events:
        return
    # A failure says more than that a volume is being waited for.
    event = next((each for each in reversed(events) if each["reason"] != "ExternalProvisioning"), events[-1])
    words, missing = said(event), _WRONG_CLASS.search(said(event))
    message = f"{part_of(claim)} volume is not provided"
    if _NO_CLASS.search(words):
        cause, message = causes.VOLUME_NO_CLASS, f"{message}: no storage class"
    elif missing:
        cause, message = causes.VOLUME_WRONG_CLASS, f"{message}: there is no storage class {missing[1]}"
    elif event["reason"] == "ExternalProvisioning":
        cause, message = causes.VOLUME_NOT_PROVIDED, f"{message}: its provisioner has not come yet"
    else:
        cause, message = causes.VOLUME_NOT_PROVIDED, f"{message}: {event['reason']}"
    yield cause.found(message, [line(claim, event["reason"], words)], names_of(claim))


def _leaving(claim: Obj, objects: Sequence[Obj]) -> Iterator[Finding]:
    """Deleted by hand: it lives only as long as the pod that uses it.  Where the namespace goes, so it should."""
    if any(each["metadata"].get("deletionTimestamp") for each in of_kind(objects, "Namespace")):
        return
    when = claim["metadata"]["deletionTimestamp"]
    yield causes.VOLUME_LEAVING.found(
        f"{part_of(claim)} volume was deleted: its data is lost when the pod restarts",
        [f"{reference(claim)} Terminating: deleted at {when}"],
        names_of(claim),
    )
