"""Which pages are open, and the end of those whose reader is signed in no more.

A page outlives the session that opened it, and shows by itself what changes.  So whenever somebody's sessions or rights
may be others, in this process or in another one that tells of it, the pages that they have open are looked at; and all
pages every few seconds, since a hint can be lost, and a command on the database gives none where it is SQLite.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from app.services import Services

if TYPE_CHECKING:
    from app.pages.frame import Frame

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds


class OpenPages:
    """One for the process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pages: set[Frame] = set()
        self._looks: set[asyncio.Task[None]] = set()
        self._clock: asyncio.Task[None] | None = None
        services.user_changes.subscribe(self._on_change)

    def add(self, frame: "Frame") -> Callable[[], None]:
        """`frame` is being opened; the answer is for when it is gone."""
        self._pages.add(frame)
        if self._clock is None:
            self._clock = asyncio.create_task(self._look_again(), name="pages: sessions that ended")
        return lambda: self._pages.discard(frame)

    async def stop(self) -> None:
        for task in (self._clock, *self._looks):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def _on_change(self, user_id: str) -> None:
        if any(page.reader.user_id == user_id for page in self._pages):
            look = asyncio.create_task(self._look(user_id), name="pages: sessions of one person")
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)

    async def _look_again(self) -> None:
        """The one clock for all pages; it ends with the last of them."""
        while self._pages:
            await asyncio.sleep(LOOK_EVERY)
            await self._look()
        self._clock = None

    async def _look(self, user_id: str | None = None) -> None:
        """Close the pages, of this user or of all, whose session has ended or whose reader may do other things now."""
        pages = [page for page in self._pages if user_id in (None, page.reader.user_id)]
        try:
            living = await self._services.sessions.living({page.reader.session_id for page in pages})
        except SQLAlchemyError as error:
            log.warning("it cannot be seen whose session has ended: %s", error)
            return
        for page in pages:
            if living.get(page.reader.session_id) != page.reader.admin:
                self._pages.discard(page)
                page.close()
