"""The steps of a store, derived from its timeline."""

from datetime import UTC, datetime, timedelta

import pytest

from components.stepper import (
    DELETING,
    LEAST_PATIENCE,
    PATIENCE,
    SETTING_UP,
    Mark,
    late_at,
    medians,
    share_done,
    steps,
    total,
    with_usual,
)

BEGIN = datetime(2026, 1, 2, 12, 1, tzinfo=UTC)


def marks(**seconds: float) -> list[Mark]:
    """Events by their kind (a dot is written as _), so many seconds after the beginning."""
    return [Mark(kind.replace("_", "."), BEGIN + timedelta(seconds=each)) for kind, each in seconds.items()]


def states(state: str, events: list[Mark], culprit: str = "") -> list[str]:
    return [step.state for step in steps(state, events, culprit)]


def test_a_store_in_the_queue_has_nothing_in_progress():
    assert states("REQUESTED", marks(store_requested=0)) == ["done", *["next"] * 5]


def test_the_first_step_that_has_not_ended_is_in_progress_since_the_one_before_it():
    found = steps("PROVISIONING", marks(store_requested=0, namespace_created=1, ingress_created=2))
    assert [step.state for step in found] == ["done", "done", "now", "next", "done", "next"]
    assert found[2].since == BEGIN + timedelta(seconds=1)


def test_times_run_from_step_to_step_and_add_up():
    events = marks(
        store_requested=0, namespace_created=1, ingress_created=2, postgres_ready=6, medusa_ready=10, store_ready=11
    )
    found = steps("READY", events)
    assert [step.seconds for step in found] == [0, 1, 5, 4, 0, 1]
    assert sum(step.seconds or 0 for step in found) == total(events) == 11
    assert share_done(found) == 1


def test_a_ready_store_is_through_all_steps_whatever_its_timeline_misses():
    assert set(states("READY", marks(store_requested=0, store_ready=9))) == {"done"}


def test_a_failure_stands_at_the_part_that_failed():
    events = marks(store_requested=0, namespace_created=1)
    assert states("FAILED", events) == ["done", "done", "failed", "next", "next", "next"]
    assert states("FAILED", events, "medusa") == ["done", "done", "next", "failed", "next", "next"]
    assert states("FAILED", [*events, *marks(medusa_ready=3)], "medusa")[2] == "failed"


@pytest.mark.parametrize("anew", ["retry_requested", "undelete_requested", "upgrade_requested"])
def test_after_a_retry_or_an_undone_deletion_times_begin_anew(anew: str):
    events = marks(store_requested=0, namespace_created=1, **{anew: 600}, postgres_ready=604, store_ready=610)
    assert steps("PROVISIONING", events)[2].seconds == 4
    assert total(events) == 10


def test_a_store_that_was_ready_and_is_on_its_way_again_is_not_through():
    events = marks(
        store_requested=0, namespace_created=1, postgres_ready=2, medusa_ready=3, ingress_created=4, store_ready=5
    )
    assert states("PROVISIONING", events)[-1] == "now"


@pytest.mark.parametrize("wish", ["upgrade_requested", "rollback_requested"])
def test_on_the_way_to_another_release_the_pod_of_the_one_before_does_not_count(wish: str):
    before = marks(
        store_requested=0, namespace_created=1, postgres_ready=2, ingress_created=4, medusa_ready=5, store_ready=5
    )
    asked = [*before, *marks(**{wish: 60})]
    assert states("PROVISIONING", asked) == ["done", "done", "done", "now", "done", "next"]
    assert states("FAILED", [*asked, *marks(retry_requested=70)], "medusa")[3] == "failed"
    at_once = [*before, *marks(**{wish: 5})]  # within the second in which it came up: times are whole seconds
    assert states("FAILED", at_once, "medusa") == ["done", "done", "done", "failed", "done", "next"]
    up = [*asked, *marks(medusa_ready=64)]
    assert states("PROVISIONING", up)[3:] == ["done", "done", "now"]
    found = steps("READY", [*up, *marks(store_ready=65)])
    assert [step.seconds for step in found][3:] == [4, 0, 1]
    assert total([*up, *marks(store_ready=65)]) == 5


def test_a_deletion_has_steps_of_its_own():
    events = marks(store_requested=0, store_ready=9, store_deleting=20, release_uninstalled=24)
    found = steps("DELETING", events)
    assert [step.key for step in found] == [key for key, _ in DELETING]
    assert [step.state for step in found] == ["done", "done", "now", "next"]
    assert found[1].seconds == 4


@pytest.mark.parametrize("state", ["REQUESTED", "PROVISIONING", "READY", "FAILED", "DELETING"])
def test_without_any_event_there_are_still_steps(state: str):
    assert len(steps(state, [])) in (len(SETTING_UP), len(DELETING))
    assert total([]) is None


def test_what_happens_to_a_shop_that_runs_is_no_step_of_its_way():
    events = marks(
        store_requested=0, namespace_created=1, ingress_created=2, postgres_ready=6, medusa_ready=10, store_ready=11
    )
    later = [*events, *marks(medusa_ready=86_400)]  # the pod was replaced the day after
    assert steps("READY", later) == steps("READY", events)


def test_what_is_usual_is_the_median_of_what_was_seen_often_enough():
    ways = [steps("READY", marks(store_requested=0, namespace_created=1, store_ready=end)) for end in (5, 7, 60)]
    usual = medians(ways, fewest=3)
    assert usual["page"] == 0
    assert usual["postgres"] == 6
    assert medians(ways, fewest=4) == {}
    found = with_usual(steps("PROVISIONING", marks(store_requested=0)), usual)
    assert [step.usual for step in found] == [usual[step.key] for step in found]


def test_a_step_is_late_when_it_has_taken_well_beyond_what_is_usual():
    events = marks(store_requested=0, namespace_created=1)

    def late_after(usual: dict[str, float], culprit: str = "") -> float | None:
        late = late_at(with_usual(steps("PROVISIONING", events, culprit), usual))
        return (late - BEGIN).total_seconds() if late else None

    assert late_after({"postgres": 20}) == 1 + 2 * 20 + 5
    assert late_after({"postgres": 20, "medusa": 10}, "medusa") == 1 + 2 * 30 + 5, "the database comes first"
    assert late_after({"postgres": 2}) == 1 + LEAST_PATIENCE
    assert late_after({}) == 1 + PATIENCE
    assert late_at(steps("READY", events)) is None
    assert late_at(steps("PROVISIONING", [])) is None
