"""How long a store will take: its place in the queue, and the seconds until it is READY by what recent ones took.

The order is the engine's own (`provisioning.admission`), so that what people are told is what happens.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import admission
from provisioning.models import Attempt, Store, now
from provisioning.states import IN_FLIGHT, State

RECENT = 20  # so many of the last stores that became READY for the first time tell what one takes


@dataclass(frozen=True)
class Waits:
    """What there is to tell about the stores that are on their way."""

    positions: dict[str, int] = field(default_factory=dict)  # store id -> place in the queue, 1 is next
    etas: dict[str, int] = field(default_factory=dict)  # store id -> seconds until READY; empty: nobody knows yet

    def position(self, store: Store) -> int | None:
        """Its place in the queue; None when it is not in it."""
        return self.positions.get(store.id)

    def seconds(self, store: Store) -> int | None:
        """Until READY; None when it is not on its way or when nobody knows."""
        return self.etas.get(store.id)

    def place_frees_in(self) -> int | None:
        """Seconds until the first store that is on its way is through; None when nobody knows."""
        return min(self.etas.values(), default=None)


def expected(
    working: Mapping[str, float], queue: Sequence[str], at_once: int, typical: float, at: float
) -> dict[str, int]:
    """Seconds until each store is READY if each takes `typical` seconds, 0 where it takes longer: of those at work (by
    store id, when it began), and of those that take their places one by one in the order of `queue`.

    Pure; times in seconds of one clock.
    """
    ends = {store_id: max(at, begun + typical) for store_id, begun in working.items()}
    # When each place is free, the soonest first; of more stores at work than places, the first to end free none.
    places = [*[at] * (at_once - len(ends)), *sorted(ends.values())[-at_once:]]
    for store_id in queue:
        ends[store_id] = heapq.heappop(places) + typical
        heapq.heappush(places, ends[store_id])
    return {store_id: max(0, round(end - at)) for store_id, end in ends.items()}


async def look(session: AsyncSession, at_once: int) -> Waits:
    """The queue and the recent past, as the database has them."""
    on_the_way = list(await session.exec(select(Store).where(col(Store.state).in_(IN_FLIGHT))))
    working = [store for store in on_the_way if store.state is State.PROVISIONING]
    queue = admission.order(
        [
            admission.Waiting(store.id, store.owner_id, store.state_at)
            for store in on_the_way
            if store.state is State.REQUESTED
        ],
        [store.owner_id for store in working],
    )
    typical = await _typical(session)
    etas: dict[str, int] = {}
    if typical is not None:
        begun = {store.id: store.state_at.timestamp() for store in working}
        etas = expected(begun, queue, at_once, typical, now().timestamp())
    return Waits({store_id: place for place, store_id in enumerate(queue, start=1)}, etas)


async def _typical(session: AsyncSession) -> float | None:
    """The median of the seconds that the last new stores took to READY: an upgrade or a retry is no guide."""
    new = (col(Attempt.code) == "", col(Attempt.again).is_(False))
    newest = select(Attempt.seconds).where(*new).order_by(col(Attempt.id).desc()).limit(RECENT)
    took = list(await session.exec(newest))
    return median(took) if took else None
