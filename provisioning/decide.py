"""The heart: what to do next for a store, from what is wanted and what is there.

A pure function of (desired, observed, now): no I/O, no memory.  Whatever happened before, however often it is asked, it
names the one next step, so that each step may be cut off anywhere and done again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from provisioning.drift import Drift
from provisioning.failures import Finding, Reason, timed_out, trouble_with
from provisioning.failures.causes import DATABASE_REFUSES, FOREIGN_RELEASE
from provisioning.release import Release
from provisioning.rotation import Stage
from provisioning.states import State


class Presence(StrEnum):
    """What is known of a namespace."""

    ABSENT = "absent"
    THERE = "there"
    TERMINATING = "terminating"


@dataclass(frozen=True)
class Desired:
    """What the database wants of a store."""

    state: State
    since: datetime  # when it came into that state
    destroy_at: datetime | None = None  # of a deletion: not before this time
    destroying: bool = False  # a deletion that has begun to destroy
    untended: timedelta = timedelta()  # of its time in that state: when nobody was there to work on it
    pinned: bool = False  # to an earlier release, which only Helm's record can make again


@dataclass(frozen=True)
class Observed:
    """What is there of a store."""

    trouble: str = ""  # why what follows must not be acted on; "" when it may be
    namespace: Presence = Presence.ABSENT
    drift: tuple[Drift, ...] = ()  # of what the engine applies: namespace, secret, quota, limits, policies
    release: Release = Release.ABSENT
    release_at: datetime | None = None  # when it came into that state, by the cluster's clock, which may not be ours
    release_for: timedelta = timedelta()  # for how long this process has seen it so, by its own clock
    release_drift: tuple[Drift, ...] = ()  # of the objects that a deployed release made
    kept_as: int = 0  # the revision by which the wanted release can be had again; 0: none
    runner: str = ""  # on which machine the newest revision's helm ran
    lock_abandoned: bool = False  # the helm that locked the release is known to be dead
    waiting_for: str = ""  # the first part that is not ready; "" when all are
    finding: Finding | None = None  # why
    earlier_pods: frozenset[str] = frozenset()  # uids of those that were there when this attempt was first looked at
    blocked: Finding | None = None  # what the last step failed of, if it did
    held_by: tuple[str, ...] = ()  # what keeps a terminating namespace
    secrets: Stage = Stage.SETTLED  # how far new ones are
    running: bool = False  # a workload wants replicas
    stopped: bool = False  # a workload wants none


class Do(StrEnum):
    """Every step there is."""

    WAIT = "wait"
    CREATE_NAMESPACE = "create namespace"
    APPLY = "apply what is missing or was changed"
    UNLOCK = "unlock release"
    INSTALL = "install or upgrade release"
    ROLL_BACK = "roll release back"
    UNPIN = "want what the platform's chart makes: the earlier release cannot be had again"
    REPLACE_POD = "replace a pod that an earlier attempt left broken"
    MAKE_LOGIN = "make the shop's login in a database that does not know it"
    PREPARE_SECRETS = "have the database know the new secrets, and put them in force"
    RESTART_SHOP = "roll the shop out with its new secrets"
    RETIRE_SECRETS = "close the login of the secrets before"
    PROBE = "ask the shop through the ingress, mark ready if it answers"
    MARK_FAILED = "mark failed"
    START = "start what an undone deletion stopped"
    STOP = "stop what is deleted and can still be taken back"
    BEGIN_DESTRUCTION = "write down what is there, from here on there is no way back"
    UNINSTALL = "uninstall release"
    DELETE_NAMESPACE = "delete namespace"
    REMOVE = "delete volumes that remain, verify absence, remove the row"


@dataclass(frozen=True)
class Step:
    """The next step.

    `waiting_for`: what a WAIT waits for; `pod` and `pod_uid`: which REPLACE_POD; `reason`: why MARK_FAILED; `revision`:
    to which ROLL_BACK.
    """

    do: Do
    waiting_for: str = ""
    pod: str = ""
    pod_uid: str = ""
    reason: Reason | None = None
    revision: int = 0


@dataclass(frozen=True)
class Limits:
    """How long things may take."""

    provisioning: timedelta = timedelta(minutes=10)
    helm: timedelta = timedelta(seconds=60)  # of one helm command; a lock seen for longer has no owner any more
    settling: timedelta = timedelta(seconds=5)  # until the watches have told all that a new release made
    illness: timedelta = timedelta(seconds=3)  # what is mended sooner is not worth a line
    takeover: timedelta = timedelta(minutes=2)  # what is left at least to whoever takes up what another began, locked


_ROTATION = {
    Stage.MAKE_LOGIN: Do.MAKE_LOGIN,
    Stage.PREPARE: Do.PREPARE_SECRETS,
    Stage.RESTART: Do.RESTART_SHOP,
    Stage.RETIRE: Do.RETIRE_SECRETS,
}

UNMANAGED = FOREIGN_RELEASE.found("The Helm release of the store's name is somebody else's", []).reason


def decide(desired: Desired, observed: Observed, now: datetime, limits: Limits) -> Step:
    """The one next step for a store."""
    if desired.state in (State.REQUESTED, State.FAILED):
        return Step(Do.WAIT)  # for a free place; for a person
    if desired.state is State.PROVISIONING and now - desired.since - desired.untended >= limits.provisioning:
        waiting_for = observed.trouble or observed.waiting_for or "the shop to answer through the ingress"
        minutes = limits.provisioning.total_seconds() / 60
        # What is seen through a broken watch is old; the watch itself is then the cause.
        inner = trouble_with(observed.trouble) if observed.trouble else observed.finding or observed.blocked
        return Step(Do.MARK_FAILED, reason=timed_out(minutes, waiting_for, inner))
    if observed.trouble:
        return Step(Do.WAIT, waiting_for=observed.trouble)
    if desired.state is State.DELETING:
        return _towards_absence(observed, limits) if desired.destroying else _stopped(desired, observed, now)
    return _towards_presence(desired, observed, limits)


def _towards_presence(desired: Desired, observed: Observed, limits: Limits) -> Step:
    ready = desired.state is State.READY
    if not ready and observed.blocked is not None and observed.blocked.lasting:
        return Step(Do.MARK_FAILED, reason=observed.blocked.reason)
    if observed.namespace is Presence.TERMINATING:
        return Step(Do.WAIT, waiting_for="the old namespace to go")
    if observed.namespace is Presence.ABSENT:
        return Step(Do.CREATE_NAMESPACE)
    if observed.release is Release.UNMANAGED:
        return Step(Do.WAIT if ready else Do.MARK_FAILED, waiting_for=UNMANAGED.message, reason=UNMANAGED)
    if observed.drift:
        return Step(Do.APPLY)
    if observed.release is Release.LOCKED:
        return _unlock_or_wait(observed, limits)
    if observed.release in (Release.ABSENT, Release.FAILED):
        return _to_the_release(desired, observed)
    if not ready and observed.release is Release.OUT_OF_SYNC:
        return _to_the_release(desired, observed)
    if not ready and observed.stopped:
        return Step(Do.START)
    if observed.secrets is Stage.MAKE_LOGIN or (ready and observed.secrets in _ROTATION):
        return Step(_ROTATION[observed.secrets])
    if observed.release_drift and (ready or observed.release_for >= limits.settling):
        return Step(Do.APPLY)
    if ready:
        return Step(Do.WAIT)
    if observed.release_drift:  # what is seen may be from before the release: old pods, which all are well
        return Step(Do.WAIT, waiting_for="the cluster to tell what the release made")
    if (
        observed.secrets is Stage.NO_LOGIN
        and observed.finding
        and observed.finding.reason.code == DATABASE_REFUSES.code
    ):
        return Step(Do.WAIT, waiting_for=observed.waiting_for)  # until it can be told
    if observed.finding is not None and observed.finding.lasting:
        return _give_up_or_try_anew(desired, observed.finding, observed.earlier_pods)
    if observed.waiting_for:
        return Step(Do.WAIT, waiting_for=observed.waiting_for)
    return Step(Do.PROBE, waiting_for="the shop to answer through the ingress")


def _to_the_release(desired: Desired, observed: Observed) -> Step:
    """From the platform's chart, or, an earlier one, from Helm's record of it."""
    if not desired.pinned:
        return Step(Do.INSTALL)
    return Step(Do.ROLL_BACK, revision=observed.kept_as) if observed.kept_as else Step(Do.UNPIN)


def _give_up_or_try_anew(desired: Desired, finding: Finding, earlier_pods: frozenset[str]) -> Step:
    """A pod from before this attempt may only sit in its back-off, with the cause long mended.

    By what was seen and by the clocks: a process that was started in mid-attempt has seen no beginning, and the
    cluster's clock may be behind ours for as long as it likes.
    """
    begun = desired.since.replace(microsecond=0)  # the cluster's times are whole seconds: in doubt it is an old one
    if finding.pod_uid in earlier_pods and finding.since is not None and finding.since <= begun:
        return Step(Do.REPLACE_POD, pod=finding.pod, pod_uid=finding.pod_uid, waiting_for=f"a new {finding.pod}")
    return Step(Do.MARK_FAILED, reason=finding.reason)


def _stopped(desired: Desired, observed: Observed, now: datetime) -> Step:
    """While a deletion can be undone nothing is destroyed."""
    if desired.destroy_at is None or now >= desired.destroy_at:
        return Step(Do.BEGIN_DESTRUCTION)
    return Step(Do.STOP) if observed.running else Step(Do.WAIT, waiting_for="the time to undo to pass")


def _towards_absence(observed: Observed, limits: Limits) -> Step:
    """In the specified order: uninstall, namespace, claims and volumes, row."""
    if observed.namespace is Presence.THERE:
        if observed.release is Release.LOCKED:
            return _unlock_or_wait(observed, limits)
        nothing = observed.release in (Release.ABSENT, Release.UNMANAGED)
        return Step(Do.DELETE_NAMESPACE if nothing else Do.UNINSTALL)
    if observed.namespace is Presence.TERMINATING:
        return Step(Do.WAIT, waiting_for="; ".join(observed.held_by) or "the namespace to go")
    return Step(Do.REMOVE)


def _unlock_or_wait(observed: Observed, limits: Limits) -> Step:
    """A lock is broken only when no helm can be at work under it any more.

    Its date says nothing: the cluster's clock, or ours, may be wrong.  So it counts for how long we have seen it, as
    with the lease of a leader; whoever is new to it waits for one more helm at most.
    """
    if observed.lock_abandoned or observed.release_for >= limits.helm:
        return Step(Do.UNLOCK)
    return Step(Do.WAIT, waiting_for="another Helm operation to end")
