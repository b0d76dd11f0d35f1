"""What the API server's audit log says of who did what (JSON lines; level Metadata is enough)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OF_OURS = (b"storefleet", b'"Helm/')  # a line without one of these is nobody's that we ask for


@dataclass(frozen=True)
class Call:
    """One request, as far as a role is concerned with it."""

    user: str
    agent: str
    verb: str
    group: str
    resource: str  # "pods/log"
    namespace: str
    forbidden: bool

    @property
    def right(self) -> tuple[str, str, str]:
        return self.group, self.resource, self.verb


def calls(log: Path) -> set[Call]:
    """Every different call in the log and in those that it was rotated into; nobody's who acted as somebody else."""
    found: set[Call] = set()
    for file in sorted(log.parent.glob(f"{log.stem}*{log.suffix}")):
        with file.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n") and any(word in line for word in OF_OURS):
                    found.update(_calls(json.loads(line)))
    return found


def _calls(event: dict[str, Any]) -> Iterator[Call]:
    of = event.get("objectRef")
    if of is None or "impersonatedUser" in event:
        return
    verbs = [event["verb"]]
    # A server-side apply of what is not there needs the right to create it, too.
    if event["verb"] == "patch" and (event.get("responseStatus") or {}).get("code") == 201:
        verbs.append("create")
    for verb in verbs:
        yield Call(
            user=event["user"].get("username", ""),
            agent=event.get("userAgent", ""),
            verb=verb,
            group=of.get("apiGroup", ""),
            resource="/".join(filter(None, (of["resource"], of.get("subresource", "")))),
            namespace=of.get("namespace", ""),
            forbidden=(event.get("annotations") or {}).get("authorization.k8s.io/decision") == "forbid",
        )
