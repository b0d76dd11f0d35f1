"""Why something cannot be done with a store, in words for whoever asked for it.

Beside the service that decides it, so that the sentences can be read, and kept alike, in one place.
"""

from collections.abc import Collection
from datetime import UTC, datetime

from app.problems import Problem
from provisioning.models import Store, now
from provisioning.states import State

DELETION_TAKES = 10  # seconds to tell who waits for a name to become free


def bad_input(field: str, sentence: str) -> Problem:
    return Problem(422, sentence, extra={"errors": [{"field": field, "detail": sentence}]})


def taken(name: str) -> Problem:
    return Problem(409, f"The name “{name}” is taken. Choose another name.")


def not_undone(store: Store) -> Problem:
    if store.state is not State.DELETING:
        return Problem(409, f"The store is {store.state}; only a deletion can be undone.")
    return Problem(409, "The deletion cannot be undone any more: the store is being destroyed.")


def nothing_newer(store: Store) -> Problem:
    if store.state is State.FAILED:
        return Problem(409, "The store failed on its way to the newest release: retry it.")
    return Problem(409, "There is nothing to upgrade to: the store has the newest release.")


def no_revision(store: Store, there: Collection[int]) -> Problem:
    if not there:
        return Problem(409, "There is no earlier release of this store to roll back to.")
    numbers = ", ".join(str(each) for each in there)
    return Problem(409, f"The store cannot be rolled back to this revision. Choose one of: {numbers}.")


def sealed_by_another_key() -> Problem:
    return Problem(500, "The secrets were sealed with another key than the platform has.")


def being_deleted(name: str, until: datetime | None = None) -> Problem:
    if until is not None:
        seconds = max(0, round((until - now()).total_seconds()))
        return Problem(
            409,
            f"A store called “{name}” was deleted and can be taken back until {until.astimezone(UTC):%H:%M} UTC. "
            "Its name is free after that.",
            retry_after=seconds + DELETION_TAKES,
        )
    return Problem(
        409,
        f"A store called “{name}” is still being deleted. Try again in a moment.",
        retry_after=DELETION_TAKES,
    )
