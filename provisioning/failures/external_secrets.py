"""Why a Secret that an external secret store is to make is not there."""

from collections.abc import Iterator, Sequence

from provisioning.cluster import Obj
from provisioning.failures import causes
from provisioning.failures.reading import last_seen, line, names_of, of_kind
from provisioning.failures.reason import Finding
from provisioning.release import TYPE

MARK = "storefleet.dev/secrets"
"""The annotation of a shop whose Secret is made elsewhere."""


def external_secrets(objects: Sequence[Obj]) -> Iterator[Finding]:
    """The shop is there and its Secret is not; the words are those of the operator that should have made it."""
    made = any(obj.get("type") != TYPE for obj in of_kind(objects, "Secret"))
    for shop in of_kind(objects, "Deployment"):
        if made or (shop["metadata"].get("annotations") or {}).get(MARK) != "external":
            continue
        said = [
            event
            for event in of_kind(objects, "Event")
            if event["involvedObject"].get("kind") == "ExternalSecret" and event.get("type") == "Warning"
        ]
        said.sort(key=last_seen)
        last = str(said[-1].get("message", "")) if said else "there is no Secret yet"
        evidence = [_words(each) for each in said[-3:]]
        yield causes.EXTERNAL_SECRET.found(f"External secret not synced: {last}"[:300], evidence, names_of(shop))


def _words(event: Obj) -> str:
    about = {"kind": "ExternalSecret", "metadata": {"name": str(event["involvedObject"].get("name", ""))}}
    return line(about, str(event.get("reason", "")), str(event.get("message", "")))
