"""The states of a store and the only ways from one to another, as data.

Every change of state goes through `Database.transition`, which refuses what this table does not name.
"""

from enum import StrEnum


class State(StrEnum):
    """What the specification calls a store's state; stored and shown under these words."""

    REQUESTED = "REQUESTED"  # accepted, waits for a free place
    PROVISIONING = "PROVISIONING"  # one of the few that are being worked on
    READY = "READY"  # the shop answered through the ingress
    FAILED = "FAILED"  # given up, with a reason; "retry" or "delete" go on from here
    DELETING = "DELETING"  # ends with the row's removal


LEGAL: dict[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.PROVISIONING, State.FAILED, State.DELETING}),
    State.PROVISIONING: frozenset({State.READY, State.FAILED, State.DELETING}),
    State.READY: frozenset({State.REQUESTED, State.DELETING}),
    State.FAILED: frozenset({State.REQUESTED, State.DELETING}),
    State.DELETING: frozenset({State.REQUESTED}),
}
"""From each state, the states that may follow.  REQUESTED again: an upgrade, a retry or an undone deletion,
through the queue; FAILED after an upgrade, the way back to the revision before is the same.

Out of DELETING only while nothing is destroyed: that the UPDATE itself asks, see `Database.transition`."""

IN_FLIGHT = frozenset({State.REQUESTED, State.PROVISIONING})
"""Counted against the limit of stores that are requested or provisioning at the same time."""


class IllegalTransition(Exception):
    """A change of state that `LEGAL` does not name."""

    def __init__(self, before: State, after: State) -> None:
        super().__init__(f"a {before} store cannot become {after}")
        self.before, self.after = before, after


def check(before: State, after: State) -> None:
    """Raise IllegalTransition unless a store in state `before` may become `after`."""
    if after not in LEGAL[before]:
        raise IllegalTransition(before, after)
