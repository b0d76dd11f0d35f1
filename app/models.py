"""The application's tables: people, and what proves that a request comes from them.

Secrets that a browser or a program holds (sessions, tokens, links) are kept as SHA-256 only: they are long and random,
so that a fast hash is enough, and a stolen database opens nothing.
"""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlmodel import Column, Field, SQLModel

from provisioning.models import UTCDateTime, now


def _of_user() -> Column[str]:
    return Column(ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)


def _made_by_token() -> Column[str]:
    return Column(ForeignKey("token.id", ondelete="CASCADE"), nullable=True, index=True)


class User(SQLModel, table=True):
    """Somebody who may sign in.  `email` is lower case."""

    __tablename__ = "users"  # "user" is a word of PostgreSQL's own
    id: str = Field(default_factory=lambda: uuid.uuid4().hex, primary_key=True)
    email: str = Field(sa_column=Column(String(254), nullable=False, unique=True))
    password_hash: str  # "": signs in with an identity only
    admin: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    disabled: bool = False
    store_limit: int | None = None  # where an administrator gave another number than the settings


class Identity(SQLModel, table=True):
    """Who somebody is at an OpenID provider, by whose word they are signed in."""

    __tablename__ = "identity"
    issuer: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    user_id: str = Field(sa_column=_of_user())
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class UserSession(SQLModel, table=True):
    """A browser that is signed in."""

    __tablename__ = "user_session"
    id_hash: str = Field(primary_key=True)
    id: str = Field(default_factory=lambda: uuid.uuid4().hex, unique=True)  # to speak of it
    user_id: str = Field(sa_column=_of_user())
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime, index=True)
    last_seen_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    address: str  # where from, for the person to recognise it
    agent: str


class Token(SQLModel, table=True):
    """A program that may use the API."""

    __tablename__ = "token"
    id: str = Field(default_factory=lambda: uuid.uuid4().hex, primary_key=True)
    user_id: str = Field(sa_column=_of_user())
    name: str
    hash: str = Field(unique=True)
    scope: str  # of app.actor.Scope
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    made_by: str | None = Field(default=None, sa_column=_made_by_token())  # a token, and ends with it


class SetupLink(SQLModel, table=True):
    """Lets whoever reads the console make the first administrator; all go when there is one."""

    __tablename__ = "setup_link"
    token_hash: str = Field(primary_key=True)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class Invitation(SQLModel, table=True):
    """A link by which somebody makes the account of one e-mail address, once."""

    __tablename__ = "invitation"
    id: str = Field(default_factory=lambda: uuid.uuid4().hex, primary_key=True)
    email: str = Field(sa_column=Column(String(254), nullable=False, unique=True))
    hash: str = Field(unique=True)
    admin: bool
    invited_by: str  # an e-mail address, or the command line
    invited_by_id: str = Field(index=True)  # goes when they may not invite any more
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime, index=True)


class PasswordLink(SQLModel, table=True):
    """A link by which somebody chooses another password, once."""

    __tablename__ = "password_link"
    id: str = Field(default_factory=lambda: uuid.uuid4().hex, primary_key=True)
    user_id: str = Field(sa_column=_of_user())
    hash: str = Field(unique=True)
    made_by_id: str = Field(index=True)  # goes when they may not make any more; "": the command line
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)


class SignInFailure(SQLModel, table=True):
    """A password that was not right, or is being looked at: what sign-in is throttled by."""

    __tablename__ = "sign_in_failure"
    id: str = Field(default_factory=lambda: uuid.uuid4().hex, primary_key=True)
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime, index=True)
    account: str = Field(index=True)  # a hash: people type passwords into the wrong field
    place: str = Field(index=True)  # an address, a network of addresses, or a browser that is known
    filled: str = ""  # the measure that was full with it


class UsedState(SQLModel, table=True):
    """A sign-in at an OpenID provider that has come back: it does so once."""

    __tablename__ = "oidc_used_state"
    hash: str = Field(primary_key=True)
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime, index=True)
