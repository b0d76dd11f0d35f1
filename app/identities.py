"""Which account somebody has whom an OpenID provider has identified.

An identity, once it belongs to an account, signs in there, whatever its address is later.  An account that has none yet
is never taken by the address alone: whoever made it may be somebody else (an address that was typed, a provider that
gave an old address to a new person).  Its owner connects the two on the account page, signed in.
"""

from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, select

from app import proofs
from app.actor import Actor
from app.audit import refusals
from app.models import Identity, Invitation, UsedState, User
from app.oidc import Identified
from app.problems import Problem
from app.users import add
from provisioning import audit
from provisioning.audit import Who
from provisioning.database import Database
from provisioning.models import Outcome, now

STATE_LASTS = timedelta(minutes=10)  # from the click to the way back


class Identities:
    """The service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def use_state(self, state: str) -> None:
        """Let a sign-in come back once.  Problem 403 when it has already."""
        async with self._database.session() as session:
            await session.exec(delete(UsedState).where(col(UsedState.at) <= now() - 2 * STATE_LASTS))
            session.add(UsedState(hash=proofs.digest(state)))
            try:
                await session.commit()
            except IntegrityError as error:
                raise Problem(403, "This sign-in has been used already. Begin again.") from error

    async def note_failure(self, address: str, cause: str) -> None:
        async with self._database.session() as session:
            await audit.append(
                session, Who("", address=address), "sign_in.failed", outcome=Outcome.REFUSED, error=cause
            )
            await session.commit()

    async def sign_in(self, identified: Identified, *, address: str) -> User:
        """Whose account it is, made now where there is none.  Problem 403 when the account is not theirs to use."""
        who = Who(identified.email, address=address)
        async with refusals(self._database, who, "sign_in.failed"), self._database.session() as session:
            identity = await session.get(Identity, (identified.issuer, identified.subject))
            user = await session.get(User, identity.user_id) if identity else None
            if user is None:
                theirs = select(User.id).where(col(User.email) == identified.email)
                if (await session.exec(theirs)).first():
                    raise Problem(
                        403,
                        "There is an account with your e-mail address that is not connected to this provider. Sign in "
                        "with its password, and connect it on your account page.",
                    )
                # Whoever is invited under an address that the provider vouches for needs no link.
                invited = await session.exec(
                    delete(Invitation)
                    .where(col(Invitation.email) == identified.email, col(Invitation.expires_at) > now())
                    .returning(col(Invitation.admin))
                )
                admin, identity = bool(invited.scalars().first()), _identity(identified)
                user = await add(session, who, identified.email, "", admin=admin, identity=identity)
                await session.commit()
            if user.disabled:
                raise Problem(403, "This account is disabled. Ask an administrator.")
        return user

    async def connect(self, actor: Actor, identified: Identified) -> None:
        """Let an identity sign in to the actor's account from now on.  Problems: 403, 409."""
        async with refusals(self._database, actor.who, "identity.connect"):
            if actor.via != "session":
                raise Problem(403, "Sign in to connect your account.")
            if identified.email != actor.email:
                raise Problem(403, f"The provider knows you as {identified.email}, which is another address.")
            async with self._database.session() as session:
                user = await session.get(User, actor.user_id)
                if user is None or (await session.get(Identity, (identified.issuer, identified.subject))):
                    raise Problem(409, "This identity is connected to an account already.")
                session.add(_identity(identified, user.id))
                await audit.append(session, actor.who, "identity.connect", detail={"issuer": identified.issuer})
                await session.commit()

    async def disconnect(self, actor: Actor) -> None:
        """No identity signs in to the actor's account any more.  Problems: 403, 409 there is no other way in."""
        async with refusals(self._database, actor.who, "identity.disconnect"):
            if actor.via != "session":
                raise Problem(403, "Sign in to disconnect your account.")
            async with self._database.session() as session:
                user = await session.get(User, actor.user_id)
                if user is None or not user.password_hash:
                    raise Problem(409, "Without a password this is the only way to sign in.")
                await session.exec(delete(Identity).where(col(Identity.user_id) == actor.user_id))
                await audit.append(session, actor.who, "identity.disconnect")
                await session.commit()

    async def ways_in(self, actor: Actor) -> tuple[bool, bool]:
        """How the actor can sign in: (by a password, by an identity)."""
        async with self._database.session() as session:
            user = await session.get(User, actor.user_id)
            identity = (await session.exec(select(Identity).where(col(Identity.user_id) == actor.user_id))).first()
        return bool(user and user.password_hash), identity is not None


def _identity(identified: Identified, user_id: str = "") -> Identity:
    return Identity(issuer=identified.issuer, subject=identified.subject, user_id=user_id)
