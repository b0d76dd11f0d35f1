"""Browsers that are signed in: rows of our own, so that a session can be seen, ended, and is new at each sign-in.

A session ends 30 days after the sign-in, used or not.  When it is ended before, its open pages end as well, also those
that another process serves: whoever serves pages hears of it (`provisioning.notices`), and looks again by itself.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy import update
from sqlmodel import col, delete, select

from app import proofs
from app.actor import Actor
from app.audit import refusals
from app.models import User, UserSession
from app.problems import Problem
from provisioning import audit, notices
from provisioning.audit import Who
from provisioning.changes import UserChanges
from provisioning.database import Database
from provisioning.models import now

LASTS = timedelta(days=30)
SEEN_EVERY = timedelta(minutes=1)  # "last seen" is as exact as this, and costs no write for each request


class SessionView(BaseModel):
    """A browser that is signed in.  `agent` is untrusted text."""

    id: str
    current: bool  # is it the one that asks?
    agent: str
    address: str  # where it signed in from
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


class Sessions:
    """The service."""

    def __init__(self, database: Database, changes: UserChanges | None = None) -> None:
        """`changes` hears of whoever's sessions have ended."""
        self._database, self._changes = database, changes or UserChanges()

    async def open(self, user: User, *, address: str, agent: str, by: str = "password") -> str:
        """Sign `user` in; the answer is what the browser's cookie has to hold."""
        proof = proofs.make()
        row = UserSession(
            id_hash=proofs.digest(proof),
            user_id=user.id,
            expires_at=now() + LASTS,
            address=address[:64],
            agent=agent[:200].replace("\0", ""),
        )
        async with self._database.session() as session:
            session.add(row)
            await audit.append(session, Who(user.email, user.id, address=address), "sign_in", detail={"by": by})
            await session.commit()
        return proof

    async def actor(self, proof: str) -> Actor | None:
        """Whose session it is; None when it never was, has ended or is its user's no more."""
        hashed, at = proofs.digest(proof), now()
        query = (
            select(User, UserSession.id, UserSession.last_seen_at)
            .join(UserSession, col(UserSession.user_id) == col(User.id))
            .where(col(UserSession.id_hash) == hashed, col(UserSession.expires_at) > at)
        )
        async with self._database.session() as session:
            found = (await session.exec(query)).first()
        if found is None or found[0].disabled:
            return None
        user, session_id, last_seen_at = found
        if at - last_seen_at > SEEN_EVERY:
            async with self._database.writing(), self._database.session() as session:
                await session.exec(
                    update(UserSession).where(col(UserSession.id_hash) == hashed).values(last_seen_at=at)
                )
                await session.commit()
        return Actor(user.id, user.email, user.admin, "session", session_id=session_id)

    async def living(self, ids: Collection[str]) -> dict[str, bool]:
        """Those of these sessions that go on: is their user an administrator?"""
        query = (
            select(UserSession.id, User.admin)
            .join(User, col(User.id) == col(UserSession.user_id))
            .where(col(UserSession.id).in_(ids), col(UserSession.expires_at) > now(), col(User.disabled).is_(False))
        )
        async with self._database.session() as session:
            return dict((await session.exec(query)).all())

    async def list(self, actor: Actor, user: User | None = None) -> list[SessionView]:
        """The actor's sessions, the last seen first; an administrator may ask for somebody else's.  Problem 403."""
        user_id = await self._whose(actor, user, "session.read")
        query = (
            select(UserSession)
            .where(col(UserSession.user_id) == user_id, col(UserSession.expires_at) > now())
            .order_by(col(UserSession.last_seen_at).desc(), col(UserSession.id))
        )
        async with self._database.session() as session:
            found = await session.exec(query)
            return [
                SessionView(**row.model_dump(exclude={"id_hash", "user_id"}), current=row.id == actor.session_id)
                for row in found
            ]

    async def end(self, actor: Actor, session_id: str) -> None:
        """End one of the actor's sessions; an administrator may end anybody's.  Problems: 403, 404."""
        async with refusals(self._database, actor.who, "session.end"):
            actor.require_write()
            this = col(UserSession.id) == session_id.replace("\0", "")
            mine = [] if actor.admin else [col(UserSession.user_id) == actor.user_id]
            whose = select(User).join(UserSession).where(this, *mine)
            async with self._database.session() as session:
                user = (await session.exec(whose)).first()
                if user is None:
                    raise Problem(404, "There is no such session. It may have ended already.")
                await session.exec(delete(UserSession).where(this))
                await notices.tell_of_user(session, user.id)
                detail = {"user": user.email, "user_id": user.id, "sessions_ended": 1}
                await audit.append(session, actor.who, "session.end", detail=detail)
                await session.commit()
        self._changes.publish(user.id)

    async def end_all(self, actor: Actor, user: User | None = None, *, but_this: bool = False) -> int:
        """Sign out everywhere (`but_this`: everywhere else); an administrator may do so for others.  How many ended."""
        user_id = await self._whose(actor, user, "session.end_all")
        async with refusals(self._database, actor.who, "session.end_all"):
            actor.require_write()
        these = [col(UserSession.user_id) == user_id]
        if but_this:
            these.append(col(UserSession.id) != actor.session_id)
        async with self._database.session() as session:
            ended: int = (await session.exec(delete(UserSession).where(*these))).rowcount
            await notices.tell_of_user(session, user_id)
            detail = {"user": user.email if user else actor.email, "user_id": user_id, "sessions_ended": ended}
            await audit.append(session, actor.who, "session.end_all", detail=detail)
            await session.commit()
        self._changes.publish(user_id)
        return ended

    async def close(self, proof: str, *, address: str) -> None:
        """Sign out."""
        whose = select(User).join(UserSession).where(col(UserSession.id_hash) == (hashed := proofs.digest(proof)))
        async with self._database.session() as session:
            user = (await session.exec(whose)).first()
            ended = await session.exec(delete(UserSession).where(col(UserSession.id_hash) == hashed))
            if user is not None and ended.rowcount:
                await notices.tell_of_user(session, user.id)
                await audit.append(session, Who(user.email, user.id, address=address), "sign_out")
            await session.commit()
        if user is not None:
            self._changes.publish(user.id)

    async def forget_expired(self) -> None:
        async with self._database.session() as session:
            await session.exec(delete(UserSession).where(col(UserSession.expires_at) <= now()))
            await session.commit()

    async def _whose(self, actor: Actor, user: User | None, action: str) -> str:
        if user is None or user.id == actor.user_id:
            return actor.user_id
        async with refusals(self._database, actor.who, action):
            if not actor.admin:
                raise Problem(403, "Only an administrator can do this for somebody else.")
        return user.id
