"""The audit trail as the application keeps and shows it: what was refused, and the administrators' look at it.

What succeeds is written by the service that does it, in the same transaction.  A refusal undoes its transaction, so it
is written here, in one of its own.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from app.actor import Actor
from app.problems import Problem
from provisioning import audit
from provisioning.database import Database
from provisioning.models import AuditEntry, Outcome

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


class Audit:
    """The service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        actor: Actor,
        *,
        store: str | None = None,
        action: str | None = None,
        user: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> AuditPage:
        """Newest first.  `store` is a name, `user` an e-mail address.  Problem 403 for all but administrators."""
        async with refusals(self._database, actor.who, "audit.read"):
            if not actor.admin:
                raise Problem(403, _ONLY_ADMINS)
        query = select(AuditEntry)
        for column, wanted in (("store_name", store), ("action", action), ("actor", user and user.lower())):
            if wanted is not None:
                query = query.where(col(getattr(AuditEntry, column)) == wanted.replace("\0", ""))
        if since is not None:
            query = query.where(col(AuditEntry.at) >= since.astimezone())
        if cursor is not None:
            query = query.where(col(AuditEntry.id) < _open_cursor(cursor))
        async with self._database.session() as session:
            found = list(await session.exec(query.order_by(col(AuditEntry.id).desc()).limit(limit + 1)))
        items = [AuditView.model_validate(each, from_attributes=True) for each in found[:limit]]
        return AuditPage(items=items, next=str(items[-1].id) if len(found) > limit else None)

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
