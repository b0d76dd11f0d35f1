"""The application's tables: people, and what proves that a request comes from them.

Secrets that a browser or a program holds (sessions, tokens, setup links) are kept as SHA-256 only: they are long and
random, so that a fast hash is enough, and a stolen database opens nothing.
"""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlmodel import Column, Field, SQLModel

from provisioning.models import UTCDateTime, now


def _of_user() -> Column[str]:
    return Column(ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)


class User(SQLModel, table=True):
    """Somebody who may sign in.  `email` is lower case."""

    __tablename__ = "users"  # "user" is a word of PostgreSQL's own
    id: str = Field(default_factory=lambda: uuid.uuid4().hex, primary_key=True)
    email: str = Field(sa_column=Column(String(254), nullable=False, unique=True))
    password_hash: str
    admin: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    disabled: bool = False
    store_limit: int | None = None  # where an administrator gave another number than the settings


class UserSession(SQLModel, table=True):
    """A browser that is signed in."""

    __tablename__ = "user_session"
    id_hash: str = Field(primary_key=True)
    user_id: str = Field(sa_column=_of_user())
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime, index=True)
    address: str  # where from, for the person to recognise it
    agent: str


class Token(SQLModel, table=True):
    """A program that may use the API."""

    __tablename__ = "token"
    id: str = Field(default_factory=lambda: uuid.uuid4().hex, primary_key=True)
    user_id: str = Field(sa_column=_of_user())
    name: str
    hash: str = Field(unique=True)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class SetupLink(SQLModel, table=True):
    """Lets whoever reads the console make the first administrator; all go when there is one."""

    __tablename__ = "setup_link"
    token_hash: str = Field(primary_key=True)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
