"""Watches: a stream of the changes of one resource, from a version on, as one JSON line each.

Nothing runs for a quiet watch but two timers: its end, and a bookmark each minute if it asked for those.
"""

import asyncio
import json
from collections import deque

from aiohttp import web

from provisioning.sandbox.errors import ApiError, bad_request
from provisioning.sandbox.objects import Obj, namespace_of
from provisioning.sandbox.selectors import ObjectTest
from provisioning.sandbox.store import Change, Collection, Record, Store

BOOKMARK_EVERY = 60.0  # seconds, as the API server does
DEFAULT_TIMEOUT = 1800.0


class Watch:
    """One open watch."""

    def __init__(
        self,
        store: Store,
        collection: Collection,
        namespace: str | None,
        selector: ObjectTest | None,
        *,
        bookmarks: bool,
        timeout: float,
    ) -> None:
        self._store, self._collection, self._namespace, self._selector = store, collection, namespace, selector
        self._bookmarks, self._timeout = bookmarks, timeout
        self._lines: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._ended = False

    def start(self, version: str, initial_events: bool) -> None:
        """Begin at a version; "" or "0" means: what is there now, then what changes.  Raises ApiError 400."""
        if version and not version.isdigit():
            shown = json.dumps(version)
            raise bad_request(f"Invalid value: {shown}: strconv.ParseUint: parsing {shown}: invalid syntax")
        if version in ("", "0") or initial_events:
            for record in self._collection.records(self._namespace):
                if self._selector is None or self._selector(record.obj):
                    self._lines.append(_line("ADDED", record))
            if initial_events:
                self._bookmark({"annotations": {"k8s.io/initial-events-end": "true"}})
        else:
            try:
                for change in self._collection.since(int(version)):
                    self._take(change)
            except ApiError as error:
                self._lines.append(_encode("ERROR", error.status()))
                self._ended = True
        self._collection.listeners[self._take] = None

    def end(self) -> None:
        """End the stream after what is already in it."""
        self._ended = True
        self._news.set()

    async def send(self, response: web.StreamResponse) -> None:
        """Write until the watch ends.  Raises ConnectionError when the client went away."""
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(self._timeout, self.end)]
        if self._bookmarks:
            timers.append(loop.call_later(BOOKMARK_EVERY, self._tick, timers))
        try:
            while True:
                if self._lines:
                    lines = b"".join(self._lines)
                    self._lines.clear()
                    await response.write(lines)
                elif self._ended:
                    break
                else:
                    self._news.clear()
                    await self._news.wait()
            await response.write_eof()
        finally:
            for timer in timers:
                timer.cancel()
            self._collection.listeners.pop(self._take, None)

    def _tick(self, timers: list[asyncio.TimerHandle]) -> None:
        self._bookmark({})
        timers[1] = asyncio.get_running_loop().call_later(BOOKMARK_EVERY, self._tick, timers)

    def _bookmark(self, more: Obj) -> None:
        resource = self._collection.resource
        metadata = {"resourceVersion": str(self._store.version), "creationTimestamp": None, **more}
        self._lines.append(
            _encode("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata})
        )
        self._news.set()

    def _take(self, change: Change) -> None:
        obj = change.record.obj
        if self._namespace is not None and namespace_of(obj) != self._namespace:
            return
        type_: str = change.type
        if self._selector is not None:
            selected = change.type != "DELETED" and self._selector(obj)
            was_selected = change.old is not None and self._selector(change.old)
            if not selected and not was_selected:
                return
            # An object that comes into the selection is new to the client, one that leaves it is gone.
            type_ = "DELETED" if not selected else "MODIFIED" if was_selected else "ADDED"
        self._lines.append(_line(type_, change.record))
        self._news.set()


def _line(type_: str, record: Record) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (type_.encode(), record.encoded)


def _encode(type_: str, obj: Obj) -> bytes:
    return json.dumps({"type": type_, "object": obj}, separators=(",", ":")).encode() + b"\n"
