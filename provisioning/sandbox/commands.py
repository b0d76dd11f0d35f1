"""Commands in containers (`kubectl exec`), over a websocket as the API server does it.

Nothing runs here, so only what a store's upkeep needs is understood: psql in a PostgreSQL, as far as `logins` goes.
"""

import asyncio
import json
from collections.abc import Callable

from aiohttp import WSMsgType, web

from provisioning.sandbox.controllers.storage import claims_of
from provisioning.sandbox.errors import ApiError, bad_request
from provisioning.sandbox.logins import Logins
from provisioning.sandbox.objects import Obj, is_true, name_of, namespace_of
from provisioning.sandbox.registry import Registry

_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_IN, _OUT, _ERROR, _STATUS = (bytes([number]) for number in range(4))
_INPUT_WITHIN = 10.0  # seconds


class Commands:
    """`changed` is called when a command may have changed how other containers are."""

    def __init__(self, registry: Registry, changed: Callable[[], None]) -> None:
        self._store, self._logins, self._changed = registry.store, Logins(registry), changed

    async def run(self, request: web.BaseRequest, pod: Obj) -> web.StreamResponse:
        """Answer GET pods/exec.  Raises ApiError where the container does not run."""
        name = request.query.get("container") or pod["spec"]["containers"][0]["name"]
        statuses = (pod.get("status") or {}).get("containerStatuses") or []
        if not any(each["name"] == name and "running" in each["state"] for each in statuses):
            raise ApiError(500, "InternalError", f'container not found ("{name}")')
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise bad_request("Upgrade request required")
        command = request.query.getall("command", [])
        socket = web.WebSocketResponse(protocols=_PROTOCOLS)
        await socket.prepare(request)
        given = await _input(socket) if request.query.get("stdin") in ("1", "true") else ""
        code, said = self._do(pod, command, given)
        if said:
            await socket.send_bytes(_ERROR + said.encode())
        await socket.send_bytes(_STATUS + json.dumps(_status(code)).encode())
        await socket.close()
        return socket

    def _do(self, pod: Obj, command: list[str], given: str) -> tuple[int, str]:
        """(exit code, what it says on its error channel)"""
        if command[:1] != ["psql"]:
            return 127, f"the sandbox knows no command {' '.join(command[:1])}"
        if not is_true(pod, "Ready"):
            return 2, 'psql: error: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed'
        self._logins.run(self._volume(pod), given)
        self._changed()
        return 0, ""

    def _volume(self, pod: Obj) -> Obj:
        for name in claims_of(pod):
            if claim := self._store.find("PersistentVolumeClaim", namespace_of(pod), name):
                return claim
        found = self._store.find("Pod", namespace_of(pod), name_of(pod))
        return found or pod


async def _input(socket: web.WebSocketResponse) -> str:
    """What comes until psql is told to quit."""
    given = ""
    while not given.endswith("\\q\n"):
        message = await asyncio.wait_for(socket.receive(), _INPUT_WITHIN)
        if message.type is not WSMsgType.BINARY:
            break
        if message.data[:1] == _IN:
            given += message.data[1:].decode(errors="replace")
    return given


def _status(code: int) -> Obj:
    status: Obj = {"metadata": {}, "status": "Success"}
    if code:
        message = f"command terminated with non-zero exit code: exit status {code}"
        causes = [{"reason": "ExitCode", "message": str(code)}]
        status |= {"status": "Failure", "reason": "NonZeroExitCode", "message": message, "details": {"causes": causes}}
    return status
