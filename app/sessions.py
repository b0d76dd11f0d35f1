"""Browsers that are signed in: rows of our own, so that a session can be seen, ended, and is new at each sign-in.

A session ends 30 days after the sign-in, used or not: nothing has to be written when it is used.
"""

from datetime import timedelta

from sqlmodel import col, delete, select

from app import proofs
from app.actor import Actor
from app.models import User, UserSession
from provisioning import audit
from provisioning.audit import Who
from provisioning.database import Database
from provisioning.models import now

LASTS = timedelta(days=30)


class Sessions:
    """The service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, user: User, *, address: str, agent: str) -> str:
        """Sign `user` in; the answer is what the browser's cookie has to hold."""
        proof = proofs.make()
        row = UserSession(
            id_hash=proofs.digest(proof),
            user_id=user.id,
            expires_at=now() + LASTS,
            address=address[:64],
            agent=agent[:200],
        )
        async with self._database.session() as session:
            session.add(row)
            await audit.append(session, Who(user.email, user.id, address=address), "sign_in")
            await session.commit()
        return proof

    async def actor(self, proof: str) -> Actor | None:
        """Whose session it is; None when it never was, has ended or is its user's no more."""
        query = (
            select(User)
            .join(UserSession, col(UserSession.user_id) == col(User.id))
            .where(col(UserSession.id_hash) == proofs.digest(proof), col(UserSession.expires_at) > now())
        )
        async with self._database.session() as session:
            user = (await session.exec(query)).first()
        return Actor(user.id, user.email, user.admin, "session") if user and not user.disabled else None

    async def close(self, proof: str, *, address: str) -> None:
        """Sign out."""
        whose = select(User).join(UserSession).where(col(UserSession.id_hash) == (hashed := proofs.digest(proof)))
        async with self._database.session() as session:
            user = (await session.exec(whose)).first()
            ended = await session.exec(delete(UserSession).where(col(UserSession.id_hash) == hashed))
            if user is not None and ended.rowcount:
                await audit.append(session, Who(user.email, user.id, address=address), "sign_out")
            await session.commit()

    async def forget_expired(self) -> None:
        async with self._database.session() as session:
            await session.exec(delete(UserSession).where(col(UserSession.expires_at) <= now()))
            await session.commit()
