"""Any history of a store, its cluster and two engines, driven by Hypothesis: it always comes to what was wanted, and
nothing forbidden is done on the way (what is forbidden stands in `world`, where it is done)."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from provisioning.decide import Do
from provisioning.release import Release
from provisioning.states import State
from tests.unit.world import BY_HAND, DESTRUCTIVE, THEIRS, Engine, Namespace, Row, World

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # to shrink a history takes minutes, to read one does not


class Histories(RuleBasedStateMachine):
    """Whatever can happen, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.theirs: Namespace | None = None
        self.as_it_was: dict[str, object] = {}
        self.ids = count(100)  # no id is given twice: an engine may still hold a row that is gone

    def _engine(self, number: int) -> Engine:
        return self.world.engines[number]

    def _space(self) -> Namespace | None:
        """Where there is something to meddle with."""
        space = self.world.namespace
        return space if space is not None and space.owner != THEIRS and not space.terminating else None

    # Engines, and what becomes of them

    @initialize(looks=st.sampled_from([0, 3, 12]))
    def it_has_come_so_far(self, looks: int) -> None:
        self.the_leader_looks(looks)

    @rule(times=st.integers(1, 8))
    def the_leader_looks(self, times: int) -> None:
        for _ in range(times):
            self.world.look(self._engine(self.world.leader))
            self.world.tick()

    @rule(parts=st.integers(1, 3), then=st.sampled_from(["killed", "machine", "deposed", "helm killed", "helm failed"]))
    def a_look_is_cut_off(self, parts: int, then: str) -> None:
        """Behind the decision, behind the first effect, or while helm is at work."""
        engine = self._engine(self.world.leader)
        self.world.begin(engine)
        if parts > 1:
            self.world.go_on(engine)
        if parts > 2 and engine.helm:
            self.world.work(engine.helm)
        for helm in self.world.helms:
            if then in ("machine", "helm killed") and helm.engine is engine:
                self.world.kill_helm(helm)
            elif then == "helm failed":
                self.world.end_helm(helm, well=False)
        if then in ("killed", "machine"):
            engine.end()
        elif then == "deposed":
            self.the_other_leads()

    @precondition(lambda self: any(engine.step for engine in self.world.engines))
    @rule()
    def who_was_deposed_goes_on(self) -> None:
        for engine in self.world.engines:
            self.world.go_on(engine)

    @rule()
    def the_other_leads(self) -> None:
        self.world.leader = 1 - self.world.leader
        self._engine(self.world.leader).error = self._engine(self.world.leader).seen = None

    @precondition(lambda self: self.world.helms)
    @rule(well=st.booleans())
    def a_helm_that_outlived_its_engine_ends(self, well: bool) -> None:
        self.world.work(self.world.helms[0])
        for helm in self.world.helms[:1]:
            self.world.end_helm(helm, well=well)

    # The cluster

    @rule(seconds=st.sampled_from([1, 5, 70, 700]))
    def time_passes(self, seconds: int) -> None:
        self.world.tick(seconds)

    @rule(what=st.sampled_from(["away", "blind", "broken", "slow"]))
    def a_fault_begins(self, what: str) -> None:
        setattr(self.world, what, True)

    @rule()
    def faults_end(self) -> None:
        self.world.heal()

    @rule(seconds=st.integers(1, 20))
    def a_finalizer_holds_the_namespace(self, seconds: int) -> None:
        self.world.kept_from = seconds

    @precondition(lambda self: self._space() is not None)
    @rule()
    def the_namespace_is_deleted_by_hand(self) -> None:
        if space := self._space():
            space.terminating, space.release, space.data = True, Release.ABSENT, 0

    @precondition(lambda self: self._space() is not None)
    @rule(what=st.sampled_from(["surroundings", "objects", "replicas", "record", "old records", "values"]))
    def something_is_deleted_or_edited_by_hand(self, what: str) -> None:
        space = self._space()
        if space is None:
            return
        installed = space.release is Release.IN_SYNC
        if what == "surroundings":
            space.applied = False
        elif what == "record" and space.release not in (Release.UNMANAGED, Release.LOCKED):  # else there are two helms
            space.release, space.spec, space.kept = Release.ABSENT, None, frozenset()
        elif what == "old records":
            space.kept = frozenset({space.spec} & space.kept)
        elif what == "values" and installed:
            space.spec = BY_HAND
        elif what in ("objects", "replicas") and installed:
            space.drifted = True
            space.replicas = 0 if what == "replicas" else space.replicas

    @precondition(lambda self: self.world.namespace is None)
    @rule()
    def somebody_else_takes_the_namespace(self) -> None:
        self.world.namespace = self.theirs = Namespace(THEIRS)
        self.as_it_was = dict(vars(self.theirs))

    @precondition(lambda self: self.theirs is not None)
    @rule()
    def somebody_else_leaves_it(self) -> None:
        if self.world.namespace is self.theirs:
            self.world.namespace = None
        self.theirs = None

    @precondition(lambda self: self._space() is not None)
    @rule()
    def somebody_else_takes_the_release(self) -> None:
        space = self._space()
        if space is not None and space.release is Release.ABSENT:
            space.release = Release.UNMANAGED

    @rule()
    def the_platform_is_upgraded(self) -> None:
        """Its processes start anew, with another chart; a helm that is at work goes on with the old one."""
        self.world.present += 1
        for engine in self.world.engines:
            engine.end()

    # People

    @rule()
    def the_store_is_upgraded(self) -> None:
        row = self.world.row
        if row and row.state in (State.READY, State.FAILED):
            self.world.row = row.again(self.world.now, pinned=None)

    @rule(back=st.integers(0, 2))
    def the_store_is_rolled_back(self, back: int) -> None:
        row, space = self.world.row, self._space()
        if row and space and row.state in (State.READY, State.FAILED):
            kept = sorted(space.kept - {self.world.wanted(row)}, reverse=True)
            if kept:
                self.world.row = row.again(self.world.now, pinned=kept[min(back, len(kept) - 1)])

    @rule(seconds=st.sampled_from([0, 0, 60]))
    def the_store_is_deleted(self, seconds: int) -> None:
        row, until = self.world.row, self.world.now + timedelta(seconds=seconds)
        if row is None:
            return
        if row.state is not State.DELETING:
            self.world.row = replace(row, state=State.DELETING, since=self.world.now, destroy_at=until)
        elif not row.destroying:
            self.world.row = replace(row, destroy_at=until if not seconds else row.destroy_at)

    @precondition(lambda self: self.world.row is not None and self.world.row.state is State.DELETING)
    @rule()
    def the_deletion_is_undone(self) -> None:
        row = self.world.row
        if row and row.state is State.DELETING and not row.destroying and row.destroy_at > self.world.now:
            self.world.row = row.again(self.world.now)

    @precondition(lambda self: self.world.row is not None and self.world.row.state is State.FAILED)
    @rule()
    def the_store_is_tried_again(self) -> None:
        row = self.world.row
        if row and row.state is State.FAILED:
            self.world.row = row.again(self.world.now)

    @precondition(lambda self: self.world.row is None and not self.world.helms)
    @rule()
    def a_store_of_the_same_name_is_created(self) -> None:
        self.world.row = Row(next(self.ids), State.REQUESTED, self.world.now)

    # What must be true

    @invariant()
    def what_is_somebody_elses_is_as_it_was(self) -> None:
        if self.theirs is not None:
            assert self.world.namespace is self.theirs
            assert vars(self.theirs) == self.as_it_was

    def teardown(self) -> None:
        world = self.world
        wanted = world.row is not None and world.row.state is not State.DELETING
        world.settle()
        assert (world.row is not None) == wanted
        self.somebody_else_leaves_it()
        if world.namespace is not None and world.namespace.release is Release.UNMANAGED:
            world.namespace.release = Release.ABSENT
        self.the_store_is_tried_again()
        world.settle()
        if wanted:
            assert world.row is not None
            assert world.row.state is State.READY, "a retry is no dead end"
            world.look(world.engines[world.leader])
            assert world.steps[-1] is Do.WAIT, "it has come to rest"
            self._goes_to_each_release()

    def _goes_to_each_release(self) -> None:
        """With nothing in the way: upgraded, and back to whatever Helm keeps."""
        world = self.world
        self.the_platform_is_upgraded()
        self.the_store_is_upgraded()
        world.settle()
        assert world.row is not None
        assert world.namespace is not None
        assert (world.row.state, world.namespace.spec) == (State.READY, world.present)
        for spec in sorted(world.namespace.kept):
            world.row = world.row.again(world.now, pinned=spec)
            world.settle()
            assert (world.row.state, world.row.pinned, world.namespace.spec) == (State.READY, spec, spec)
            world.look(world.engines[world.leader])
            assert world.steps[-1] is Do.WAIT, "nothing puts the newer one back"


