"""People: their accounts, what they may do, whether a password is theirs, and how the first administrator comes to be.

There is always an administrator who can sign in: the last one can be neither demoted nor disabled.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import func, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app import passwords, proofs
from app.actor import COMMAND_LINE, Actor
from app.audit import refusals
from app.models import Identity, Invitation, PasswordLink, SetupLink, User, UserSession
from app.problems import Problem
from app.throttle import Throttle
from provisioning import audit, notices
from provisioning.audit import Who
from provisioning.changes import UserChanges
from provisioning.database import Database, Exclusive, one_at_a_time
from provisioning.models import Outcome, Store, now

# What <input type="email"> accepts (HTML, 4.10.5.1.5): no quotes, no spaces, no markup.
_EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)
LONGEST_EMAIL = 254  # characters
WRONG = "The e-mail address or the password is wrong."


class UserView(BaseModel):
    """Somebody, as administrators see them."""

    id: str
    email: str
    admin: bool
    disabled: bool
    created_at: datetime
    store_limit: int | None  # null: as many as the settings say
    stores: int
    sessions: int  # browsers that are signed in now
    last_seen_at: datetime | None  # in any of them
    password: bool  # can they sign in by one?
    identity: bool  # and by the OpenID provider?


class UserPage(BaseModel):
    """Some people, by their addresses, and where the next ones begin."""

    items: list[UserView]
    next: str | None


class Users:
    """The service."""

    def __init__(self, database: Database, changes: UserChanges | None = None) -> None:
        """`changes` hears of whoever's rights or sessions may be others."""
        self._database, self._changes = database, changes or UserChanges()
        self._throttle = Throttle(database)

    async def create(self, actor: Actor, email: str, password: str, *, admin: bool = False) -> User:
        """A new account.  Problems: 403 not an administrator, 409 there is one already, 422 bad input."""
        async with refusals(self._database, actor.who, "user.create"):
            if not actor.admin:
                raise Problem(403, "Only an administrator can add people.")
            passwords.check(password)
            hashed = await passwords.hashed(password)
            async with self._database.session() as session:
                user = await add(session, actor.who, email, hashed, admin=admin)
                await session.commit()
        return user

    async def authenticate(self, email: str, password: str, *, address: str, browser: str = "") -> User | None:
        """The user whose e-mail address and password these are; it takes as long whether there is one or not.

        `browser`: an id of the one that is used, where this account has been signed in there.  Problem 429 too many
        tries, the same for every address that may be typed.
        """
        email = email.strip().lower()
        # What was typed is kept only where it is an address: people type passwords into the wrong field.
        typed = email if len(email) <= LONGEST_EMAIL and _EMAIL.fullmatch(email) else ""
        async with self._throttle.attempt(email, Who(typed, address=address), browser=browser) as attempt:
            found = await self.by_email(email)
            right = await passwords.verify(password, (found.password_hash or None) if found else None)
            attempt.right = right
            if found and right and not found.disabled:
                return found
            error = "The account is disabled." if found and right else WRONG
            await self._note_failure(Who(typed, found.id if found else "", address=address), "sign_in.failed", error)
        return None

    async def by_email(self, email: str) -> User | None:
        """The account with this address, however it is typed."""
        email = email.strip().lower()
        if not _EMAIL.fullmatch(email):
            return None
        async with self._database.session() as session:
            return (await session.exec(select(User).where(col(User.email) == email))).first()

    async def list(self, actor: Actor, *, q: str = "", limit: int = 50, cursor: str | None = None) -> UserPage:
        """By their addresses; `q` is a part of one, `cursor` a page's `next`.  Problem 403."""
        async with refusals(self._database, actor.who, "user.read"):
            if not actor.admin:
                raise Problem(403, "Only an administrator can see who has an account.")
        query = select(User)
        if q := q.strip().lower().replace("\0", ""):
            query = query.where(col(User.email).contains(q, autoescape=True))
        if cursor is not None:
            query = query.where(col(User.email) > cursor.replace("\0", ""))
        async with self._database.session() as session:
            found = (await session.exec(query.order_by(col(User.email)).limit(limit + 1))).all()
            items = await _views(session, found[:limit])
        return UserPage(items=items, next=items[-1].email if len(found) > limit else None)

    async def get(self, actor: Actor, email: str) -> UserView:
        """Problems: 403 not an administrator, 404 no such account."""
        async with refusals(self._database, actor.who, "user.read"):
            if not actor.admin:
                raise Problem(403, "Only an administrator can see who has an account.")
        user = await self._find(email)
        async with self._database.session() as session:
            return (await _views(session, [user]))[0]

    async def limit(self, actor: Actor, email: str, stores: int | None) -> User:
        """Let somebody have so many stores; None: as many as the settings say.

        Problems: 403 not an administrator, 404 no such account.
        """
        async with refusals(self._database, actor.who, "user.limit"):
            if not actor.admin:
                raise Problem(403, "Only an administrator can change how many stores somebody may have.")
            found = await self._find(email)
            async with self._database.session() as session:
                await session.exec(update(User).where(col(User.id) == found.id).values(store_limit=stores))
                detail = {"user": found.email, "user_id": found.id, "before": found.store_limit, "stores": stores}
                await audit.append(session, actor.who, "user.limit", detail=detail)
                await session.commit()
        found.store_limit = stores
        return found

    async def set_admin(self, actor: Actor, email: str, admin: bool) -> User:
        """Make somebody an administrator, or one no more.

        Problems: 403 not an administrator, 404 no such account, 409 nobody else is one.
        """
        async with refusals(self._database, actor.who, "user.role"):
            if not actor.admin:
                raise Problem(403, "Only an administrator can change what somebody may do.")
            return await self._change(actor, email, "user.role", admin=admin)

    async def set_disabled(self, actor: Actor, email: str, disabled: bool) -> User:
        """Keep somebody out, with all of their sessions and tokens, or let them in again.  Their stores go on.

        Problems: 403 not an administrator, 404 no such account, 409 nobody else is an administrator.
        """
        action = "user.disable" if disabled else "user.enable"
        async with refusals(self._database, actor.who, action):
            if not actor.admin:
                raise Problem(403, "Only an administrator can disable an account.")
            return await self._change(actor, email, action, disabled=disabled)

    async def change_password(self, actor: Actor, old: str, new: str, *, browser: str = "") -> None:
        """Choose another password; every other session ends.  `browser`: as in `authenticate`.

        Problems: 403 not by a session, or the old one is wrong; 422 bad input; 429 too many tries.
        """
        async with refusals(self._database, actor.who, "password.change"):
            if actor.via != "session":
                raise Problem(403, "Sign in to change your password.")
            passwords.check(new)
        async with (
            self._throttle.attempt(actor.email, actor.who, browser=browser) as attempt,
            refusals(self._database, actor.who, "password.change"),
        ):
            found = await self._find(actor.email)
            attempt.right = await passwords.verify(old, found.password_hash or None)
            if not attempt.right:
                raise Problem(403, "Your present password is another one.")
            hashed = await passwords.hashed(new)
            async with self._database.session() as session:
                same = (col(User.id) == found.id, col(User.password_hash) == found.password_hash)
                changed = await session.exec(update(User).where(*same).values(password_hash=hashed))
                if changed.rowcount != 1:
                    raise Problem(409, "The password was changed in another place just now.")
                others = (col(UserSession.user_id) == found.id, col(UserSession.id) != actor.session_id)
                ended = await session.exec(delete(UserSession).where(*others))
                await session.exec(delete(PasswordLink).where(col(PasswordLink.user_id) == found.id))
                await notices.tell_of_user(session, found.id)
                await audit.append(session, actor.who, "password.change", detail={"sessions_ended": ended.rowcount})
                await session.commit()
        self._changes.publish(found.id)

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
        passwords.check(password)
        hashed = await passwords.hashed(password)
        async with self._database.session() as session:
            await session.exec(delete(SetupLink))
            try:
                await add(session, COMMAND_LINE.who, email, hashed, admin=True)
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
            passwords.check(password)
            user = await add(session, who, email, await passwords.hashed(password), admin=True)
            await session.commit()
        return user

    async def _find(self, email: str) -> User:
        found = await self.by_email(email)
        if found is None:
            raise Problem(404, "There is no account with this e-mail address.")
        return found

    async def _change(self, actor: Actor, email: str, action: str, **columns: bool) -> User:
        """Set columns of somebody's row, but never so that there is no administrator left."""
        found = await self._find(email)
        async with self._database.session() as session:
            await one_at_a_time(session, Exclusive.PEOPLE)
            await session.exec(update(User).where(col(User.id) == found.id).values(**columns))
            able = select(func.count()).where(col(User.admin).is_(True), col(User.disabled).is_(False))
            if not (await session.exec(able)).one() and found.admin and not found.disabled:
                raise Problem(409, f"{found.email} is the only administrator. Make somebody else one first.")
            detail = {"user": found.email, "user_id": found.id, **columns}
            if columns.get("disabled"):
                ended = await session.exec(delete(UserSession).where(col(UserSession.user_id) == found.id))
                detail["sessions_ended"] = ended.rowcount
                await session.exec(delete(PasswordLink).where(col(PasswordLink.user_id) == found.id))
            if columns.get("disabled") or columns.get("admin") is False:
                await session.exec(delete(Invitation).where(col(Invitation.invited_by_id) == found.id))
                await session.exec(delete(PasswordLink).where(col(PasswordLink.made_by_id) == found.id))
            await notices.tell_of_user(session, found.id)
            await audit.append(session, actor.who, action, detail=detail)
            await session.commit()
        self._changes.publish(found.id)
        return found.sqlmodel_update(columns)

    async def _note_failure(self, who: Who, action: str, error: str) -> None:
        async with self._database.session() as session:
            await audit.append(session, who, action, outcome=Outcome.REFUSED, error=error)
            await session.commit()


