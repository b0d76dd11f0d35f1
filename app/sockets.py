"""Whose pages a websocket may speak for.

NiceGUI takes any websocket that knows a page's id, which stands in addresses and so in the logs of proxies.  Here it
also has to show the session that the page was served to.  What else a websocket may say, and how it is said wrongly, is
refused before NiceGUI sees it.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import Client
from socketio.exceptions import ConnectionRefusedError
from starlette.requests import HTTPConnection

from app.connections import Told

log = logging.getLogger(__name__)

Handler = Callable[..., Any]

LARGEST_MESSAGE = 64 * 1024  # bytes, as of a body that the API takes
LONGEST_LOG = 500  # characters
_GREETED = "storefleet.greeted"  # among what is known of a websocket


def bind(sio: Any, cookie: str, told: Told) -> None:
    """Put our rules before NiceGUI's handlers; `cookie` is the name of the one that holds the session."""
    # Internal names: a test attacks each of them, and fails where one is called otherwise.
    logging.getLogger("engineio.server").setLevel(logging.CRITICAL)  # a traceback for each packet that is none
    sio.eio.max_http_buffer_size = LARGEST_MESSAGE
    sio.eio.transports = ["websocket"]  # nobody collects connections that cost them nothing
    handlers: dict[str, Handler] = sio.handlers["/"]
    take, shake_hands = handlers["connect"], handlers["handshake"]

    def is_theirs(sid: str, client_id: object) -> bool:
        """Was the page served to the session that the websocket shows?"""
        client = Client.instances.get(client_id) if isinstance(client_id, str) else None
        if client is None:
            return False
        asked = HTTPConnection(sio.get_environ(sid)["asgi.scope"])
        ours, theirs = client.request.cookies.get(cookie, ""), asked.cookies.get(cookie, "")
        return secrets.compare_digest(ours.encode(), theirs.encode())

    async def connect(sid: str, *_: object) -> None:
        environ = sio.get_environ(sid)
        if _GREETED in environ:
            return  # a message that is called so: whoever sends it is connected already
        environ[_GREETED] = True
        query = HTTPConnection(environ["asgi.scope"]).query_params
        if not is_theirs(sid, query.get("client_id")):
            # In these words the browser loads the page anew, which leads to sign-in.
            raise ConnectionRefusedError("Implicit handshake failed")
        await take(sid, environ, None)

    async def understood(then: Handler, sid: str, message: dict[str, Any]) -> Any:
        """What NiceGUI makes of a message; one that it cannot read is nothing."""
        try:
            answer = then(sid, message)
            return await answer if isinstance(answer, Awaitable) else answer
        except (KeyError, TypeError, ValueError, LookupError, AttributeError) as error:
            client = sio.get_environ(sid)["asgi.scope"].get("client") or ("",)
            told.refusal(client[0], "a message that cannot be read", type(error).__name__)
            return None

    async def handshake(sid: str, message: object = None, *_: object) -> bool:
        if not isinstance(message, dict) or not is_theirs(sid, message.get("client_id")):
            return False
        return bool(await understood(shake_hands, sid, message))

    def in_own_room(then: Handler) -> Handler:
        async def handler(sid: str, message: object = None, *_: object) -> None:
            if isinstance(message, dict) and message.get("client_id") in sio.rooms(sid):
                await understood(then, sid, message)

        return handler

    handlers.update(connect=connect, handshake=handshake, log=_log)
    for name in ("event", "javascript_response", "ack"):
        handlers[name] = in_own_room(handlers[name])


async def _log(sid: str, message: object = None, *_: object) -> None:
    """What a browser wants to have written down is a stranger's word."""
    said = str(message.get("message", "")) if isinstance(message, dict) else ""
    log.debug("a browser says: %r", said[:LONGEST_LOG])
