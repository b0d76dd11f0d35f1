"""The decision: each rule once, and what no observation may lead to.  Whole histories are in `test_converges`."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.decide import Desired, Do, Limits, Observed, Presence, decide
from provisioning.drift import Drift
from provisioning.failures import Finding, Reason
from provisioning.release import Release
from provisioning.rotation import Stage
from provisioning.states import State

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LIMITS = Limits()
DRIFT = Drift({"kind": "Secret", "metadata": {"name": "store-secrets"}}, "storefleet")
LASTING = Finding(Reason("image_pull", "PostgreSQL pod failed to start: ImagePullBackOff"), lasting=True)
PASSING = replace(LASTING, lasting=False)
REFUSED = Finding(Reason("database_refused", "Medusa pod failed to start: the database refuses it"), lasting=True)
UP = Observed(namespace=Presence.THERE, release=Release.IN_SYNC)


def step(state, observed, *, age=1.0, destroy_at=None, destroying=True, untended=0.0, pinned=False):
    since = NOON - timedelta(seconds=age)
    desired = Desired(state, since, destroy_at, destroying, timedelta(seconds=untended), pinned)
    return decide(desired, observed, NOON, LIMITS)


@pytest.mark.parametrize(
    ("state", "observed", "do"),
    [
        (State.REQUESTED, Observed(), Do.WAIT),
        (State.FAILED, Observed(), Do.WAIT),
        (State.PROVISIONING, Observed(), Do.CREATE_NAMESPACE),
        (State.PROVISIONING, Observed(namespace=Presence.TERMINATING), Do.WAIT),
        (State.PROVISIONING, Observed(namespace=Presence.THERE, drift=(DRIFT,)), Do.APPLY),
        (State.PROVISIONING, Observed(namespace=Presence.THERE), Do.INSTALL),
        (State.PROVISIONING, replace(UP, release=Release.FAILED), Do.INSTALL),
        (State.PROVISIONING, replace(UP, release=Release.OUT_OF_SYNC, finding=LASTING), Do.INSTALL),
        (State.PROVISIONING, replace(UP, release=Release.LOCKED), Do.WAIT),
        (State.PROVISIONING, replace(UP, release=Release.LOCKED, release_for=LIMITS.helm), Do.UNLOCK),
        (State.PROVISIONING, replace(UP, release=Release.LOCKED, lock_abandoned=True), Do.UNLOCK),
        (State.PROVISIONING, replace(UP, finding=LASTING, waiting_for="PostgreSQL"), Do.MARK_FAILED),
        (State.PROVISIONING, replace(UP, finding=PASSING, waiting_for="PostgreSQL"), Do.WAIT),
        (State.PROVISIONING, Observed(blocked=LASTING), Do.MARK_FAILED),
        (State.PROVISIONING, replace(UP, waiting_for="Medusa"), Do.WAIT),
        (State.PROVISIONING, UP, Do.PROBE),
        # What is seen is from before the release: the old pods, all well.
        (State.PROVISIONING, replace(UP, release=Release.DRIFTED, release_drift=(DRIFT,)), Do.WAIT),
        (State.PROVISIONING, replace(UP, release_drift=(DRIFT,), release_for=LIMITS.settling), Do.APPLY),
        (State.PROVISIONING, replace(UP, trouble="the cluster does not answer"), Do.WAIT),
        (State.READY, UP, Do.WAIT),
        (State.READY, Observed(), Do.CREATE_NAMESPACE),
        (State.READY, Observed(namespace=Presence.THERE, drift=(DRIFT,)), Do.APPLY),
        (State.READY, Observed(namespace=Presence.THERE), Do.INSTALL),
        (State.READY, replace(UP, release=Release.OUT_OF_SYNC), Do.WAIT),
        (State.READY, replace(UP, secrets=Stage.PREPARE), Do.PREPARE_SECRETS),
        (State.READY, replace(UP, secrets=Stage.RESTART), Do.RESTART_SHOP),
        (State.READY, replace(UP, secrets=Stage.RETIRE), Do.RETIRE_SECRETS),
        (State.READY, replace(UP, secrets=Stage.RETIRE, drift=(DRIFT,)), Do.APPLY),  # the Secret first
        (State.READY, replace(UP, secrets=Stage.WAIT), Do.WAIT),
        (State.PROVISIONING, replace(UP, secrets=Stage.PREPARE), Do.PROBE),  # once it is READY
        (State.PROVISIONING, replace(UP, secrets=Stage.MAKE_LOGIN, finding=REFUSED), Do.MAKE_LOGIN),
        (State.PROVISIONING, replace(UP, secrets=Stage.NO_LOGIN, finding=REFUSED), Do.WAIT),
        (State.PROVISIONING, replace(UP, finding=REFUSED), Do.MARK_FAILED),
        (State.DELETING, replace(UP, secrets=Stage.RETIRE), Do.UNINSTALL),
        (State.DELETING, UP, Do.UNINSTALL),
        (State.DELETING, replace(UP, release=Release.FAILED), Do.UNINSTALL),
        (State.DELETING, replace(UP, release=Release.LOCKED), Do.WAIT),
        (State.DELETING, replace(UP, release=Release.LOCKED, release_for=LIMITS.helm), Do.UNLOCK),
        (State.DELETING, replace(UP, release=Release.ABSENT), Do.DELETE_NAMESPACE),
        (State.DELETING, Observed(namespace=Presence.TERMINATING), Do.WAIT),
        (State.DELETING, Observed(), Do.REMOVE),
        (State.DELETING, Observed(trouble="the cluster does not answer"), Do.WAIT),
    ],
)
def test_the_next_step(state, observed, do):
    assert step(state, observed).do is do


@pytest.mark.parametrize("release_at", [NOON - timedelta(hours=1), NOON, NOON + timedelta(hours=1)])
@pytest.mark.parametrize("state", [State.PROVISIONING, State.READY, State.DELETING])
def test_a_locks_date_says_nothing(state, release_at):
    """The cluster's clock, by which it is, or ours, may be wrong."""
    locked = replace(UP, release=Release.LOCKED, release_at=release_at)
    assert step(state, locked).do is Do.WAIT
    assert step(state, replace(locked, release_for=LIMITS.helm - timedelta(seconds=1))).do is Do.WAIT
    assert step(state, replace(locked, release_for=LIMITS.helm)).do is Do.UNLOCK


