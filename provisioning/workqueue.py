"""A queue of names with the three rules that make level-triggered work safe, as in Kubernetes' client-go.

A name waits at most once however often it is added; it is never worked on twice at the same time; added while it is
being worked on, it is worked on again afterwards.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

AGAIN_AFTER = 5.0  # seconds until work that failed unforeseen is tried again


class WorkQueue:
    """Names, worked on by a few tasks."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()  # in _ready, or to be put there when its present work ends
        self._working: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failure = ""  # the last one, in a line

    def add(self, name: str) -> None:
        """Work on `name` as soon as possible."""
        if timer := self._timers.pop(name, None):
            timer.cancel()
        if name not in self._waiting:
            self._waiting.add(name)
            if name not in self._working:
                self._ready.put_nowait(name)

    def add_after(self, name: str, seconds: float) -> None:
        """Work on `name` in a while; an earlier date that it has already stays."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        timer = self._timers.get(name)
        if timer is None or timer.when() > due:
            if timer is not None:
                timer.cancel()
            self._timers[name] = loop.call_at(due, self.add, name)

    async def work(self, handle: Callable[[str], Awaitable[None]]) -> None:
        """Take names and `handle` them, for ever.  Several of these may run side by side."""
        while True:
            name = await self._ready.get()
            self._waiting.discard(name)
            self._working.add(name)
            try:
                await handle(name)
            except Exception as error:
                self._tell(name, error)
                self.add_after(name, AGAIN_AFTER)
            finally:
                self._working.discard(name)
                if name in self._waiting:
                    self._ready.put_nowait(name)

    def _tell(self, name: str, error: Exception) -> None:
        """With its traceback once: a database that is broken fails every name, again and again."""
        failure = f"{type(error).__name__}: {error}".partition("\n")[0][:300]
        if failure == self._failure:
            log.error("work on %s failed, as before: %s", name, failure)
        else:
            log.error("work on %s failed", name, exc_info=error)
        self._failure = failure

    def close(self) -> None:
        """Drop every timer."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
