"""How long each step to a shop usually takes: the median of what it took the stores before.

Read from the timelines that the database has, so it outlives a restart and is the same in every process; asked at most
once a minute for each template.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping

from sqlmodel import col, select

from components.stepper import ANEW, SETTING_UP, Mark, medians, steps
from provisioning.database import Database
from provisioning.models import Event, Store, Transition
from provisioning.states import State

RECENT = 30  # so many of the last stores that became READY
FEWEST = 3  # of less it is not said what is usual
KEPT = 60.0  # seconds
KEPT_NOTHING = 5.0  # that nothing is known yet

_KINDS = [*(kind for _, kind in SETTING_UP), *ANEW]


class Usual:
    """One for the process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, Mapping[str, float]]] = {}  # by template
        self._asking = asyncio.Lock()

    async def steps(self, template: str) -> Mapping[str, float]:
        """Seconds by the step's key; nothing while too few stores of the template have come up."""
        async with self._asking:
            known = self._known.get(template)
            if known is None or time.monotonic() - known[0] > (KEPT if known[1] else KEPT_NOTHING):
                known = self._known[template] = time.monotonic(), await self._ask(template)
        return known[1]

    async def _ask(self, template: str) -> Mapping[str, float]:
        newest = (
            select(Transition.store_id)
            .join(Store, col(Store.id) == col(Transition.store_id))
            .where(col(Transition.after) == State.READY, col(Store.template) == template)
            .order_by(col(Transition.id).desc())
            .limit(RECENT)
        )
        async with self._database.session() as session:
            ids = set(await session.exec(newest))
            query = (
                select(Event.store_id, Event.kind, Event.at)
                .where(col(Event.store_id).in_(ids), col(Event.kind).in_(_KINDS))
                .order_by(col(Event.at), col(Event.id))
            )
            timelines: dict[str, list[Mark]] = defaultdict(list)
            for store_id, kind, at in await session.exec(query):
                timelines[store_id].append(Mark(kind, at))
        first_ways = [_first_way(each) for each in timelines.values()]
        return medians((steps("READY", way) for way in first_ways if way), FEWEST)


def _first_way(timeline: list[Mark]) -> list[Mark]:
    """From the wish to the first READY; nothing of a store that needed more than one try."""
    kinds = [mark.kind for mark in timeline]
    way = timeline[: kinds.index("store.ready") + 1] if "store.ready" in kinds else []
    return [] if any(mark.kind in ANEW for mark in way) else way
