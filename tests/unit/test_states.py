"""The table of states: what may follow what, and that nothing else may."""

import pytest

from provisioning.states import LEGAL, IllegalTransition, State, check


def test_every_state_can_be_deleted_and_only_undoing_it_leads_out_again():
    for state in State:
        if state is not State.DELETING:
            check(state, State.DELETING)
    assert LEGAL[State.DELETING] == {State.REQUESTED}


def test_no_state_is_a_dead_end():
    """From anywhere a store can come to READY or be deleted."""
    for state in set(State) - {State.DELETING}:
        reached, frontier = {state}, [state]
        while frontier:
            for after in LEGAL[frontier.pop()] - reached:
                reached.add(after)
                frontier.append(after)
        assert {State.READY, State.DELETING} <= reached


@pytest.mark.parametrize(("before", "after"), [(b, a) for b in State for a in State if a not in LEGAL[b]])
def test_what_the_table_does_not_name_is_refused(before, after):
    with pytest.raises(IllegalTransition, match=f"a {before} store cannot become {after}"):
        check(before, after)
