"""How long a store will take: its place in the queue, and the seconds until it is READY by what recent ones took."""

from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import admission
from provisioning.models import Store, Transition, now
from provisioning.states import IN_FLIGHT, State

RECENT = 20  # so many of the last stores that became READY tell what one takes


@dataclass(frozen=True)
class Waits:
    """What there is to tell about the stores that are on their way."""

    at: datetime
    at_once: int = 1
    positions: dict[str, int] = field(default_factory=dict)  # store id -> place in the queue, 1 is next
    typical: float | None = None  # seconds from PROVISIONING to READY; None: nobody knows yet

    def position(self, store: Store) -> int | None:
        """Its place in the queue; None when it is not in it."""
        return self.positions.get(store.id)

    def seconds(self, store: Store) -> int | None:
        """Until READY; None when it is not on its way or when nobody knows."""
        if self.typical is None or store.state not in IN_FLIGHT:
            return None
        if store.state is State.PROVISIONING:
            return max(1, round(self.typical - (self.at - store.state_at).total_seconds()))
        rounds_before = (self.positions.get(store.id, 1) - 1) // self.at_once
        return max(1, round(self.typical * (rounds_before + 1)))


async def look(session: AsyncSession, at_once: int) -> Waits:
    """The queue and the recent past, as the database has them."""
    on_the_way = list(await session.exec(select(Store).where(col(Store.state).in_(IN_FLIGHT))))
    queue = admission.order(
        [
            admission.Waiting(store.id, store.owner_id, store.state_at)
            for store in on_the_way
            if store.state is State.REQUESTED
        ],
        [store.owner_id for store in on_the_way if store.state is State.PROVISIONING],
    )
    positions = {store_id: place for place, store_id in enumerate(queue, start=1)}
    return Waits(now(), at_once, positions, await _typical(session))


async def _typical(session: AsyncSession) -> float | None:
    """The median of the seconds that the last stores took from PROVISIONING to READY."""
    ready = list(
        await session.exec(
            select(Transition)
            .where(col(Transition.after) == State.READY)
            .order_by(col(Transition.id).desc())
            .limit(RECENT)
        )
    )
    began = list(
        await session.exec(
            select(Transition)
            .where(
                col(Transition.after) == State.PROVISIONING,
                col(Transition.store_id).in_({end.store_id for end in ready}),
            )
            .order_by(col(Transition.id))
        )
    )
    took = []
    for end in ready:
        starts = [start.at for start in began if start.store_id == end.store_id and start.at <= end.at]
        if starts:
            took.append((end.at - max(starts)).total_seconds())
    return median(took) if took else None
