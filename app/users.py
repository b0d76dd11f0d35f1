"""People: their accounts, whether a password is theirs, and how the first administrator comes to be."""

import re

from sqlalchemy import func, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app import passwords, proofs
from app.actor import COMMAND_LINE, Actor
from app.audit import refusals
from app.models import SetupLink, User
from app.problems import Problem
from provisioning import audit
from provisioning.audit import Who
from provisioning.database import Database
from provisioning.models import Outcome

# What <input type="email"> accepts (HTML, 4.10.5.1.5): no quotes, no spaces, no markup.
_EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)
LONGEST_EMAIL = 254  # characters


class Users:
    """The service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, actor: Actor, email: str, password: str, *, admin: bool = False) -> User:
        """A new account.  Problems: 403 not an administrator, 409 there is one already, 422 bad input."""
        async with refusals(self._database, actor.who, "user.create"):
            if not actor.admin:
                raise Problem(403, "Only an administrator can add people.")
            async with self._database.session() as session:
                user = await _add(session, actor.who, email, password, admin)
                await session.commit()
        return user

    async def authenticate(self, email: str, password: str, *, address: str) -> User | None:
        """The user whose e-mail address and password these are; it takes as long whether there is one or not."""
        found = await self.by_email(email)
        right = await passwords.verify(password, found.password_hash if found else None)
        if found and right and not found.disabled:
            return found
        async with self._database.session() as session:
            # What was typed is kept only where it is an address: people type passwords into the wrong field.
            typed = email.strip().lower()
            typed = typed if len(typed) <= LONGEST_EMAIL and _EMAIL.fullmatch(typed) else ""
            who = Who(typed, found.id if found else "", address=address)
            error = "The account is disabled." if found and right else "The e-mail address or the password is wrong."
            await audit.append(session, who, "sign_in.failed", outcome=Outcome.REFUSED, error=error)
            await session.commit()
        return None

    async def by_email(self, email: str) -> User | None:
        """The account with this address, however it is typed."""
        email = email.strip().lower()
        if not _EMAIL.fullmatch(email):
            return None
        async with self._database.session() as session:
            return (await session.exec(select(User).where(col(User.email) == email))).first()

    async def limit(self, actor: Actor, email: str, stores: int | None) -> User:
        """Let somebody have so many stores; None: as many as the settings say.

        Problems: 403 not an administrator, 404 no such account.
        """
        async with refusals(self._database, actor.who, "user.limit"):
            if not actor.admin:
                raise Problem(403, "Only an administrator can change how many stores somebody may have.")
            found = await self.by_email(email)
            if found is None:
                raise Problem(404, "There is no account with this e-mail address.")
            async with self._database.session() as session:
                await session.exec(update(User).where(col(User.id) == found.id).values(store_limit=stores))
                detail = {"user": found.email, "user_id": found.id, "before": found.store_limit, "stores": stores}
                await audit.append(session, actor.who, "user.limit", detail=detail)
                await session.commit()
        found.store_limit = stores
        return found

    async def any(self) -> bool:
        """Is there anybody yet?"""
        async with self._database.session() as session:
            return await _anybody(session)

    async def ensure_admin(self, email: str, password: str) -> bool:
        """Make the first administrator where there is nobody of that address; did it?

        An account that is there stays as it is: its password may have been changed since.
        """
        if await self.by_email(email):
            return False
        async with self._database.session() as session:
            await session.exec(delete(SetupLink))
            try:
                await _add(session, COMMAND_LINE.who, email, password, admin=True)
            except Problem as problem:
                if problem.status == 409:  # another process, which started at the same time, was quicker
                    return False
                raise
            await session.commit()
        return True

    async def open_setup(self) -> str | None:
        """A proof that lets its holder make the first administrator; None where there are users already."""
        async with self._database.session() as session:
            if await _anybody(session):
                return None
            proof = proofs.make()
            session.add(SetupLink(token_hash=proofs.digest(proof)))
            await session.commit()
        return proof

    async def setup_is_open(self, proof: str) -> bool:
        async with self._database.session() as session:
            known = await session.get(SetupLink, proofs.digest(proof))
            return known is not None and not await _anybody(session)

    async def set_up(self, proof: str, email: str, password: str, *, address: str) -> User:
        """The first administrator, made by the holder of a setup link; every such link ends with it."""
        who = Who("a setup link", address=address)
        async with refusals(self._database, who, "user.create"), self._database.session() as session:
            # Deleting first takes the write lock: of two people at once, one finds the links gone.
            ended = await session.exec(delete(SetupLink).returning(col(SetupLink.token_hash)))
            links = set(ended.scalars())
            if proofs.digest(proof) not in links or await _anybody(session):
                raise Problem(403, "This setup link is not valid any more. Restart Storefleet to get a new one.")
            user = await _add(session, who, email, password, admin=True)
            await session.commit()
        return user


async def _anybody(session: AsyncSession) -> bool:
    return (await session.exec(select(func.count()).select_from(User))).one() > 0


async def _add(session: AsyncSession, by: Who, email: str, password: str, admin: bool) -> User:
    """Add an account, and tell the audit trail (the caller commits, and writes nothing in between)."""
    email = email.strip().lower()
    if len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise Problem(422, "That is not an e-mail address.")
    passwords.check(password)
    user = User(email=email, password_hash=await passwords.hashed(password), admin=admin)
    session.add(user)
    try:
        await session.flush()
    except IntegrityError as error:
        raise Problem(409, "There is an account with this e-mail address already.") from error
    await audit.append(session, by, "user.create", detail={"user": email, "user_id": user.id, "admin": admin})
    return user
