"""The audit trail as the application keeps and shows it: what was refused, and the administrators' look at it.

What succeeds is written by the service that does it, in the same transaction.  A refusal undoes its transaction, so it
is written here, in one of its own.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy import ColumnElement, func, or_
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from app.actor import Actor
from app.problems import Problem
from provisioning import audit
from provisioning.database import Database
from provisioning.models import AuditEntry, Outcome, now

log = logging.getLogger(__name__)

_ONLY_ADMINS = "Only an administrator can read the audit trail."
_ASKED_WRONGLY = 422  # nothing could have been done: no act of anybody's


class AuditView(BaseModel):
    """An entry of the audit trail.  Texts are untrusted; "" where there is nothing to say."""

    id: int
    at: datetime
    actor: str
    actor_id: str
    token_id: str
    address: str
    action: str
    store_id: str
    store_name: str
    outcome: Outcome
    error: str
    detail: dict[str, Any]
    hash: str


class AuditPage(BaseModel):
    """Some entries, newest first, and where the older ones begin."""

    items: list[AuditView]
    next: str | None


@dataclass(frozen=True)
class AuditFilter:
    """Which entries; None: whatever it is.  `store` is a name, `user` an e-mail address, `q` how one of the two begins.

    From `since` on, and before `until`; `after`: written after the entry of this number."""

    store: str | None = None
    action: str | None = None
    user: str | None = None
    outcome: Outcome | None = None
    q: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int = 0

    def conditions(self) -> list[ColumnElement[bool]]:
        entry = AuditEntry
        same = ((entry.store_name, self.store), (entry.action, self.action), (entry.outcome, self.outcome))
        found = [col(column) == wanted.replace("\0", "") for column, wanted in same if wanted is not None]
        if self.user is not None:
            found.append(col(entry.actor) == self.user.lower().replace("\0", ""))
        if self.q is not None:
            beginning = self.q.lower().replace("\0", "")
            columns = (col(entry.actor), col(entry.store_name))
            found.append(or_(*(func.lower(column).startswith(beginning, autoescape=True) for column in columns)))
        if self.since is not None:
            found.append(col(entry.at) >= self.since.astimezone())
        if self.until is not None:
            found.append(col(entry.at) < self.until.astimezone())
        if self.after:
            found.append(col(entry.id) > self.after)
        return found


class Chain(BaseModel):
    """The end of the chain of hashes, and what a walk along all of it found."""

    count: int  # entries
    head: str  # the hash of the last one
    verified_at: datetime | None = None  # when the last walk ended; None: nobody has walked since this process began
    verified: int = 0  # entries that were in order then
    broken: str = ""  # a sentence about the first that was not


EVERYTHING = AuditFilter()


class Audit:
    """The service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._walking = asyncio.Lock()
        self._walked: Chain | None = None

    async def list(
        self, actor: Actor, wanted: AuditFilter = EVERYTHING, *, limit: int = 50, cursor: str | None = None
    ) -> AuditPage:
        """Newest first.  Problem 403 for all but administrators."""
        await self._admit(actor)
        query = select(AuditEntry).where(*wanted.conditions())
        if cursor is not None:
            query = query.where(col(AuditEntry.id) < _open_cursor(cursor))
        async with self._database.session() as session:
            found = list(await session.exec(query.order_by(col(AuditEntry.id).desc()).limit(limit + 1)))
        items = [AuditView.model_validate(each, from_attributes=True) for each in found[:limit]]
        return AuditPage(items=items, next=str(items[-1].id) if len(found) > limit else None)

    async def actions(self, actor: Actor) -> Sequence[str]:
        """The actions that entries tell of, in order.  Problem 403."""
        await self._admit(actor)
        async with self._database.session() as session:
            return list(await session.exec(select(AuditEntry.action).distinct().order_by(col(AuditEntry.action))))

    async def count(self) -> int:
        """How many entries there are: whoever sees the number change looks for the new ones."""
        async with self._database.session() as session:
            return (await audit.head(session))[0]

    async def chain(self, actor: Actor) -> Chain:
        """The chain's end, and what the last walk found.  Problem 403."""
        await self._admit(actor)
        async with self._database.session() as session:
            count, head = await audit.head(session)
        return (self._walked or Chain(count=0, head="")).model_copy(update={"count": count, "head": head})

    async def verify(self, actor: Actor) -> Chain:
        """Walk along all of the chain; who asks while somebody walks is told what that walk finds.  Problem 403."""
        await self._admit(actor)
        asked = now()
        async with self._walking:
            if self._walked is None or self._walked.verified_at is None or self._walked.verified_at < asked:
                async with self._database.session() as session:
                    verdict = await audit.verify(session)
                self._walked = Chain(
                    count=verdict.count,
                    head=verdict.head,
                    verified_at=now(),
                    verified=verdict.count,
                    broken=verdict.broken,
                )
        return await self.chain(actor)

    async def export(self, actor: Actor, wanted: AuditFilter, form: Literal["csv", "jsonl"]) -> AsyncIterator[str]:
        """The entries as lines, oldest first, as they were when it was asked for.  Problem 403.

        That somebody took them is an entry as well.
        """
        await self._admit(actor, "audit.export")
        detail = {name: str(value) for name, value in vars(wanted).items() if value}
        async with self._database.session() as session:
            last, _ = await audit.head(session)
            await audit.append(session, actor.who, "audit.export", detail={"form": form, **detail})
            await session.commit()
        return self._lines(wanted, form, last)

    async def _lines(self, wanted: AuditFilter, form: str, last: int) -> AsyncIterator[str]:
        if form == "csv":
            yield audit.CSV_HEAD + "\n"
        line = audit.csv_line if form == "csv" else audit.json_line
        conditions = [*wanted.conditions(), col(AuditEntry.id) <= last]
        after = 0
        while True:  # a session for each part: who reads slowly holds no transaction open
            query = select(AuditEntry).where(col(AuditEntry.id) > after, *conditions).order_by(col(AuditEntry.id))
            async with self._database.session() as session:
                rows = (await session.exec(query.limit(audit.AT_ONCE))).all()
            if not rows:
                return
            yield "".join(line(row) + "\n" for row in rows)
            after = rows[-1].id

    async def _admit(self, actor: Actor, action: str = "audit.read") -> None:
        async with refusals(self._database, actor.who, action):
            if not actor.admin:
                raise Problem(403, _ONLY_ADMINS)

    async def log_head(self) -> None:
        """Note the end of the chain where the database cannot take it back."""
        async with self._database.session() as session:
            count, head = await audit.head(session)
        log.info("audit trail: %d entries, head %s", count, head)


@asynccontextmanager
async def refusals(database: Database, who: audit.Who, action: str, store_name: str = "") -> AsyncIterator[None]:
    """Write down when what happens inside is refused or fails.  What was asked for wrongly (422) is nobody's act."""
    try:
        yield
    except Problem as problem:
        if problem.status != _ASKED_WRONGLY:
            outcome = Outcome.REFUSED if problem.status < 500 else Outcome.FAILED
            await _note(database, who, action, store_name, outcome, problem.detail)
        raise
    except SQLAlchemyError:
        raise  # there is no writing it down either
    except Exception as error:
        await _note(database, who, action, store_name, Outcome.FAILED, type(error).__name__)
        raise


async def _note(database: Database, who: audit.Who, action: str, store_name: str, outcome: Outcome, error: str) -> None:
    try:
        async with database.session() as session:
            await audit.append(session, who, action, store_name=store_name, outcome=outcome, error=error)
            await session.commit()
    except SQLAlchemyError:
        log.exception("the audit trail could not be written: %s by %s was %s", action, who.name, outcome)


def _open_cursor(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        sentence = "This is not a page's “next”. Begin again without a cursor."
        raise Problem(422, sentence, extra={"errors": [{"field": "cursor", "detail": sentence}]})
    return int(cursor)