Histories.TestCase.settings = settings(max_examples=300, stateful_step_count=40, phases=PHASES, derandomize=True)
TestHistories = Histories.TestCase


@pytest.mark.parametrize("undone", [False, True])
def test_what_was_taken_back_in_time_is_as_it_was(undone):
    world = World()
    world.settle()
    world.namespace.data = 7
    world.row = replace(world.row, state=State.DELETING, since=world.now, destroy_at=world.now + timedelta(seconds=9))
    for _ in range(5):
        world.look(world.engines[0])
        world.tick()
    assert world.namespace.replicas == 0
    if undone:
        world.row = world.row.again(world.now)
    world.settle()
    if undone:
        assert world.row.state is State.READY
        assert world.namespace.data == 7
        assert not DESTRUCTIVE & set(world.steps)
    else:
        assert world.row is None
        assert world.namespace is None


def test_where_the_earlier_release_is_lost_the_present_one_takes_its_place():
    world = World()
    world.settle()
    world.present += 1
    world.row = world.row.again(world.now)
    world.settle()
    world.row = world.row.again(world.now, pinned=1)
    world.settle()
    assert world.namespace.spec == 1
    world.namespace = None  # it is deleted by hand, Helm's records with it
    world.settle()
    assert (world.row.state, world.row.pinned, world.namespace.spec) == (State.READY, None, 2)
