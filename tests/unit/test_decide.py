"""The decision: each rule once, and then any history of a store and its cluster, driven by Hypothesis."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.decide import Desired, Do, Limits, Observed, Presence, Release, decide
from provisioning.failures import Finding, Reason
from provisioning.states import State

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LIMITS = Limits()
LASTING = Finding(Reason("image_pull", "PostgreSQL pod failed to start: ImagePullBackOff"), lasting=True)
PASSING = replace(LASTING, lasting=False)
UP = Observed(namespace=Presence.THERE, release=Release.IN_SYNC)


def step(state, observed, *, age=1.0):
    return decide(Desired(state, NOON - timedelta(seconds=age)), observed, NOON, LIMITS)


@pytest.mark.parametrize(
    ("state", "observed", "do"),
    [
        (State.REQUESTED, Observed(), Do.WAIT),
        (State.FAILED, Observed(), Do.WAIT),
        (State.PROVISIONING, Observed(), Do.CREATE_NAMESPACE),
        (State.PROVISIONING, Observed(namespace=Presence.TERMINATING), Do.WAIT),
        (State.PROVISIONING, Observed(namespace=Presence.THERE, missing=frozenset({"Secret s"})), Do.APPLY),
        (State.PROVISIONING, Observed(namespace=Presence.THERE), Do.INSTALL),
        (State.PROVISIONING, replace(UP, release=Release.FAILED), Do.INSTALL),
        (State.PROVISIONING, replace(UP, release=Release.OUT_OF_SYNC, finding=LASTING), Do.INSTALL),
        (State.PROVISIONING, replace(UP, release=Release.LOCKED, locked_since=NOON), Do.WAIT),
        (State.PROVISIONING, replace(UP, release=Release.LOCKED, locked_since=NOON - LIMITS.helm), Do.UNLOCK),
        (State.PROVISIONING, replace(UP, finding=LASTING, waiting_for="PostgreSQL"), Do.MARK_FAILED),
        (State.PROVISIONING, replace(UP, finding=PASSING, waiting_for="PostgreSQL"), Do.WAIT),
        (State.PROVISIONING, Observed(blocked=LASTING), Do.MARK_FAILED),
        (State.PROVISIONING, replace(UP, waiting_for="Medusa"), Do.WAIT),
        (State.PROVISIONING, UP, Do.PROBE),
        (State.PROVISIONING, replace(UP, trouble="the cluster does not answer"), Do.WAIT),
        (State.READY, UP, Do.WAIT),
        (State.READY, Observed(), Do.CREATE_NAMESPACE),
        (State.READY, Observed(namespace=Presence.THERE, missing=frozenset({"Secret s"})), Do.APPLY),
        (State.READY, Observed(namespace=Presence.THERE), Do.INSTALL),
        (State.READY, replace(UP, release=Release.OUT_OF_SYNC), Do.WAIT),
        (State.DELETING, UP, Do.UNINSTALL),
        (State.DELETING, replace(UP, release=Release.FAILED), Do.UNINSTALL),
        (State.DELETING, replace(UP, release=Release.LOCKED, locked_since=NOON), Do.WAIT),
        (State.DELETING, replace(UP, release=Release.ABSENT), Do.DELETE_NAMESPACE),
        (State.DELETING, Observed(namespace=Presence.TERMINATING), Do.WAIT),
        (State.DELETING, Observed(), Do.REMOVE),
        (State.DELETING, Observed(trouble="the cluster does not answer"), Do.WAIT),
    ],
)
def test_the_next_step(state, observed, do):
    assert step(state, observed).do is do


def test_a_time_out_names_what_it_waited_for():
    late = step(State.PROVISIONING, replace(UP, waiting_for="Medusa to become ready"), age=601)
    assert late.do is Do.MARK_FAILED
    assert late.reason.message == "Not ready after 10 minutes: still waiting for Medusa to become ready"


def test_a_time_out_names_the_cause_behind_it():
    late = step(State.PROVISIONING, replace(UP, waiting_for="PostgreSQL", finding=PASSING), age=601)
    assert late.reason.code == "timeout"
    assert late.reason.message == "Not ready after 10 minutes: PostgreSQL pod failed to start: ImagePullBackOff"


def test_a_pod_from_an_earlier_attempt_is_replaced_before_it_is_judged():
    old = replace(LASTING, pod="postgres-0", since=NOON - timedelta(minutes=5))
    assert step(State.PROVISIONING, replace(UP, finding=old), age=10).do is Do.REPLACE_POD
    new = replace(old, since=NOON - timedelta(seconds=5))
    assert step(State.PROVISIONING, replace(UP, finding=new), age=10).do is Do.MARK_FAILED


def test_what_holds_a_namespace_is_said():
    stuck = Observed(namespace=Presence.TERMINATING, held_by=("pods has 1 resource instances",))
    assert step(State.DELETING, stuck).waiting_for == "pods has 1 resource instances"


observations = st.builds(
    Observed,
    trouble=st.sampled_from(["", "the cluster does not answer"]),
    namespace=st.sampled_from(Presence),
    missing=st.sampled_from([frozenset(), frozenset({"Secret store-secrets"})]),
    release=st.sampled_from(Release),
    locked_since=st.sampled_from([None, NOON, NOON - timedelta(hours=1)]),
    waiting_for=st.sampled_from(["", "PostgreSQL"]),
    finding=st.sampled_from([None, LASTING, PASSING]),
    blocked=st.sampled_from([None, LASTING, PASSING]),
)
CONSTRUCTIVE = {Do.CREATE_NAMESPACE, Do.APPLY, Do.INSTALL, Do.PROBE, Do.REPLACE_POD, Do.MARK_FAILED}
DESTRUCTIVE = {Do.UNINSTALL, Do.DELETE_NAMESPACE, Do.REMOVE}


@given(st.sampled_from(State), observations, st.floats(0, 7200))
def test_never_a_forbidden_step(state, observed, age):
    done = step(state, observed, age=age).do
    if done in DESTRUCTIVE:
        assert state is State.DELETING
    if done in CONSTRUCTIVE:
        assert state in (State.PROVISIONING, State.READY)
    if observed.trouble:
        assert done in (Do.WAIT, Do.MARK_FAILED)
    if done is Do.MARK_FAILED:
        assert state is State.PROVISIONING
    if done in (Do.INSTALL, Do.APPLY, Do.UNINSTALL):
        assert observed.namespace is Presence.THERE
    if done is Do.UNLOCK:
        assert observed.locked_since is None or NOON - observed.locked_since >= LIMITS.helm
    if done is Do.REMOVE:
        assert observed.namespace is Presence.ABSENT


@dataclass
class World:
    """A cluster of one store, as simple as can be, and the row that wants it."""

    state: State = State.PROVISIONING
    since: datetime = NOON
    now: datetime = NOON
    namespace: Presence = Presence.ABSENT
    applied: bool = False
    release: Release = Release.ABSENT
    locked_since: datetime | None = None
    starts_in: int = 3  # looks until the parts are ready
    removed: bool = False
    steps: list[Do] = field(default_factory=list)

    def look(self, *, dies: bool = False) -> None:
        """One look of the engine; with `dies`, its step is cut off half done."""
        self.now += timedelta(seconds=1)
        if self.namespace is Presence.TERMINATING:
            self.namespace = Presence.ABSENT
        there = self.namespace is Presence.THERE
        running = there and self.release is Release.IN_SYNC
        self.starts_in = max(0, self.starts_in - 1) if running else 3
        observed = Observed(
            namespace=self.namespace,
            missing=frozenset() if there and self.applied else frozenset({"Secret store-secrets"}),
            release=self.release if there else Release.ABSENT,
            locked_since=self.locked_since,
            waiting_for="Medusa" if self.starts_in else "",
        )
        self._do(decide(Desired(self.state, self.since), observed, self.now, LIMITS).do, dies)

    def _do(self, do: Do, dies: bool) -> None:
        self.steps.append(do)
        match do:
            case Do.CREATE_NAMESPACE:
                self.namespace, self.applied, self.release = Presence.THERE, False, Release.ABSENT
            case Do.APPLY:
                self.applied = not dies
            case Do.INSTALL:
                self.release, self.locked_since = (Release.LOCKED, self.now) if dies else (Release.IN_SYNC, None)
            case Do.UNLOCK:
                self.release, self.locked_since = Release.ABSENT, None
            case Do.PROBE if not dies:
                self._become(State.READY)
            case Do.MARK_FAILED:
                self._become(State.FAILED)
            case Do.UNINSTALL:
                self.release = Release.FAILED if dies else Release.ABSENT
            case Do.DELETE_NAMESPACE if not dies:
                self.namespace = Presence.TERMINATING
            case Do.REMOVE:
                self.removed = not dies

    def _become(self, state: State) -> None:
        self.state, self.since = state, self.now

    def meddle(self, what: str) -> None:
        """Somebody else, or bad luck."""
        match what:
            case "namespace deleted" if self.namespace is Presence.THERE:
                self.namespace, self.applied, self.release = Presence.TERMINATING, False, Release.ABSENT
            case "secret deleted":
                self.applied = False
            case "release gone" if self.release is not Release.LOCKED:
                self.release = Release.ABSENT
            case "deletion" if self.state is not State.DELETING:
                self._become(State.DELETING)
            case "retry" if self.state is State.FAILED:
                self._become(State.PROVISIONING)
            case "a long pause":
                self.now += timedelta(minutes=2)


meddling = st.sampled_from(
    ["look", "look", "look", "a kill", "namespace deleted", "secret deleted", "release gone", "retry", "a long pause"]
)


@settings(max_examples=400)
@given(st.lists(meddling, max_size=40), st.booleans())
def test_whatever_happens_it_ends_where_it_was_wanted(history, deleted):
    world = World()
    for what in history:
        if what in ("look", "a kill"):
            world.look(dies=what == "a kill")
        else:
            world.meddle(what)
    if deleted:
        world.meddle("deletion")
    else:
        world.meddle("retry")
    for _ in range(90):  # a lock that somebody left lasts a minute
        world.look()
        if world.removed:
            break
    if deleted:
        assert world.removed, world.steps
    else:
        assert world.state in (State.READY, State.FAILED), world.steps
        if world.state is State.READY:
            assert world.namespace is Presence.THERE
            assert world.applied
            assert world.release is Release.IN_SYNC
