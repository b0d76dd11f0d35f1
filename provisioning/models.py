"""The engine's tables: what is wanted, what happened, and the sealed secrets.

`store` is the wish and where it stands; `transition` is one row for each change of state; `event` is what happened to a
store, for people (its timeline).  All times are UTC.  Rows of a store go with the store; what must outlive it belongs
into the audit trail, `audit`, or, where nobody did it and only figures are made of it, into `attempt`.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
)
from sqlmodel import Column, Field, SQLModel

from provisioning.states import State

SQLModel.metadata.naming_convention = MetaData(
    naming_convention={  # names that a migration can refer to, the same on SQLite and PostgreSQL
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention


def now() -> datetime:
    return datetime.now(UTC)


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which keeps no time zone, gives it back aware as well."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


def words(kind: type[StrEnum]) -> Enum:
    """A column type that keeps an enumeration by its words, without a type of the database's own."""
    return Enum(kind, native_enum=False, length=16, values_callable=lambda each: [item.value for item in each])


class Level(StrEnum):
    """How much an event matters to whoever reads the timeline."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"


class Installation(SQLModel, table=True):
    """One row: the id of this database, which is on every object that we make in a cluster."""

    __tablename__ = "installation"
    id: str = Field(primary_key=True)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    key_check: bytes | None = Field(default=None, sa_column=Column(LargeBinary))  # nothing, sealed as secrets are
    cluster_uid: str | None = None  # of the cluster in which the stores live: of its namespace kube-system


class Store(SQLModel, table=True):
    """A store that somebody asked for.  `state` changes by `Database.transition` only."""

    __tablename__ = "store"
    id: str = Field(primary_key=True)  # 32 hexadecimal digits: also a label's value
    name: str = Field(sa_column=Column(String(63), nullable=False, unique=True))
    owner_id: str = Field(index=True)  # a user's id; the engine asks only whether two are the same
    template: str
    plan: str
    options: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    state: State = Field(default=State.REQUESTED, sa_column=Column(words(State), nullable=False, index=True))
    state_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)  # when it came into this state
    reason: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))  # see failures.Reason
    url: str
    version: str  # of the shop, as it is deployed
    revision: int = 0  # Helm's
    pinned: str | None = (
        None  # fingerprint of the earlier release that is wanted; None: what the platform's chart makes
    )
    # What the engine saw last, see `upgrades`:
    proven: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))  # fingerprints
    upgrade_to: str | None = None  # the version that the platform's chart would make of it; None: nothing newer
    earlier: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    ready_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    # While it is DELETING:
    destroy_at: datetime | None = Field(default=None, sa_type=UTCDateTime)  # until then the deletion can be undone
    destroying_at: datetime | None = Field(default=None, sa_type=UTCDateTime)  # when its destruction began
    inventory: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))  # before that


class Transition(SQLModel, table=True):
    """A change of state that happened."""

    __tablename__ = "transition"
    id: int | None = Field(default=None, primary_key=True)
    store_id: str = Field(sa_column=Column(ForeignKey("store.id", ondelete="CASCADE"), nullable=False, index=True))
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    before: State | None = Field(default=None, sa_column=Column(words(State)))  # None: the store was requested
    after: State = Field(sa_column=Column(words(State), nullable=False))
    cause: str  # one sentence


class Attempt(SQLModel, table=True):
    """An attempt to bring a store up that came to its end: what the platform's figures are made of, and so without any
    tie to the store, whose rows go with it."""

    __tablename__ = "attempt"
    id: int | None = Field(default=None, primary_key=True)
    store_id: str
    began_at: datetime = Field(sa_type=UTCDateTime)  # when the store got a place
    ended_at: datetime = Field(sa_type=UTCDateTime, index=True)
    seconds: float  # in between
    again: bool  # the store had been READY before
    code: str  # of the failure, see failures.causes; "": it became READY


class Event(SQLModel, table=True):
    """A line of a store's timeline, which is ordered by `at`, then `id`: whole seconds are as fine as Kubernetes tells,
    so finer times of our own would stand in a false order.  `key` makes what the cluster reports many times one line.
    """

    __tablename__ = "event"
    # AUTOINCREMENT: an id is never given twice, so that a stream can go on behind the last id that it sent.
    __table_args__ = (UniqueConstraint("store_id", "key"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True)
    store_id: str = Field(sa_column=Column(ForeignKey("store.id", ondelete="CASCADE"), nullable=False, index=True))
    key: str
    at: datetime = Field(sa_type=UTCDateTime)  # whole seconds, by the cluster's clock for what is there
    kind: str  # "namespace.created": stable, for programs
    message: str  # the specification's wording, for people
    level: Level = Field(default=Level.INFO, sa_column=Column(words(Level), nullable=False))
    object: str | None = None  # what it speaks of: "pod/postgres-0"
    evidence: str | None = None  # what the cluster said, word for word; untrusted


class StoreSecret(SQLModel, table=True):
    """A store's secrets, sealed, so that a Secret that was deleted comes back with the same values; and how far they
    are being replaced by new ones (see `rotation`)."""

    __tablename__ = "store_secret"
    store_id: str = Field(sa_column=Column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True))
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    generation: int = Field(default=1, sa_column=Column(Integer, nullable=False, server_default="1"))
    next: bytes | None = Field(default=None, sa_column=Column(LargeBinary))  # sealed as well: asked for, not in force
    former_login: str | None = None  # to the shop's database, until it is closed; "": the same as now
    granted_on: str | None = None  # uid of the volume whose database was told of a login of ours


class Outcome(StrEnum):
    """How what an audit entry tells of ended."""

    OK = "ok"
    REFUSED = "refused"  # not permitted, or not possible as things were
    FAILED = "failed"


class AuditEntry(SQLModel, table=True):
    """Somebody did something; see provisioning.audit, which alone adds rows.  "" where there is nothing to say."""

    __tablename__ = "audit"
    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))  # 1, 2, 3, … without a gap
    at: datetime = Field(sa_type=UTCDateTime, index=True)
    actor_id: str  # a user's id
    actor: str = Field(index=True)  # e-mail address at that time, or what acted by itself: "the engine"
    token_id: str
    address: str  # of the client
    action: str = Field(index=True)  # "store.create": stable, for programs
    store_id: str
    store_name: str = Field(index=True)
    outcome: str  # an Outcome; a plain text, so that one that was tampered with can be read
    error: str  # one sentence
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    hash: str = ""  # SHA-256 over all of this and the hash before
