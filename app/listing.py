"""Many stores at once: which of them somebody may see and asks for, in which order, where a page of them ends, and what
changed for whom."""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, case, or_
from sqlmodel import col

from app.actor import Actor
from app.models import User
from app.problems import Problem
from app.store_views import EventView, StoreView
from provisioning.models import Store
from provisioning.states import State

_PART_OF_A_NAME = re.compile(r"[a-z0-9-]*")

SHOWN = or_(
    col(Store.state) != State.DELETING,
    col(Store.destroy_at).is_(None),
    col(Store.destroy_at) <= col(Store.state_at),
)
"""Of the stores that are shown where no state is asked for: not of what was deleted with time to undo it."""


def visible(actor: Actor) -> list[Any]:
    """The condition that leaves what the actor may see."""
    return [] if actor.admin else [col(Store.owner_id) == actor.user_id]


def owned_by(email: str) -> Any:
    """The condition that leaves the stores of whose address this is."""
    return col(User.email) == email.replace("\0", "").lower()  # PostgreSQL takes none in a text


def searched(q: str) -> Any | None:
    """The condition that leaves those with `q`, in small letters, in their name (with an @: in their owner's address).

    None: there can be none.
    """
    if "\0" in q or ("@" not in q and not _PART_OF_A_NAME.fullmatch(q)):
        return None
    return (col(User.email) if "@" in q else col(Store.name)).contains(q, autoescape=True)


class Sort(StrEnum):
    """An order; a dash turns it round.  What is equal stands by age."""

    NEWEST = "-created"
    OLDEST = "created"
    NAME = "name"
    NAME_DOWN = "-name"
    OWNER = "owner"
    OWNER_DOWN = "-owner"
    STATE = "state"  # what needs somebody first: failed, on the way, ready, deleting
    STATE_DOWN = "-state"

    @property
    def down(self) -> bool:
        return self.startswith("-")

    @property
    def column(self) -> Any:
        return _COLUMNS[self.removeprefix("-")]

    def key(self, view: StoreView) -> str | int:
        """What `column` is for a store that was read."""
        return {
            "created": view.created_at.isoformat(),
            "name": view.name,
            "owner": view.owner,
            "state": URGENCY.index(view.state),
        }[self.removeprefix("-")]


URGENCY = (State.FAILED, State.REQUESTED, State.PROVISIONING, State.READY, State.DELETING)

_COLUMNS: dict[str, Any] = {
    "created": col(Store.created_at),
    "name": col(Store.name),
    "owner": col(User.email),
    "state": case({state: place for place, state in enumerate(URGENCY)}, value=col(Store.state)),
}


def order(sort: Sort) -> tuple[Any, Any]:
    """For ORDER BY."""
    return (sort.column.desc(), col(Store.id).desc()) if sort.down else (sort.column.asc(), col(Store.id).asc())


def cursor(sort: Sort, last: StoreView) -> str:
    """Where the page after the one that ends with `last` begins."""
    return base64.urlsafe_b64encode(json.dumps([sort, sort.key(last), last.id]).encode()).decode()


def beyond(sort: Sort, cursor: str) -> ColumnElement[bool]:
    """The condition of what comes after it.  Spelled out: SQLite and PostgreSQL agree on this, and a row that comes or
    goes shifts no page.  Problem 422."""
    try:
        begun, key, last = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        value: Any = key
        if begun != sort or not isinstance(last, str) or type(key) is not (int if "state" in sort else str):
            raise ValueError(cursor)
        if "created" in sort:
            time = datetime.fromisoformat(key)
            if time.tzinfo is None:
                raise ValueError(key)
            value = time.astimezone(UTC)
        elif "\0" in f"{key}{last}":  # PostgreSQL takes none in a text
            raise ValueError(key)
    except (ValueError, TypeError, binascii.Error, OverflowError, RecursionError) as error:
        sentence = "This is not a page's “next” in this order. Begin again without a cursor."
        raise Problem(422, sentence, extra={"errors": [{"field": "cursor", "detail": sentence}]}) from error
    column, id_ = sort.column, col(Store.id)
    if sort.down:
        return or_(column < value, and_(column == value, id_ < last))
    return or_(column > value, and_(column == value, id_ > last))


@dataclass(frozen=True)
class Found:
    """A store, and whose it is."""

    owner_id: str
    view: StoreView
    events: tuple[EventView, ...] = ()  # its timeline, while it is on its way


class Look:
    """Some stores, read once for everybody who may want to see them: each is shown only to whom it may be."""

    def __init__(self, found: Mapping[str, Found]) -> None:
        self._found = found

    def store(self, actor: Actor, name: str) -> StoreView | None:
        """None: it is gone, or somebody else's."""
        found = self._found.get(name)
        return found.view if found and (actor.admin or found.owner_id == actor.user_id) else None

    def stores(self, actor: Actor) -> Collection[StoreView]:
        """Those that `actor` may see."""
        return [view for name in sorted(self._found) if (view := self.store(actor, name))]

    def events(self, actor: Actor, name: str) -> tuple[EventView, ...]:
        """The timeline of one that is on its way; empty for all others."""
        return self._found[name].events if self.store(actor, name) else ()
