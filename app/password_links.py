"""Links by which somebody whose password is forgotten chooses another, once, within a day.

An administrator makes them, or whoever has the command line, and sees to it that they reach the right person: nobody
can ask for one without being signed in, so that nothing here tells who has an account.  A user has one open link at
most.  It goes when the password is changed in another way, when the account is disabled, and when whoever made it may
do so no more (`app.users`).

Whoever signs in by the OpenID provider alone has no password that could be forgotten, and gets none by a link; only the
command line, the way back in when the provider is gone, makes them one.
"""

from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlmodel import col, delete, select

from app import passwords, proofs
from app.actor import Actor
from app.audit import refusals
from app.models import PasswordLink, User, UserSession
from app.problems import Problem
from app.throttle import Throttle
from app.users import Users
from provisioning import audit, notices
from provisioning.audit import Who
from provisioning.changes import UserChanges
from provisioning.database import Database, Exclusive, one_at_a_time
from provisioning.models import now

LASTS = timedelta(hours=24)
_NOT_VALID = "This link is not valid any more. Ask an administrator for a new one."


class NewPasswordLink(BaseModel):
    """One that was made just now."""

    email: str
    expires_at: datetime
    link: str  # shown only now


class PasswordLinks:
    """The service."""

    def __init__(self, database: Database, users: Users, changes: UserChanges | None = None) -> None:
        """`changes` hears of whoever's sessions have ended."""
        self._database, self._users, self._changes = database, users, changes or UserChanges()
        self._throttle = Throttle(database)

    async def create(self, actor: Actor, email: str, *, base: str) -> NewPasswordLink:
        """A link for whose account has this address; `base` is our own, for the link.

        Problems: 403 not an administrator, 404 no such account, 409 the account is disabled or has no password.
        """
        async with refusals(self._database, actor.who, "password.link"):
            if not actor.admin:
                raise Problem(403, "Only an administrator can let somebody choose another password.")
            user = await self._users.by_email(email)
            if user is None:
                raise Problem(404, "There is no account with this e-mail address.")
            if user.disabled:
                raise Problem(409, f"The account of {user.email} is disabled. Enable it first.")
            if not user.password_hash and actor.via != "command":
                raise Problem(409, f"{user.email} has no password: they sign in by the provider.")
            proof = proofs.make()
            link = PasswordLink(
                user_id=user.id, hash=proofs.digest(proof), made_by_id=actor.user_id, expires_at=now() + LASTS
            )
            async with self._database.session() as session:
                await one_at_a_time(session, Exclusive.PEOPLE)
                await session.exec(delete(PasswordLink).where(col(PasswordLink.user_id) == user.id))
                session.add(link)
                await session.flush()
                await audit.append(session, actor.who, "password.link", detail={"user": user.email, "user_id": user.id})
                await session.commit()
        address = f"{base.rstrip('/')}/password?token={proof}"
        return NewPasswordLink(email=user.email, expires_at=link.expires_at, link=address)

    async def email_of(self, proof: str) -> str | None:
        """Whom the link is for; None when it cannot be used."""
        usable = (col(PasswordLink.hash) == proofs.digest(proof), col(PasswordLink.expires_at) > now())
        whose = select(User.email).join(PasswordLink).where(*usable, col(User.disabled).is_(False))
        async with self._database.session() as session:
            return (await session.exec(whose)).first()

    async def use(self, proof: str, password: str, *, address: str) -> User:
        """Choose another password; every session of the user ends.

        Problems: 403 the link cannot be used, 422 bad input, 429 too many tries.
        """
        passwords.check(password)
        email = await self.email_of(proof)
        who = Who(email or "a link for a password", address=address)
        async with (
            self._throttle.attempt(proof, who) as attempt,
            refusals(self._database, who, "password.reset"),
        ):
            if email is None:
                raise Problem(403, _NOT_VALID)
            hashed = await passwords.hashed(password)
            async with self._database.session() as session:
                # Deleting first takes the lock: of two people at once, one finds the link gone.
                usable = (col(PasswordLink.hash) == proofs.digest(proof), col(PasswordLink.expires_at) > now())
                used = await session.exec(delete(PasswordLink).where(*usable).returning(col(PasswordLink.user_id)))
                user_id = used.scalars().first()
                user = await session.get(User, user_id) if user_id else None
                if user is None or user.disabled:
                    raise Problem(403, _NOT_VALID)
                user.password_hash = hashed
                session.add(user)
                ended = await session.exec(delete(UserSession).where(col(UserSession.user_id) == user.id))
                await notices.tell_of_user(session, user.id)
                detail = {"sessions_ended": ended.rowcount}
                await audit.append(session, Who(user.email, user.id, address=address), "password.reset", detail=detail)
                await session.commit()
            attempt.right = True
        self._changes.publish(user.id)
        return user