def checked_email(email: str) -> str:
    """An address as it is kept.  Problem 422 for what is none."""
    email = email.strip().lower()
    if len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise Problem(422, "That is not an e-mail address.")
    return email


async def add(
    session: AsyncSession, by: Who, email: str, password_hash: str, *, admin: bool, identity: Identity | None = None
) -> User:
    """Add an account, and tell the audit trail (the caller commits, and writes nothing in between).

    `password_hash`: "" for somebody who signs in by `identity` only.  Problems: 409 there is one, 422 bad input.
    """
    user = User(email=checked_email(email), password_hash=password_hash, admin=admin)
    session.add(user)
    try:
        await session.flush()
    except IntegrityError as error:
        raise Problem(409, "There is an account with this e-mail address already.") from error
    if identity is not None:
        identity.user_id = user.id
        session.add(identity)
        await session.flush()
    await audit.append(session, by, "user.create", detail={"user": user.email, "user_id": user.id, "admin": admin})
    return user


async def _anybody(session: AsyncSession) -> bool:
    return (await session.exec(select(func.count()).select_from(User))).one() > 0


async def _views(session: AsyncSession, users: Sequence[User]) -> list[UserView]:
    ids = [user.id for user in users]
    owned = select(Store.owner_id, func.count()).where(col(Store.owner_id).in_(ids)).group_by(col(Store.owner_id))
    stores = dict((await session.exec(owned)).all())
    seen = (
        select(UserSession.user_id, func.count(), func.max(col(UserSession.last_seen_at)))
        .where(col(UserSession.user_id).in_(ids), col(UserSession.expires_at) > now())
        .group_by(col(UserSession.user_id))
    )
    sessions = {user_id: (count, last) for user_id, count, last in await session.exec(seen)}
    known = set(await session.exec(select(Identity.user_id).where(col(Identity.user_id).in_(ids))))
    return [
        UserView(
            **user.model_dump(include={"id", "email", "admin", "disabled", "created_at", "store_limit"}),
            stores=stores.get(user.id, 0),
            sessions=sessions.get(user.id, (0, None))[0],
            last_seen_at=sessions.get(user.id, (0, None))[1],
            password=bool(user.password_hash),
            identity=user.id in known,
        )
        for user in users
    ]
