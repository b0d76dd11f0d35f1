"""How often passwords can be tried, counted in the database, so that replicas and restarts agree.

Measures of different width, since each alone fails: one account from one address strictly; one address, which may try
many accounts; one account from everywhere, against many addresses.  By themselves they would let a stranger shut
somebody out.  So a browser in which the account has been signed in before is a place of its own, whatever its address,
and the last measure does not hold there (OWASP's device cookies).

An account that is not there is counted like one that is, and while a measure is full no password is looked at: the
answer and its time tell nothing.  What is refused is not counted, so nobody is kept out for longer than the measure
lasts.  An attempt is counted before its password is looked at and taken back when it was right: a thousand at once are
no more than the measure.
"""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import update
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app import proofs
from app.models import SignInFailure
from app.problems import Problem
from provisioning import audit
from provisioning.audit import Who
from provisioning.database import Database, Exclusive, one_at_a_time
from provisioning.models import Outcome, now

WITHIN = timedelta(minutes=15)


@dataclass(frozen=True)
class Measure:
    """So many failures WITHIN are the most."""

    name: str
    failures: int
    by_account: bool
    by_place: bool

    def holds(self, failure: SignInFailure, other: SignInFailure) -> bool:
        """Are they counted together?"""
        return (not self.by_account or failure.account == other.account) and (
            not self.by_place or failure.place == other.place
        )


MEASURES = (
    Measure("account and address", 5, by_account=True, by_place=True),
    Measure("address", 30, by_account=False, by_place=True),
    Measure("account", 100, by_account=True, by_place=False),
)
IN_A_KNOWN_BROWSER = tuple(measure for measure in MEASURES if measure.by_place)


@dataclass
class Attempt:
    """A password that is being looked at.  `right` is set when it was."""

    failure: SignInFailure
    who: Who
    right: bool = field(default=False)


class Throttle:
    """The service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def attempt(self, account: str, who: Who, *, browser: str = "") -> AsyncIterator[Attempt]:
        """Look at a password for `account` inside.  `who` tries it, for the audit trail.  Problem 429 instead.

        `browser`: an id of the one that it is tried in, where the account is known to have been signed in there.
        """
        failure = SignInFailure(account=proofs.digest(account), place=browser or _place(who.address))
        async with self._database.writing(), self._database.session() as session:
            await one_at_a_time(session, Exclusive.SIGN_IN)
            # On SQLite this makes us the only writer: what is counted below is all that there is.
            await session.exec(delete(SignInFailure).where(col(SignInFailure.at) <= failure.at - WITHIN))
            before = await _together(session, failure)
            for measure in IN_A_KNOWN_BROWSER if browser else MEASURES:
                counted = [each for each in before if measure.holds(failure, each)]
                if len(counted) >= measure.failures:
                    raise _refusal(counted[-measure.failures], failure)
            session.add(failure)
            await session.commit()
        attempt = Attempt(failure, who)
        try:
            yield attempt
        finally:
            await (self._forget(failure) if attempt.right else self._tell(attempt))

    async def _forget(self, failure: SignInFailure) -> None:
        """Who knows the password may have mistyped it before."""
        pair = (col(SignInFailure.account) == failure.account, col(SignInFailure.place) == failure.place)
        async with self._database.writing(), self._database.session() as session:
            await session.exec(delete(SignInFailure).where(*pair))
            await session.commit()

    async def _tell(self, attempt: Attempt) -> None:
        """Write down, once, that a measure is full."""
        failure = attempt.failure
        async with self._database.writing(), self._database.session() as session:
            await one_at_a_time(session, Exclusive.SIGN_IN)
            counted = await _together(session, failure)
            for measure in MEASURES:
                these = [each for each in counted if measure.holds(failure, each)]
                if len(these) < measure.failures or any(each.filled == measure.name for each in these):
                    continue
                filled = update(SignInFailure).where(col(SignInFailure.id) == failure.id)
                await session.exec(filled.values(filled=measure.name))
                error = f"Too many wrong passwords for one {measure.name}: none is looked at for a while."
                detail = {"measure": measure.name, "failures": measure.failures, "seconds": WITHIN.total_seconds()}
                await audit.append(
                    session, attempt.who, "sign_in.throttled", outcome=Outcome.REFUSED, error=error, detail=detail
                )
                await session.commit()
                break  # a stricter one tells for the others


async def _together(session: AsyncSession, failure: SignInFailure) -> list[SignInFailure]:
    """What any measure counts together with it, the oldest first."""
    query = (
        select(SignInFailure)
        .where(
            (col(SignInFailure.account) == failure.account) | (col(SignInFailure.place) == failure.place),
            col(SignInFailure.at) > now() - WITHIN,
        )
        .order_by(col(SignInFailure.at), col(SignInFailure.id))
    )
    return list(await session.exec(query))


def _refusal(first_to_go: SignInFailure, failure: SignInFailure) -> Problem:
    seconds = max(1, math.ceil((first_to_go.at + WITHIN - failure.at).total_seconds()))
    minutes = math.ceil(seconds / 60)
    return Problem(
        429,
        f"There were too many attempts. Try again in {minutes} minute{'' if minutes == 1 else 's'}.",
        retry_after=seconds,
    )


def _place(address: str) -> str:
    """What one person has of addresses: with IPv6 a whole network."""
    try:
        known = ip_address(address)
    except ValueError:
        return address[:64]
    return str(ip_network((known, 64), strict=False)) if isinstance(known, IPv6Address) else str(known)
