"""A cluster of one store, the rows that want it, and the engines that decide: as simple as can be, nothing left out
that a decision depends on.

What the real parts promise is modelled as a promise: a change of a row names the row that it leaves (the fence); a
leader asks whether it leads right before it acts; Helm's record is made by a create, which only one helm can win; an
object is deleted by its uid; a process that dies leaves its helm alive, a machine takes its helms along.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from provisioning.decide import Desired, Do, Limits, Observed, Presence, Step, decide
from provisioning.drift import Drift
from provisioning.failures import Finding, Reason
from provisioning.release import Release
from provisioning.states import LEGAL, State

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LIMITS = Limits()
LOOKS = 150  # one a second: a lock that nobody holds lasts a minute, the time to undo too
DRIFT = Drift({"kind": "Secret", "metadata": {"name": "store-secrets"}}, "storefleet")
BROKEN = Finding(Reason("image_pull", "PostgreSQL pod failed to start: ImagePullBackOff"), lasting=True)
FOREIGN = Finding(Reason("foreign_namespace", "The namespace is somebody else's"), lasting=True)
AWAY = Finding(Reason("cluster_unreachable", "The cluster does not answer"), lasting=False)
INSTALLS = frozenset({Do.INSTALL, Do.ROLL_BACK})
DESTRUCTIVE = frozenset({Do.UNINSTALL, Do.DELETE_NAMESPACE, Do.REMOVE})
THEIRS = -1  # whose a foreign thing is
BY_HAND = -2  # the fingerprint of a release that somebody made otherwise


@dataclass(frozen=True)
class Row:
    """The store in the database.  `id` tells a store from an earlier one of the same name."""

    id: int
    state: State = State.PROVISIONING
    since: datetime = NOON
    destroy_at: datetime | None = None
    destroying: bool = False
    pinned: int | None = None  # the fingerprint of the earlier release that is wanted

    def again(self, at: datetime, **columns: int | None) -> "Row":
        """As somebody's wish puts it into the queue."""
        return replace(self, state=State.REQUESTED, since=at, destroy_at=None, destroying=False, **columns)


@dataclass
class Namespace:
    owner: int
    terminating: bool = False
    applied: bool = False  # what lies around the release is there, and as it should be
    release: Release = Release.ABSENT  # ABSENT, LOCKED, FAILED or IN_SYNC: deployed; UNMANAGED: somebody else's
    spec: int | None = None  # fingerprint of what is deployed
    kept: frozenset[int] = frozenset()  # fingerprints of those that Helm keeps, and can go back to
    release_at: datetime | None = None
    runner: int = 0
    drifted: bool = False  # the release's objects are not as it says
    replicas: int = 0
    starts_in: int = 3  # seconds until all pods are ready
    pod: int = 0  # its uid: another one for each that is made
    old_pod: datetime | None = None  # since when it fails
    data: int = 0  # what customers left


@dataclass(eq=False)
class Helm:
    """A helm at work: it makes its record, then ends, whoever still waits for it."""

    verb: Do
    engine: "Engine"
    store: int
    since: datetime
    spec: int = 0  # fingerprint of what it makes
    space: Namespace | None = None  # in which its record is made
    alive: bool = True
    went_well: bool = False


@dataclass(eq=False)
class Engine:
    """One process, on a machine of its own."""

    number: int
    row: Row | None = None  # of the look that is going on: as it was read
    step: Step | None = None  # decided; None: no look is going on
    helm: Helm | None = None  # it waits for
    acted: bool = False
    earlier_pods: frozenset[str] = frozenset()  # that were there at its first look
    attempt: datetime | None = None  # at this attempt
    error: Finding | None = None  # what its last step failed of,
    error_since: datetime | None = None  # and in which state of the store
    seen: tuple[tuple[bool, datetime | None], datetime] | None = None  # a release, and since when it is seen so

    def forget(self) -> None:
        self.row = self.step = self.helm = self.error = self.attempt = None
        self.acted = False

    def end(self) -> None:
        """Another process takes its place, and remembers nothing."""
        self.forget()
        self.seen = None


