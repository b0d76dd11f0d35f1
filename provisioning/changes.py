"""Tells who listens in this process that something changed: the pages, the event streams, the engine.

A change of a store carries no data but its id and name: listeners read the database, so that a lost or doubled change
does no harm.  Called in the event loop only.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """Something about one store is different: its row, or its events (`event_id` is then the newest)."""

    store_id: str
    name: str
    event_id: int | None = None
    gone: bool = False  # the row was removed


T = TypeVar("T")


class Listeners(Generic[T]):
    """One sender, many listeners; a listener that raises is logged and does not hold up the others."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[T], None]] = []

    def subscribe(self, listener: Callable[[T], None]) -> Callable[[], None]:
        """Call `listener` on every change from now on; the answer ends that (calling it twice is fine)."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def publish(self, change: T) -> None:
        for listener in list(self._listeners):
            try:
                listener(change)
            except Exception:
                log.exception("a listener failed on %s", change)


class Changes(Listeners[Change]):
    """Of stores."""


class UserChanges(Listeners[str]):
    """Of people, by their ids: what they may do, or by what they are signed in, may be another."""
