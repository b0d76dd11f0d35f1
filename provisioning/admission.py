"""In which order waiting stores get a free place: first come first served, but fair over owners.

Pure.  One owner's ten do not hold up another's one: whoever has least being worked on or ahead in the queue comes next.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Waiting:
    """A store that waits for a place."""

    id: str
    owner_id: str
    since: datetime


def order(waiting: Iterable[Waiting], working_owners: Iterable[str]) -> list[str]:
    """The ids of `waiting` in the order in which they will be taken, given whose stores are being worked on."""
    taken = Counter(working_owners)
    turns: list[tuple[int, datetime, str]] = []
    for store in sorted(waiting, key=lambda store: (store.since, store.id)):
        turns.append((taken[store.owner_id], store.since, store.id))
        taken[store.owner_id] += 1
    return [store_id for _, _, store_id in sorted(turns)]