@dataclass
class World:
    row: Row | None = field(default_factory=lambda: Row(1))
    now: datetime = NOON
    namespace: Namespace | None = None
    engines: tuple[Engine, ...] = field(default_factory=lambda: (Engine(0), Engine(1)))
    leader: int = 0
    present: int = 1  # fingerprint of what the platform's chart makes
    helms: list[Helm] = field(default_factory=list)
    away: bool = False  # the API server
    blind: bool = False  # the watches
    broken: bool = False  # pods fail, and not by themselves any more
    slow: bool = False  # pods do not come up, for no reason that is known
    kept_from: int = 0  # looks for which the namespace is held by a finalizer
    theirs_at: datetime | None = None  # when a namespace of somebody else's was seen here last
    steps: list[Do] = field(default_factory=list)
    pods: "count[int]" = field(default_factory=lambda: count(1))

    def tick(self, seconds: float = 1) -> None:
        """Time passes: pods come up, helms that hang are ended, a namespace ends."""
        self.now += timedelta(seconds=seconds)
        for helm in self.helms:
            if self.now - helm.since >= LIMITS.helm:
                self.end_helm(helm, well=False)
        space = self.namespace
        if space is None:
            return
        if space.terminating and self.kept_from:
            self.kept_from -= 1
        elif space.terminating:
            self.namespace = None
        elif space.replicas and not self.broken and not self.slow:
            space.starts_in = max(0, space.starts_in - round(seconds))
            space.old_pod = None
        elif space.replicas and self.broken:
            space.old_pod = space.old_pod or self.now

    # What an engine does.

    def begin(self, engine: Engine) -> None:
        """Read the row, look, decide."""
        if engine.step is not None or self.row is None or self.leader != engine.number:
            return
        row = self.row
        if row.state is State.REQUESTED:  # no other store is in the way
            if not (self.away or self.blind):
                self._move(row, State.PROVISIONING)
            return
        error = engine.error if engine.error_since == row.since else None
        observed = replace(self._observed(row, engine), blocked=error)
        if engine.attempt != row.since and not observed.trouble:
            there = observed.running and self.namespace is not None
            engine.attempt, engine.earlier_pods = row.since, frozenset({str(self.namespace.pod)} if there else ())
        observed = replace(observed, earlier_pods=engine.earlier_pods)
        pinned = row.pinned not in (None, self.present)
        desired = Desired(row.state, row.since, row.destroy_at, row.destroying, pinned=pinned)
        engine.row, engine.step, engine.acted = row, decide(desired, observed, self.now, LIMITS), False
        self.steps.append(engine.step.do)
        if engine.step.reason is not None:
            self._must_be_true(row, engine.step.reason)

    def go_on(self, engine: Engine) -> None:
        """The next part of what was decided: act, then record."""
        if engine.step is None:
            return
        if not engine.acted:
            if self.leader != engine.number:  # asked right before the step
                engine.forget()
                return
            engine.acted = True
            if engine.step.do is Do.PROBE:
                return  # the shop takes its time to answer
            self._act(engine, engine.step)
            if engine.helm is not None:
                return
        elif engine.step.do is Do.PROBE:
            self._act(engine, engine.step)
        if engine.helm is not None:
            if engine.helm.alive:
                return
            if not engine.helm.went_well:
                self._fails(engine, AWAY)
                return
        engine.helm, engine.step = None, None
        engine.error = None if engine.acted else engine.error

    def look(self, engine: Engine) -> None:
        """A whole look, with nothing in between but its helm."""
        self.begin(engine)
        self.go_on(engine)
        for helm in [each for each in self.helms if each is engine.helm]:
            self.work(helm)
            self.end_helm(helm)
        self.go_on(engine)

    def _fails(self, engine: Engine, error: Finding) -> None:
        since = engine.row.since if engine.row else None
        engine.forget()
        engine.error, engine.error_since = error, since

    def wanted(self, row: Row) -> int:
        """The fingerprint of the release that is wanted."""
        return self.present if row.pinned is None else row.pinned

    def _observed(self, row: Row, engine: Engine) -> Observed:
        trouble = "the cluster does not answer" if self.away or self.blind else ""
        space = self.namespace
        if space is None or space.owner == THEIRS:  # the watches show only what is ours
            return Observed(trouble=trouble)
        if space.terminating:
            return Observed(trouble=trouble, namespace=Presence.TERMINATING)
        made = space.release in (Release.IN_SYNC, Release.LOCKED)
        fails = made and space.old_pod
        finding = replace(BROKEN, pod="postgres-0", pod_uid=str(space.pod), since=space.old_pod) if fails else None
        release = space.release
        if release is Release.IN_SYNC and space.spec != self.wanted(row):
            release = Release.OUT_OF_SYNC
        elif release is Release.IN_SYNC and space.drifted:
            release = Release.DRIFTED
        record = release is Release.LOCKED, space.release_at
        if engine.seen is None or engine.seen[0] != record:
            engine.seen = record, self.now
        return Observed(
            trouble=trouble,
            namespace=Presence.THERE,
            drift=() if space.applied else (DRIFT,),
            release=release,
            release_at=space.release_at,
            release_for=self.now - engine.seen[1],
            release_drift=(DRIFT,) if space.drifted and made else (),
            kept_as=int(row.pinned in space.kept),
            lock_abandoned=release is Release.LOCKED
            and space.runner == engine.number
            and not any(helm.alive and helm.engine.number == engine.number for helm in self.helms),
            waiting_for="Medusa" if space.starts_in or not made else "",
            finding=finding,
            running=made and space.replicas > 0,
            stopped=made and space.replicas == 0,
        )

    def _act(self, engine: Engine, step: Step) -> None:
        row, space = engine.row, self.namespace
        assert row is not None
        self._must_be_allowed(row, step.do)
        cluster = step.do not in (Do.WAIT, Do.MARK_FAILED)
        if cluster and self.away:
            self._fails(engine, AWAY)
            return
        if step.do is Do.CREATE_NAMESPACE:
            if space is None:
                self.namespace = Namespace(row.id, pod=next(self.pods))
            elif space.owner != row.id:
                self.theirs_at = self.now
                self._fails(engine, FOREIGN)
        elif step.do is Do.MARK_FAILED:
            self._move(row, State.FAILED)
        elif step.do is Do.BEGIN_DESTRUCTION:
            if self.row == row:
                self.row = replace(row, destroying=True)
        elif step.do is Do.REMOVE:
            ours_at_work = any(helm.alive and helm.engine.number == engine.number for helm in self.helms)
            if (space is None or space.owner != row.id) and self.row == row and not ours_at_work:
                self.row = None
        elif step.do is Do.UNPIN:
            if self.row is not None and (self.row.id, self.row.state, self.row.since) == (row.id, row.state, row.since):
                lost = space is None or space.owner != row.id or row.pinned not in space.kept
                self.row = replace(self.row, pinned=None) if lost else self.row
        elif step.do in (Do.INSTALL, Do.ROLL_BACK, Do.UNINSTALL):
            spec = self.wanted(row)
            done = space is not None and (space.owner, space.release, space.spec) == (row.id, Release.IN_SYNC, spec)
            if done and step.do is not Do.UNINSTALL:
                return  # by somebody before us
            if step.do is Do.INSTALL:
                assert spec == self.present, "an earlier release is wanted"
            if any(helm.alive and helm.engine is engine for helm in self.helms):  # it holds the machine's lock file
                self._fails(engine, AWAY)
                return
            engine.helm = Helm(step.do, engine, row.id, self.now, spec)
            self.helms.append(engine.helm)
        elif step.do is not Do.WAIT:
            self._act_inside(row, step.do)

    def _act_inside(self, row: Row, do: Do) -> None:
        """A step that needs the namespace; where it is not ours, or gone, it meets nothing of its names."""
        space = self.namespace
        if space is None or space.owner != row.id:
            return
        match do:
            case Do.DELETE_NAMESPACE:
                space.terminating, space.release, space.data = True, Release.ABSENT, 0
            case Do.APPLY if not space.terminating:
                space.applied, space.drifted = True, False
                space.replicas = space.replicas or int(space.release is Release.IN_SYNC)
            case Do.UNLOCK if space.release is Release.LOCKED:  # the revision before it stands again
                space.release, space.release_at = Release.ABSENT if space.spec is None else Release.IN_SYNC, None
            case Do.REPLACE_POD:
                space.old_pod, space.pod = None, next(self.pods)
                space.starts_in = 3
            case Do.START | Do.STOP:
                space.replicas = int(do is Do.START)
                space.starts_in = 3
            case Do.PROBE if not space.starts_in:
                self._move(row, State.READY)

    def _move(self, row: Row, state: State) -> bool:
        """The conditional UPDATE: whether the store still stood where `row` was read."""
        assert state in LEGAL[row.state]
        if self.row is None or (self.row.id, self.row.state, self.row.since) != (row.id, row.state, row.since):
            return False
        self.row = replace(self.row, state=state, since=self.now, destroy_at=None)
        return True

    def _must_be_allowed(self, row: Row, do: Do) -> None:
        if do in DESTRUCTIVE:
            assert row.state is State.DELETING, do
            assert row.destroying, do
            if self.row is not None and self.row.id == row.id:
                assert self.row.destroying, "the row was read before it was taken back"

    def _must_be_true(self, row: Row, reason: Reason) -> None:
        """What a store is given up for must have been so in this attempt."""
        space = self.namespace
        if reason.code == "timeout":
            assert self.now - row.since >= LIMITS.provisioning
        elif reason == BROKEN.reason:
            assert space is not None
            assert space.old_pod is not None
            assert space.old_pod > row.since
        elif reason == FOREIGN.reason:
            assert self.theirs_at is not None
            assert self.theirs_at >= row.since
        else:
            assert space is not None
            assert space.release is Release.UNMANAGED

    # Helm

    def work(self, helm: Helm) -> None:
        """Make the record."""
        space = self.namespace
        if not helm.alive or helm.space is not None:
            return
        if self.away or space is None or space.terminating or space.owner != helm.store:
            self.end_helm(helm, well=False)
            return
        if helm.verb in INSTALLS:
            if space.release in (Release.LOCKED, Release.UNMANAGED) or (
                helm.verb is Do.ROLL_BACK and helm.spec not in space.kept
            ):
                self.end_helm(helm, well=False)
                return
            space.release, space.release_at, space.runner = Release.LOCKED, self.now, helm.engine.number
        helm.space = space
        at_work = [each for each in self.helms if each.alive and each.space is space and each.verb in INSTALLS]
        assert len(at_work) <= 1, "two helms write one release"

    def end_helm(self, helm: Helm, *, well: bool = True) -> None:
        """It ends: well, in failure, or (`kill_helm`) without a word."""
        space = self.namespace
        if not helm.alive:
            return
        if space is not None and helm.space is space and not space.terminating:
            well = well and not self.away
            if helm.verb in INSTALLS:
                space.release = Release.IN_SYNC if well else Release.FAILED
                if well:
                    space.drifted, space.replicas, space.data = False, 1, space.data or 1
                    if space.spec != helm.spec:  # the pods are made anew
                        space.starts_in, space.old_pod, space.pod = 3, None, next(self.pods)
                    space.spec, space.kept = helm.spec, space.kept | {helm.spec}
            elif well:
                space.release, space.replicas, space.spec, space.kept = Release.ABSENT, 0, None, frozenset()
            space.release_at = self.now
            helm.went_well = well
        self.kill_helm(helm)

    def kill_helm(self, helm: Helm) -> None:
        helm.alive = False
        self.helms = [each for each in self.helms if each.alive]

    # The end

    def heal(self) -> None:
        """Faults cease."""
        self.away = self.blind = self.broken = self.slow = False
        self.kept_from = 0

    def settle(self) -> None:
        """Faults cease, and one engine goes on.  Raises AssertionError where that does not lead to what is wanted."""
        self.heal()
        engine = self.engines[self.leader]
        for helm in list(self.helms):
            self.work(helm)
            self.end_helm(helm)
        for _ in range(LOOKS):
            self.look(engine)
            self.tick()
            if self.is_settled():
                return
        raise AssertionError(f"it does not end: {self.row}, {self.namespace}, {self.steps[-20:]}")

    def is_settled(self) -> bool:
        """There is what is wanted, or somebody else's in its place."""
        space = self.namespace
        theirs = space is not None and space.owner == THEIRS
        if self.row is None:
            return space is None or theirs
        if self.row.state is not State.READY:
            return self.row.state is State.FAILED
        if space is None or theirs or space.release is Release.UNMANAGED:
            return space is not None
        return (
            not space.terminating
            and space.applied
            and space.release is Release.IN_SYNC  # made of whatever: what runs is not changed unasked
            and not space.drifted
            and space.replicas > 0
            and not space.starts_in
        )
