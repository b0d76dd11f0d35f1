"""Invitations: links by which somebody makes the account of one e-mail address, once, within three days.

The address is the invitation's, whatever the holder of the link types.  An address has one open invitation at most: a
new one takes the place of the old.  When whoever invited may do so no more, their open invitations go (`app.users`).
"""

from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlmodel import col, delete, select

from app import passwords, proofs
from app.actor import Actor
from app.audit import refusals
from app.models import Invitation, User
from app.problems import Problem
from app.users import add, checked_email
from provisioning import audit
from provisioning.audit import Who
from provisioning.database import Database
from provisioning.models import now

LASTS = timedelta(hours=72)
_NOT_VALID = "This invitation is not valid any more. Ask whoever invited you for a new one."


class InvitationView(BaseModel):
    """An invitation that nobody has used yet."""

    id: str
    email: str
    admin: bool
    invited_by: str
    created_at: datetime
    expires_at: datetime


class NewInvitation(InvitationView):
    """One that was made just now."""

    link: str  # shown only now


class Invitations:
    """The service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, actor: Actor, email: str, *, admin: bool = False, base: str) -> NewInvitation:
        """Invite somebody; `base` is our own address, for the link.

        Problems: 403 not an administrator, 409 there is an account with this address, 422 bad input.
        """
        async with refusals(self._database, actor.who, "invitation.create"):
            if not actor.admin:
                raise Problem(403, "Only an administrator can invite people.")
            email, proof = checked_email(email), proofs.make()
            invitation = Invitation(
                email=email,
                hash=proofs.digest(proof),
                admin=admin,
                invited_by=actor.email,
                invited_by_id=actor.user_id,
                expires_at=now() + LASTS,
            )
            async with self._database.session() as session:
                await session.exec(delete(Invitation).where(col(Invitation.email) == email))
                if (await session.exec(select(User.id).where(col(User.email) == email))).first():
                    raise Problem(409, "There is an account with this e-mail address already.")
                session.add(invitation)
                await session.flush()
                detail = {"user": email, "admin": admin, "invitation_id": invitation.id}
                await audit.append(session, actor.who, "invitation.create", detail=detail)
                await session.commit()
        link = f"{base.rstrip('/')}/invitation?token={proof}"
        return NewInvitation(**_view(invitation).model_dump(), link=link)

    async def list(self, actor: Actor) -> list[InvitationView]:
        """Those that can still be used, the newest first.  Problem 403."""
        async with refusals(self._database, actor.who, "invitation.read"):
            if not actor.admin:
                raise Problem(403, "Only an administrator can see who is invited.")
        query = select(Invitation).where(col(Invitation.expires_at) > now())
        async with self._database.session() as session:
            found = await session.exec(query.order_by(col(Invitation.created_at).desc(), col(Invitation.id)))
            return [_view(each) for each in found]

    async def revoke(self, actor: Actor, invitation_id: str) -> None:
        """Take an invitation back.  Problems: 403, 404."""
        async with refusals(self._database, actor.who, "invitation.revoke"):
            if not actor.admin:
                raise Problem(403, "Only an administrator can take an invitation back.")
            async with self._database.session() as session:
                this = delete(Invitation).where(col(Invitation.id) == invitation_id.replace("\0", ""))
                email = (await session.exec(this.returning(col(Invitation.email)))).scalars().first()
                if email is None:
                    raise Problem(404, "There is no such invitation. It may have been used already.")
                detail = {"user": email, "invitation_id": invitation_id}
                await audit.append(session, actor.who, "invitation.revoke", detail=detail)
                await session.commit()

    async def email_of(self, proof: str) -> str | None:
        """Whom the link is for; None when it cannot be used."""
        usable = (col(Invitation.hash) == proofs.digest(proof), col(Invitation.expires_at) > now())
        async with self._database.session() as session:
            return (await session.exec(select(Invitation.email).where(*usable))).first()

    async def accept(self, proof: str, password: str, *, address: str) -> User:
        """Make the account that the link is for.  Problems: 403 it cannot be used, 422 bad input."""
        hashed = proofs.digest(proof)
        email = await self.email_of(proof) or "an invitation"
        who = Who(email, address=address)
        async with refusals(self._database, who, "invitation.accept"):
            if email == "an invitation":
                raise Problem(403, _NOT_VALID)
            passwords.check(password)
            password_hash = await passwords.hashed(password)
            async with self._database.session() as session:
                # Deleting first takes the lock: of two people at once, one finds the invitation gone.
                usable = (col(Invitation.hash) == hashed, col(Invitation.expires_at) > now())
                used = await session.exec(
                    delete(Invitation).where(*usable).returning(col(Invitation.email), col(Invitation.admin))
                )
                found = used.first()
                if found is None:
                    raise Problem(403, _NOT_VALID)
                user = await add(session, who, found[0], password_hash, admin=found[1])
                await session.commit()
        return user


def _view(invitation: Invitation) -> InvitationView:
    return InvitationView(**invitation.model_dump(exclude={"hash", "invited_by_id"}))
