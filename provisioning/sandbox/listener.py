"""A port of the sandbox: an HTTP server on loopback that can go away for a while and come back."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage

LARGEST_BODY = 3 * 2**20  # bytes, the API server's own limit

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Listener:
    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        # Cancelling handlers of clients that went away is what ends their watches.
        self._server = web.Server(handler, request_factory=_request, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=1.0)
        self._context = context
        self._site: web.SockSite | None = None
        self._return: asyncio.TimerHandle | None = None
        self._returning: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self, port: int, preferred: Iterable[int] = ()) -> None:
        """Listen on a port; 0: one of the preferred, else any.  Raises OSError when a named port is in use."""
        await self._runner.setup()
        for choice in (port,) if port else (*preferred, 0):
            try:
                await self._listen(choice)
            except OSError as error:
                if choice in (port, 0):
                    raise OSError(error.errno, f"port {choice} on 127.0.0.1: {error.strerror}") from error
            else:
                return

    async def stop(self) -> None:
        if self._return is not None:
            self._return.cancel()
        if self._returning is not None:
            await self._returning
        await self._runner.cleanup()

    async def away(self, seconds: float) -> None:
        """Cut every connection and refuse new ones; come back by itself."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        for connection in list(self._server.connections):
            if connection.transport is not None:
                connection.transport.abort()
        loop = asyncio.get_running_loop()
        if self._return is not None:
            self._return.cancel()

        def come_back() -> None:
            self._returning = loop.create_task(self._listen(self.port))

        self._return = loop.call_later(seconds, come_back)

    async def _listen(self, port: int) -> None:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with contextlib.ExitStack() as undo:
            undo.callback(listening.close)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", port))
            self._site = web.SockSite(self._runner, listening, ssl_context=self._context)
            await self._site.start()
            undo.pop_all()
        self.port = listening.getsockname()[1]


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    """aiohttp's own, but for bodies as large as the API server takes."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=LARGEST_BODY)