@pytest.mark.parametrize(
    ("state", "observed", "do"),
    [
        (State.PROVISIONING, replace(UP, release=Release.OUT_OF_SYNC, kept_as=1), Do.ROLL_BACK),
        (State.PROVISIONING, replace(UP, release=Release.OUT_OF_SYNC, kept_as=1, finding=LASTING), Do.ROLL_BACK),
        (State.PROVISIONING, replace(UP, release=Release.OUT_OF_SYNC), Do.UNPIN),
        (State.PROVISIONING, replace(UP, release=Release.LOCKED, kept_as=1), Do.WAIT),
        (State.PROVISIONING, replace(UP, kept_as=1), Do.PROBE),  # it was done
        (State.READY, replace(UP, release=Release.FAILED, kept_as=1), Do.ROLL_BACK),
        (State.READY, replace(UP, release=Release.ABSENT), Do.UNPIN),
        (State.READY, replace(UP, release=Release.OUT_OF_SYNC, kept_as=1), Do.WAIT),
        (State.READY, replace(UP, kept_as=1), Do.WAIT),
        (State.FAILED, replace(UP, release=Release.OUT_OF_SYNC, kept_as=1), Do.WAIT),
    ],
)
def test_an_earlier_release_comes_from_helms_record(state, observed, do):
    found = step(state, observed, pinned=True)
    assert found.do is do
    assert found.revision == (1 if do is Do.ROLL_BACK else 0)


@pytest.mark.parametrize(
    ("left", "observed", "do"),
    [
        (60, replace(UP, running=True), Do.STOP),
        (60, replace(UP, running=True, stopped=True), Do.STOP),
        (60, replace(UP, stopped=True), Do.WAIT),
        (60, Observed(), Do.WAIT),
        (60, replace(UP, running=True, trouble="the cluster does not answer"), Do.WAIT),
        (0, replace(UP, running=True), Do.BEGIN_DESTRUCTION),
        (-1, Observed(namespace=Presence.TERMINATING), Do.BEGIN_DESTRUCTION),
        (None, UP, Do.BEGIN_DESTRUCTION),
        (-1, replace(UP, trouble="the cluster does not answer"), Do.WAIT),
    ],
)
def test_a_deletion_that_can_be_undone_only_stops(left, observed, do):
    destroy_at = None if left is None else NOON + timedelta(seconds=left)
    assert step(State.DELETING, observed, destroy_at=destroy_at, destroying=False).do is do


def test_what_was_stopped_is_started_before_it_is_asked():
    stopped = replace(UP, stopped=True, waiting_for="Medusa")
    assert step(State.PROVISIONING, stopped).do is Do.START
    assert step(State.PROVISIONING, replace(stopped, release=Release.ABSENT)).do is Do.INSTALL


def test_a_time_out_names_what_it_waited_for():
    late = step(State.PROVISIONING, replace(UP, waiting_for="Medusa to become ready"), age=601)
    assert late.do is Do.MARK_FAILED
    assert late.reason.message == "Not ready after 10 minutes: still waiting for Medusa to become ready"


