"""What the containers printed, kept in memory, and the API's way to read it.

What a container prints while it has nothing to do is not kept: it follows from the time, and is made when it is read.
"""

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from provisioning.sandbox.behaviour import behaviour_of
from provisioning.sandbox.errors import bad_request
from provisioning.sandbox.objects import Obj, parse_time, precise_timestamp

_LONGEST = 2000  # lines kept a container
_LONGEST_IDLE = 500  # lines of those that are made when they are read
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass
class ContainerLog:
    lines: list[tuple[datetime, str]] = field(default_factory=list)
    previous: list[tuple[datetime, str]] | None = None  # of the run before; None: there was none
    readers: set[asyncio.Event] = field(default_factory=set)
    ended: bool = False


@dataclass(frozen=True)
class Idle:
    """What a container prints in turn from a time on, so many seconds apart."""

    lines: tuple[str, ...] = ()
    since: datetime = _NEVER
    every: float = 1.0

    def until(self, at: datetime, after: datetime) -> list[tuple[datetime, str]]:
        """The lines that are due by `at`, later than `after`."""
        if not self.lines:
            return []
        last = int((at - self.since).total_seconds() / self.every)
        first = max(1, last - _LONGEST_IDLE, int((after - self.since).total_seconds() / self.every) + 1)
        moments = (self.since + timedelta(seconds=number * self.every) for number in range(first, last + 1))
        return [(at, self.lines[number % len(self.lines)]) for number, at in enumerate(moments, first) if at > after]

    @property
    def patience(self) -> float | None:
        """Seconds until another line may be due; None: none ever is."""
        return self.every / 2 if self.lines else None


class Logs:
    """By pod and container.  `speed`: how much faster than life the sandbox is."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._pods: dict[str, dict[str, ContainerLog]] = defaultdict(dict)  # by the pod's uid
        self._closed = False

    def of(self, uid: str, container: str) -> ContainerLog:
        return self._pods[uid].setdefault(container, ContainerLog())

    def start(self, uid: str, container: str) -> None:
        """A new run of a container begins."""
        log = self.of(uid, container)
        if log.ended:
            log.previous = log.lines
        log.lines, log.ended = [], False

    def write(self, uid: str, container: str, line: str, at: datetime | None = None) -> None:
        log = self.of(uid, container)
        log.lines.append((at or datetime.now(UTC), line))
        del log.lines[:-_LONGEST]
        _wake(log)

    def end(self, uid: str, container: str) -> None:
        log = self.of(uid, container)
        log.ended = True
        _wake(log)

    def tail(self, uid: str, container: str) -> str:
        """What a kubelet takes for the message of a container that failed: 80 lines or 2048 bytes at most."""
        lines = "\n".join(line for _, line in self.of(uid, container).lines[-80:])
        return lines.encode()[-2048:].decode(errors="ignore")

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        for log in self._pods.pop(uid, {}).values():
            log.ended = True
            _wake(log)

    def close(self) -> None:
        """End everyone's following."""
        self._closed = True
        for containers in self._pods.values():
            for log in containers.values():
                _wake(log)

    async def read(self, request: web.BaseRequest, pod: Obj) -> web.StreamResponse:
        """Answer GET pods/log.  Raises ApiError 400 when there is no such container or log yet."""
        query = request.query
        container = _container(pod, query.get("container", ""))
        _require_started(pod, container, query.get("previous") == "true")
        log = self.of(pod["metadata"]["uid"], container)
        previous = query.get("previous") == "true"
        idle = Idle() if previous else self._idle(pod, container)
        read_at = datetime.now(UTC)
        lines = list((log.previous or []) if previous else log.lines)
        lines = _selected(sorted([*lines, *idle.until(read_at, idle.since)]), query)
        timestamps = query.get("timestamps") in ("1", "true")
        body = b"".join(_format(at, line, timestamps) for at, line in lines)
        if query.get("limitBytes", "").isdigit():
            body = body[: int(query["limitBytes"])]
        if query.get("follow") not in ("1", "true"):
            return web.Response(body=body, content_type="text/plain")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await response.write(body)
        await self._follow(response, log, timestamps, idle, read_at)
        await response.write_eof()
        return response

    def _idle(self, pod: Obj, container: str) -> Idle:
        statuses = (pod.get("status") or {}).get("containerStatuses") or []
        status = next((each for each in statuses if each["name"] == container and each.get("ready")), None)
        started = ((status or {}).get("state") or {}).get("running", {}).get("startedAt")
        if status is None or not started:
            return Idle()
        behaviour = behaviour_of(status["image"])
        lines = self.of(pod["metadata"]["uid"], container).lines
        since = max([parse_time(started), *(at for at, _ in lines[-1:])])
        return Idle(behaviour.idle, since, behaviour.idle_every / self._speed)

    async def _follow(
        self, response: web.StreamResponse, log: ContainerLog, timestamps: bool, idle: Idle, told: datetime
    ) -> None:
        news, run, written = asyncio.Event(), log.lines, len(log.lines)
        log.readers.add(news)
        try:
            while not self._closed:
                at = datetime.now(UTC)
                fresh, written = [*run[written:], *idle.until(at, told)], len(run)
                told = at
                if fresh:
                    await response.write(b"".join(_format(at, line, timestamps) for at, line in fresh))
                elif log.ended or log.lines is not run:
                    return
                else:
                    news.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(news.wait(), idle.patience)
        finally:
            log.readers.discard(news)


def _wake(log: ContainerLog) -> None:
    for reader in log.readers:
        reader.set()


def _format(at: datetime, line: str, timestamps: bool) -> bytes:
    text = f"{precise_timestamp(at)} {line}" if timestamps else line
    return text.encode() + b"\n"


def _selected(lines: list[tuple[datetime, str]], query: Any) -> list[tuple[datetime, str]]:
    if query.get("sinceSeconds", "").isdigit():
        oldest = datetime.now(UTC) - timedelta(seconds=int(query["sinceSeconds"]))
        lines = [line for line in lines if line[0] >= oldest]
    if query.get("sinceTime"):
        since = parse_time(query["sinceTime"])
        lines = [line for line in lines if line[0] >= since]
    if query.get("tailLines", "").isdigit():
        count = int(query["tailLines"])
        lines = lines[-count:] if count else []
    return lines


def _container(pod: Obj, wanted: str) -> str:
    names = [c["name"] for c in [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]]
    name = pod["metadata"]["name"]
    if wanted:
        if wanted not in names:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    containers = [c["name"] for c in pod["spec"]["containers"]]
    if len(containers) > 1:
        choices = " ".join(containers)
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{choices}]")
    return str(containers[0])


def _require_started(pod: Obj, container: str, previous: bool) -> None:
    status = pod.get("status") or {}
    statuses = [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]
    found = next((item for item in statuses if item["name"] == container), None)
    name = pod["metadata"]["name"]
    state = (found or {}).get("state") or {"waiting": {"reason": "ContainerCreating"}}
    last = ((found or {}).get("lastState") or {}).get("terminated")
    if previous and not last:
        raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    if "waiting" in state and not last:
        reason = state["waiting"].get("reason", "ContainerCreating")
        words = {
            "ErrImagePull": "image can't be pulled",
            "ImagePullBackOff": "trying and failing to pull image",
        }.get(reason, reason)
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {words}')
