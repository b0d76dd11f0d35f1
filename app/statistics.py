"""The platform's figures over a time: how many stores, how fast, how often it failed and why.

Made by the database from what outlives the stores: attempts to bring one up, and the audit trail's requests and
deletions.  A percentile is the nearest rank: the smallest time that so many of a hundred did not exceed, a time that
really was.  Both databases count it by the same window function.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from sqlalchemy import BigInteger, ColumnElement, Select, case, cast, extract, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.actor import Actor
from app.problems import Problem
from provisioning.database import Database
from provisioning.models import Attempt, AuditEntry, Outcome, Store, now
from provisioning.states import State

KEPT = 1.0  # seconds, at least, that an answer is given again: many pages that follow one change cost as much as one
KEPT_TIMES = 20  # as long as it took: however much there is to count, it takes the twentieth part of the time;
KEPT_AT_MOST = 15.0  # seconds: who looks is not left behind for longer
PERCENTILES = (50, 95, 99)
_AUDITED = {"store.create": "requested", "store.deleted": "deleted"}


class Span(StrEnum):
    """How far back."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


@dataclass(frozen=True)
class _Steps:
    count: int
    width: timedelta


STEPS = {
    Span.HOUR: _Steps(12, timedelta(minutes=5)),
    Span.DAY: _Steps(24, timedelta(hours=1)),
    Span.WEEK: _Steps(28, timedelta(hours=6)),
    Span.MONTH: _Steps(30, timedelta(days=1)),
}


class Times(BaseModel):
    """Of stores that became READY for the first time: how many, and the seconds from their place to READY."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None


class Failures(BaseModel):
    """How often stores failed of one cause."""

    code: str  # as in a store's `reason`
    count: int


class Step(BaseModel):
    """What happened from `at` until the next step."""

    at: datetime
    requested: int
    ready: int
    failed: int
    deleted: int
    p50: float | None
    p95: float | None


class Figures(BaseModel):
    """What happened since `since`."""

    span: Span
    since: datetime
    until: datetime
    step_seconds: int
    active: int  # stores that are READY now
    stores: int  # that are there now, in whatever state
    requested: int
    ready: int  # attempts that ended so
    failed: int
    deleted: int
    ready_an_hour: float
    failure_rate: float | None  # of the attempts that ended; None: none did
    provisioning: Times
    failures: list[Failures]  # the most frequent first
    steps: list[Step]  # oldest first, the last one not over yet


class Statistics:
    """The service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[Span, tuple[float, Figures]] = {}  # and until when each is given again
        self._asking = asyncio.Lock()

    async def over(self, actor: Actor, span: Span) -> Figures:
        """The figures up to now.  Problem 403 for all but administrators."""
        if not actor.admin:
            raise Problem(403, "This is for administrators.")
        async with self._asking:
            begun = time.monotonic()
            kept_until, figures = self._known.get(span, (begun, None))
            if figures is None or begun >= kept_until:
                async with self._database.session() as session:
                    figures = await count(session, span, now())
                ended = time.monotonic()
                self._known[span] = (ended + min(max(KEPT, KEPT_TIMES * (ended - begun)), KEPT_AT_MOST), figures)
        return figures


async def count(session: AsyncSession, span: Span, until: datetime) -> Figures:
    """The figures at the time `until`, which lies in the last step."""
    steps = STEPS[span]
    width = int(steps.width.total_seconds())
    begin = (int(until.timestamp()) // width - steps.count + 1) * width
    since = datetime.fromtimestamp(begin, UTC)
    numbers: dict[str, Counter[int]] = {name: Counter() for name in ("requested", "ready", "failed", "deleted")}

    step = _step(col(AuditEntry.at), begin, width)
    query = select(step, AuditEntry.action, func.count()).group_by(step, col(AuditEntry.action))
    audited = (col(AuditEntry.at) >= since, col(AuditEntry.outcome) == Outcome.OK.value)
    for number, action, many in await session.exec(query.where(*audited, col(AuditEntry.action).in_(_AUDITED))):
        numbers[_AUDITED[action]][number] += many

    step = _step(col(Attempt.ended_at), begin, width)
    recent = col(Attempt.ended_at) >= since
    codes = Counter[str]()
    query = select(step, Attempt.code, func.count()).where(recent).group_by(step, col(Attempt.code))
    for number, code, many in await session.exec(query):
        numbers["failed" if code else "ready"][number] += many
        codes[code] += many
    del codes[""]

    times = {row.part: row for row in await session.exec(_percentiles(step, recent))}
    states: dict[State, int] = dict((await session.exec(select(Store.state, func.count()).group_by(Store.state))).all())

    total = {name: sum(by_step.values()) for name, by_step in numbers.items()}
    ended = total["ready"] + total["failed"]
    return Figures(
        span=span,
        since=since,
        until=until,
        step_seconds=width,
        active=states.get(State.READY, 0),
        stores=sum(states.values()),
        **total,
        ready_an_hour=total["ready"] / ((until - since).total_seconds() / 3600),
        failure_rate=total["failed"] / ended if ended else None,
        provisioning=Times(
            count=sum(row.many for row in times.values()),
            **{f"p{share}": _smallest(getattr(row, f"all{share}") for row in times.values()) for share in PERCENTILES},
        ),
        failures=[
            Failures(code=code, count=codes[code]) for code in sorted(codes, key=lambda each: (-codes[each], each))
        ],
        steps=[
            Step(
                at=since + number * steps.width,
                p50=times[number].p50 if number in times else None,
                p95=times[number].p95 if number in times else None,
                **{name: by_step[number] for name, by_step in numbers.items()},
            )
            for number in range(steps.count)
        ],
    )


def _step(at: ColumnElement[datetime], begin: int, width: int) -> ColumnElement[int]:
    """The number of the step in which a time lies, as exactly as SQLite reads times: by the millisecond."""
    return (cast(func.floor(extract("epoch", at)), BigInteger) - begin) // width


def _percentiles(part: ColumnElement[int], recent: ColumnElement[bool]) -> Select[Any]:
    """For each `part`: how `many` stores became READY for the first time in it, and p50, p95, p99 of their seconds.

    all50, all95, all99: the smallest of its times from the percentile of all parts on; the smallest of these is it.
    """
    seconds = col(Attempt.seconds)
    ranked = (
        select(
            part.label("part"),
            seconds.label("seconds"),
            func.row_number().over(partition_by=part, order_by=seconds).label("rank"),
            func.count().over(partition_by=part).label("many"),
            func.row_number().over(order_by=seconds).label("rank_of_all"),
            func.count().over().label("all"),
        )
        .where(recent, col(Attempt.code) == "", col(Attempt.again).is_(False))
        .subquery()
    )
    row = ranked.c
    nearest = [
        func.min(case((rank * 100 >= many * share, row.seconds))).label(f"{name}{share}")
        for share in PERCENTILES
        for name, rank, many in (("p", row.rank, row.many), ("all", row.rank_of_all, row.all))
    ]
    return select(row.part, func.min(row.many).label("many"), *nearest).group_by(row.part)


def _smallest(times: Iterable[float | None]) -> float | None:
    return min((time for time in times if time is not None), default=None)
