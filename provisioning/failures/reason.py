"""What is said of a failure: `Reason` to people, `Finding` to the engine."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

OWNER = "you, the store's owner"
ADMIN = "the platform's administrator"


@dataclass(frozen=True)
class Reason:
    """Why a store FAILED, or what it waits for; stored with the store and shown as it is.

    `evidence` holds the cluster's own words, one line each: untrusted.
    """

    code: str  # stable, for programs; see causes
    message: str  # "PostgreSQL pod failed to start: ImagePullBackOff"
    who: str = ADMIN  # who can do something about it
    hint: str = ""  # one thing to try
    evidence: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """A cause that was found, and whether waiting is pointless.

    `pod`, `pod_uid` and `since`: the pod that shows it and when that pod was made; what an older attempt left is
    replaced, not judged.
    """

    reason: Reason
    lasting: bool
    pod: str = ""
    pod_uid: str = ""
    since: datetime | None = None


def nearer(shown: Finding | None, told: Finding | None) -> Finding | None:
    """Which of two tells more: what the objects show, or what was told beside them (by a log, at the front door).

    That a probe fails says only that there is no answer; the other says why.
    """
    return told if told is not None and (shown is None or shown.reason.code == "probe_failing") else shown


def timed_out(minutes: float, waiting_for: str, inner: Finding | None) -> Reason:
    """The reason of a store that took too long: it names what it was waiting for, never only the time."""
    if inner is not None:
        return Reason(
            code="timeout",
            message=f"Not ready after {minutes:g} minutes: {inner.reason.message}",
            who=inner.reason.who,
            hint=inner.reason.hint,
            evidence=inner.reason.evidence,
        )
    return Reason(
        code="timeout",
        message=f"Not ready after {minutes:g} minutes: still waiting for {waiting_for}",
        hint="Look at the timeline for the last step that ended, then retry: the store goes on from there.",
    )
