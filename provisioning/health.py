"""How a store is that came up once: well, or degraded by what cause.  Pure, and derived anew at every look.

READY is what a person was told once; health is what the cluster shows now.  A cause that goes away takes its trace
along: nothing of this is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from provisioning.cluster import Obj
from provisioning.decide import Presence
from provisioning.failures import Reason, causes, diagnose, of_kind
from provisioning.observe import presence_of, waiting_for


class Health(StrEnum):
    """Of a READY store; others have none."""

    OK = "ok"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"  # the cluster does not tell at the moment


@dataclass(frozen=True)
class Condition:
    """What there is to know of a store besides its state.  `reason`: why it is degraded, or what it waits for."""

    health: Health | None = None
    reason: Reason | None = None


def health(objects: Sequence[Obj], since: datetime) -> Condition:
    """The health of a READY store, `objects` being all that is known of its namespace; `since`: when it was READY."""
    if presence_of(of_kind(objects, "Namespace")) is not Presence.THERE:
        message = "The store's namespace was deleted from outside: the shop is set up anew"
        return Condition(Health.DEGRADED, causes.NAMESPACE_LOST.found(message, []).reason)
    finding = diagnose(objects, since)
    if finding is not None:
        return Condition(Health.DEGRADED, finding.reason)
    if what := waiting_for(objects):
        return Condition(Health.DEGRADED, causes.NOT_READY.found(f"Waiting for {what}", []).reason)
    return Condition(Health.OK)
