"""How many stores somebody may ask for: of their own, within an hour from one address, and all people together.

Everything is counted in the database, so that replicas and restarts agree: stores by their rows, until nothing is left
of them, and what was created in the last hour by the audit trail, which outlives the stores.  Administrators could give
themselves any number, so only the number of stores in all binds them.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.actor import Actor
from app.models import User
from app.problems import Problem
from app.settings import Settings
from provisioning.models import AuditEntry, Outcome, Store, now

CREATE = "store.create"  # as the audit trail calls it
HOUR = timedelta(hours=1)


class Allowance(BaseModel):
    """How many there may be, and how many of them are left."""

    of: int
    left: int


class LimitsView(BaseModel):
    """What binds the caller; null: nothing does."""

    stores: Allowance | None  # of their own
    creations_an_hour: Allowance | None  # from the address that they ask from
    platform_full: bool  # are there as many stores in all as there may be?


@dataclass(frozen=True)
class Standing:
    """How it stands with somebody's limits.  (how many there are, how many there may be); None: not limited."""

    stores: tuple[int, int] | None
    creations: tuple[int, int] | None
    in_all: tuple[int, int]
    next_creation_in: int = 0  # seconds, where the hour's creations are used up

    def refusal(self) -> Problem | None:
        """Why there can be no new store now.  First what waiting does not help against."""
        if self.stores and self.stores[0] >= self.stores[1]:
            return Problem(
                403,
                f"You have as many stores as you may have ({self.stores[1]}). Delete one that you do not need, which "
                "counts until nothing is left of it, or ask an administrator for more.",
            )
        if self.in_all[0] >= self.in_all[1]:
            return Problem(
                403, f"The platform has as many stores as it may have ({self.in_all[1]}). Ask its administrator."
            )
        if self.creations and self.creations[0] >= self.creations[1]:
            minutes = math.ceil(self.next_creation_in / 60)
            return Problem(
                429,
                f"{self.creations[1]} stores an hour can be created from one address. The next one can be in "
                f"{minutes} minute{'' if minutes == 1 else 's'}.",
                retry_after=self.next_creation_in,
            )
        return None

    def view(self) -> LimitsView:
        return LimitsView(
            stores=_allowance(self.stores),
            creations_an_hour=_allowance(self.creations),
            platform_full=self.in_all[0] >= self.in_all[1],
        )


async def look(session: AsyncSession, settings: Settings, actor: Actor) -> Standing:
    """How it stands now.  Who creates by it holds the lock `Exclusive.REQUEST`."""
    in_all = ((await session.exec(select(func.count()).select_from(Store))).one(), settings.stores_in_all)
    if actor.admin:
        return Standing(None, None, in_all)
    own = (await session.exec(select(func.count()).where(col(Store.owner_id) == actor.user_id))).one()
    given = (await session.exec(select(User.store_limit).where(col(User.id) == actor.user_id))).first()
    stores = (own, settings.stores_per_user if given is None else given)
    if not actor.address:  # not by a connection
        return Standing(stores, None, in_all)
    at = now()
    query = (
        select(AuditEntry.at)
        .where(
            col(AuditEntry.at) > at - HOUR,
            col(AuditEntry.action) == CREATE,
            col(AuditEntry.outcome) == Outcome.OK.value,
            col(AuditEntry.address) == actor.address,
        )
        .order_by(col(AuditEntry.at).desc())
        .limit(settings.creations_an_hour)
    )
    created = list(await session.exec(query))
    creations = (len(created), settings.creations_an_hour)
    return Standing(stores, creations, in_all, _seconds_until(created[-1] + HOUR, at) if created else 0)


def _seconds_until(then: datetime, at: datetime) -> int:
    return max(1, math.ceil((then - at).total_seconds()))


def _allowance(counted: tuple[int, int] | None) -> Allowance | None:
    return Allowance(of=counted[1], left=max(0, counted[1] - counted[0])) if counted else None
