"""API tokens: what a program shows to act for a user.  Shown once, kept as a hash.

A token may do no more than its scope, and makes no other that may do more, lives longer or outlives it: whoever finds
one gains nothing by it that its end does not take away.
"""

from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy import ColumnElement, or_, update
from sqlmodel import col, delete, select

from app import proofs
from app.actor import Actor, Scope
from app.audit import refusals
from app.models import Token, User
from app.problems import Problem
from provisioning import audit, notices
from provisioning.changes import UserChanges
from provisioning.database import Database
from provisioning.models import now

PREFIX = "sf_"  # so that scanners find a token that was published by mistake
SEEN_EVERY = timedelta(minutes=1)  # "last used" is as exact as this, and costs no write for each request
LONGEST_NAME = 100  # characters
MOST = 50  # of one user, that have not expired


class TokenView(BaseModel):
    """A token, without what proves it.  `name` is untrusted text."""

    id: str
    name: str
    user: str  # e-mail address
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None  # to the minute


class NewToken(TokenView):
    """A token that was made just now."""

    token: str  # shown only now


class Tokens:
    """The service."""

    def __init__(self, database: Database, changes: UserChanges | None = None) -> None:
        """`changes` hears of whoever's tokens have ended."""
        self._database, self._changes = database, changes or UserChanges()

    async def create(
        self, actor: Actor, user: User, name: str, expires_at: datetime | None = None, scope: Scope | None = None
    ) -> NewToken:
        """A token that acts as `user`, with all that they may do unless `scope` says less.

        Problems: 403 the actor is neither that user nor an administrator, or a token that may do less; 409 too many;
        422 bad input.
        """
        scope = scope or (Scope.ADMIN if user.admin else Scope.WRITE)
        name = "".join(each if each.isprintable() else " " for each in name).strip()
        async with refusals(self._database, actor.who, "token.create"):
            if not actor.admin and actor.user_id != user.id:
                raise Problem(403, "Only an administrator can make a token for somebody else.")
            actor.require_write()
            if not name or len(name) > LONGEST_NAME:
                raise Problem(422, f"Give the token a name, of at most {LONGEST_NAME} characters.")
            if scope is Scope.ADMIN and not user.admin:
                raise Problem(422, "The scope “admin” is for administrators' tokens. Use “write”.")
            if expires_at is not None and expires_at <= now():
                raise Problem(422, "The token would have expired already.")
            proof = proofs.make(PREFIX)
            token = Token(
                user_id=user.id,
                name=name,
                hash=proofs.digest(proof),
                scope=scope.value,
                expires_at=expires_at,
                made_by=actor.token_id or None,
            )
            async with self._database.session() as session:
                if actor.token_id:
                    maker = await session.get(Token, actor.token_id)
                    until = maker.expires_at if maker else now()
                    if not actor.scope.covers(scope) or (until and (expires_at is None or expires_at > until)):
                        raise Problem(403, "A token makes none that may do more, or lives longer, than itself.")
                theirs = await session.exec(select(Token.id).where(col(Token.user_id) == user.id, _lives()))
                if len(theirs.all()) >= MOST:
                    raise Problem(409, f"There are {MOST} tokens already. Revoke one that is not needed.")
                session.add(token)
                detail = {
                    "user": user.email,
                    "token_id": token.id,
                    "name": name,
                    "scope": scope.value,
                    "expires_at": expires_at.isoformat() if expires_at else None,
                }
                await session.flush()
                await audit.append(session, actor.who, "token.create", detail=detail)
                await session.commit()
        return NewToken(**_view(token, user).model_dump(), token=proof)

    async def list(self, actor: Actor, user: User | None = None) -> list[TokenView]:
        """The actor's tokens, the newest first, also those that have expired; an administrator may ask for somebody
        else's.  Problem 403."""
        if user is not None and user.id != actor.user_id:
            async with refusals(self._database, actor.who, "token.read"):
                if not actor.admin:
                    raise Problem(403, "Only an administrator can see somebody else's tokens.")
        query = (
            select(Token, User)
            .join(User, col(User.id) == col(Token.user_id))
            .where(col(Token.user_id) == (user.id if user else actor.user_id))
            .order_by(col(Token.created_at).desc(), col(Token.id))
        )
        async with self._database.session() as session:
            return [_view(*found) for found in await session.exec(query)]

    async def revoke(self, actor: Actor, token_id: str) -> None:
        """End one of the actor's tokens, and those that it made; an administrator may end anybody's.

        Problems: 403, 404.
        """
        async with refusals(self._database, actor.who, "token.revoke"):
            actor.require_write()
            mine = [] if actor.admin else [col(Token.user_id) == actor.user_id]
            query = select(Token, User).join(User, col(User.id) == col(Token.user_id))
            async with self._database.session() as session:
                found = (await session.exec(query.where(col(Token.id) == token_id.replace("\0", ""), *mine))).first()
                if found is None:
                    raise Problem(404, "There is no such token. It may have been revoked already.")
                token, user = found
                await session.exec(delete(Token).where(col(Token.id) == token.id))
                await notices.tell_of_user(session, user.id)
                detail = {"user": user.email, "token_id": token.id, "name": token.name}
                await audit.append(session, actor.who, "token.revoke", detail=detail)
                await session.commit()
        self._changes.publish(user.id)

    async def actor(self, proof: str) -> Actor | None:
        """Whom the token acts for; None when it is none of ours, has expired or its user is disabled."""
        if not proof.startswith(PREFIX):
            return None
        at = now()
        query = (
            select(Token, User)
            .join(User, col(User.id) == col(Token.user_id))
            .where(col(Token.hash) == proofs.digest(proof), _lives())
        )
        async with self._database.session() as session:
            found = (await session.exec(query)).first()
        if found is None or found[1].disabled:
            return None
        token, user = found
        if token.last_used_at is None or at - token.last_used_at > SEEN_EVERY:
            async with self._database.writing(), self._database.session() as session:
                await session.exec(update(Token).where(col(Token.id) == token.id).values(last_used_at=at))
                await session.commit()
        scope = Scope(token.scope)
        return Actor(
            user.id,
            user.email,
            user.admin and scope is Scope.ADMIN,
            "token",
            token_id=token.id,
            scope=scope,
        )


def _lives() -> ColumnElement[bool]:
    return or_(col(Token.expires_at).is_(None), col(Token.expires_at) > now())


def _view(token: Token, user: User) -> TokenView:
    return TokenView(**token.model_dump(exclude={"user_id", "hash", "made_by"}), user=user.email)
