"""How many connections one address may have, how long it may take to ask, and how much it may ask with.

uvicorn waits for ever for a request that does not come, and takes headers of any length.  A process has only so many
file descriptors: whoever holds a thousand connections must not take them from everybody else.
"""

import asyncio
import logging
import resource
import time
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.proxies import Network

log = logging.getLogger(__name__)

HEAD_WITHIN = 15.0  # seconds from the beginning of a request, or of a connection, until its headers are there
LARGEST_HEAD = 64 * 1024  # bytes
SAID_EVERY = 60.0  # seconds between two lines in the log about the same refusal of the same address
_REMEMBERED = 10_000  # refusals


class Places:
    """Counts what each address has open."""

    def __init__(self, of_one: int) -> None:
        self.of_one = of_one
        self._taken: Counter[str] = Counter()

    def take(self, address: str) -> bool:
        """One more, if there is a place; who takes it gives it back."""
        who = whole(address)
        if self._taken[who] >= self.of_one:
            return False
        self._taken[who] += 1
        return True

    def give_back(self, address: str) -> None:
        who = whole(address)
        self._taken[who] -= 1
        if self._taken[who] <= 0:
            del self._taken[who]

    def taken(self, address: str) -> int:
        return self._taken.get(whole(address), 0)


def whole(address: str) -> str:
    """Whom an address stands for: who has one of IPv6 has its whole /64."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    return str(ip_network(f"{known}/64", strict=False)) if known.version == 6 else str(known)


class Told:
    """Writes a refusal down once, and then how often it happened since, so that an attack does not fill the log."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], tuple[float, int]] = {}

    def refusal(self, address: str, why: str, what: str = "") -> None:
        """`why`: the kind; `what`: a stranger's words about it."""
        at, key = time.monotonic(), (whole(address), why)
        last, silent = self._since.get(key, (-SAID_EVERY, 0))
        if at - last < SAID_EVERY:
            self._since[key] = (last, silent + 1)
            return
        if len(self._since) >= _REMEMBERED:
            self._since.clear()
        self._since[key] = (at, 0)
        more = f" ({silent} more before this one)" if silent else ""
        log.warning("refused %s from %r: %r%s", why, address, what[:200], more)


class Connection(HttpToolsProtocol):
    """An HTTP connection with limits.  `limit` sets them for all that come."""

    places: ClassVar[Places] = Places(1000)
    trusted: ClassVar[Sequence[Network]] = ()
    told: ClassVar[Told] = Told()

    _place: str | None = None  # the address whose place it holds
    _patience: asyncio.TimerHandle | None = None
    _head = 0  # bytes of a request whose headers are not all there

    @classmethod
    def limit(cls, of_one: int, trusted: Sequence[Network], told: Told) -> type["Connection"]:
        """Let one address have `of_one` connections, a proxy that we trust as many as it likes."""
        cls.places, cls.trusted, cls.told = Places(of_one), trusted, told
        logging.getLogger("uvicorn.error").addFilter(_not_told_by_us)
        return cls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not _is_among(address, self.trusted):
            if not self.places.take(address):
                self.told.refusal(address, "a connection, having too many")
                transport.abort()
                return
            self._place = address
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._patience is not None:
            self._head += len(data)
            if self._head > LARGEST_HEAD:
                self._give_up("headers without end")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self.told.refusal(self.client[0] if self.client else "", "what is no HTTP")
        super().send_400_response(msg)

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        self._end()  # it is counted as a websocket from here on

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(HEAD_WITHIN, self._give_up, "a request that takes too long")

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience, self._head = None, 0

    def _give_up(self, why: str) -> None:
        self._stop_waiting()
        if self._place is not None:
            self.told.refusal(self._place, why)
        self.transport.close()

    def _end(self) -> None:
        self._stop_waiting()
        if self._place is not None:
            self.places.give_back(self._place)
            self._place = None


def raise_file_limit() -> None:
    """As many open files, which connections are too, as the system lets this process have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _not_told_by_us(record: logging.LogRecord) -> bool:
    """uvicorn has a line for every request that is none."""
    return "Invalid HTTP request received" not in record.getMessage()


def _is_among(address: str, trusted: Sequence[Network]) -> bool:
    try:
        known: Any = ip_address(address)
    except ValueError:
        return False
    known = getattr(known, "ipv4_mapped", None) or known
    return any(known in network for network in trusted)