def test_time_in_which_nobody_was_at_work_does_not_count():
    starting = replace(UP, waiting_for="Medusa to become ready")
    assert step(State.PROVISIONING, starting, age=7200, untended=6700).do is Do.WAIT
    assert step(State.PROVISIONING, starting, age=7200, untended=6600).do is Do.MARK_FAILED


def test_a_time_out_names_the_cause_behind_it():
    late = step(State.PROVISIONING, replace(UP, waiting_for="PostgreSQL", finding=PASSING), age=601)
    assert late.reason.code == "timeout"
    assert late.reason.message == "Not ready after 10 minutes: PostgreSQL pod failed to start: ImagePullBackOff"


def test_a_pod_from_an_earlier_attempt_is_replaced_before_it_is_judged():
    old = replace(LASTING, pod="postgres-0", pod_uid="old", since=NOON - timedelta(minutes=5))
    there = replace(UP, earlier_pods=frozenset({"old"}))
    assert step(State.PROVISIONING, replace(there, finding=old), age=10).do is Do.REPLACE_POD
    of_a_slow_clock = replace(old, pod_uid="new")
    assert step(State.PROVISIONING, replace(there, finding=of_a_slow_clock), age=10).do is Do.MARK_FAILED
    of_this_attempt = replace(old, since=NOON - timedelta(seconds=5))  # the process was started in the middle of it
    assert step(State.PROVISIONING, replace(there, finding=of_this_attempt), age=10).do is Do.MARK_FAILED


def test_what_holds_a_namespace_is_said():
    stuck = Observed(namespace=Presence.TERMINATING, held_by=("pods has 1 resource instances",))
    assert step(State.DELETING, stuck).waiting_for == "pods has 1 resource instances"


observations = st.builds(
    Observed,
    trouble=st.sampled_from(["", "the cluster does not answer"]),
    namespace=st.sampled_from(Presence),
    drift=st.sampled_from([(), (DRIFT,)]),
    release_drift=st.sampled_from([(), (DRIFT,)]),
    release=st.sampled_from(Release),
    release_at=st.sampled_from([None, NOON, NOON - timedelta(hours=1)]),
    release_for=st.sampled_from([timedelta(), LIMITS.helm - timedelta(seconds=1), LIMITS.helm]),
    waiting_for=st.sampled_from(["", "PostgreSQL"]),
    finding=st.sampled_from([None, LASTING, PASSING]),
    blocked=st.sampled_from([None, LASTING, PASSING]),
    running=st.booleans(),
    stopped=st.booleans(),
    kept_as=st.sampled_from([0, 1]),
)
RELEASING = {Do.INSTALL, Do.ROLL_BACK, Do.UNPIN}
CONSTRUCTIVE = {*RELEASING, Do.CREATE_NAMESPACE, Do.APPLY, Do.START, Do.PROBE, Do.REPLACE_POD, Do.MARK_FAILED}
DESTRUCTIVE = {Do.UNINSTALL, Do.DELETE_NAMESPACE, Do.REMOVE}


@given(
    st.sampled_from(State),
    observations,
    st.floats(0, 7200),
    st.sampled_from([None, NOON - timedelta(seconds=1), NOON, NOON + timedelta(seconds=1)]),
    st.booleans(),
    st.booleans(),
)
def test_never_a_forbidden_step(state, observed, age, destroy_at, destroying, pinned):
    done = step(state, observed, age=age, destroy_at=destroy_at, destroying=destroying, pinned=pinned).do
    if done in RELEASING:
        assert (done is Do.INSTALL) == (not pinned)
        assert (done is Do.UNPIN) == (pinned and not observed.kept_as)
        assert state is not State.READY or observed.release in (Release.ABSENT, Release.FAILED)
    if done in DESTRUCTIVE:
        assert state is State.DELETING
        assert destroying
    if done in (Do.STOP, Do.BEGIN_DESTRUCTION):
        assert state is State.DELETING
        assert not destroying
    if done is Do.STOP:
        assert destroy_at > NOON
    if done is Do.BEGIN_DESTRUCTION:
        assert destroy_at is None or destroy_at <= NOON
    if done in CONSTRUCTIVE:
        assert state in (State.PROVISIONING, State.READY)
    if observed.trouble:
        assert done in (Do.WAIT, Do.MARK_FAILED)
    if done is Do.MARK_FAILED:
        assert state is State.PROVISIONING
    if done in (*RELEASING, Do.APPLY, Do.UNINSTALL):
        assert observed.namespace is Presence.THERE
    if done is Do.UNLOCK:
        assert observed.release_for >= LIMITS.helm
    if done is Do.REMOVE:
        assert observed.namespace is Presence.ABSENT
