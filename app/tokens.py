"""API tokens: what a program shows to act for a user.  Shown once, kept as a hash."""

from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlmodel import col, select

from app import proofs
from app.actor import Actor
from app.audit import refusals
from app.models import Token, User
from app.problems import Problem
from provisioning import audit
from provisioning.database import Database
from provisioning.models import now

PREFIX = "sf_"  # so that scanners find a token that was published by mistake
SEEN_EVERY = timedelta(minutes=1)  # "last used" is as exact as this, and costs no write for each request


class Tokens:
    """The service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, actor: Actor, user: User, name: str, expires_at: datetime | None = None) -> str:
        """A token that acts as `user`.  Problem 403 when the actor is neither that user nor an administrator."""
        async with refusals(self._database, actor.who, "token.create"):
            if not actor.admin and actor.user_id != user.id:
                raise Problem(403, "Only an administrator can make a token for somebody else.")
        proof = proofs.make(PREFIX)
        token = Token(user_id=user.id, name=name, hash=proofs.digest(proof), expires_at=expires_at)
        async with self._database.session() as session:
            session.add(token)
            detail = {"user": user.email, "token_id": token.id, "name": name[:100]}
            await audit.append(session, actor.who, "token.create", detail=detail)
            await session.commit()
        return proof

    async def actor(self, proof: str) -> Actor | None:
        """Whom the token acts for; None when it is none of ours, has expired or its user is disabled."""
        if not proof.startswith(PREFIX):
            return None
        at = now()
        async with self._database.session() as session:
            query = (
                select(Token, User)
                .join(User, col(User.id) == col(Token.user_id))
                .where(
                    col(Token.hash) == proofs.digest(proof),
                    or_(col(Token.expires_at).is_(None), col(Token.expires_at) > at),
                )
            )
            found = (await session.exec(query)).first()
            if found is None or found[1].disabled:
                return None
            token, user = found
            if token.last_used_at is None or at - token.last_used_at > SEEN_EVERY:
                await session.exec(update(Token).where(col(Token.id) == token.id).values(last_used_at=at))
                await session.commit()
        return Actor(user.id, user.email, user.admin, "token", token_id=token.id)
