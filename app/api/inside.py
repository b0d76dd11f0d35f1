"""A store's parts, use and logs over HTTP; what may be seen is decided in `app.inside`."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from app.actor import Actor
from app.api.access import CurrentActor, CurrentServices, StoreName, refusals
from app.api.stream import HEARTBEAT
from app.inside import LogItem
from app.inside_views import LogOf, LogQuery, PartsView, UsageView
from app.problems import Problem
from app.services import Services
from app.sign_in import actor_of
from provisioning.pod_logs import MOST_LINES, LogLine, Note

SSE, TEXT = "text/event-stream", "text/plain; charset=utf-8"
OBJECT_NAME = "^[a-z0-9.-]*$"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

router = APIRouter(prefix="/stores", tags=["stores"])


@router.get("/{name}/parts", responses=refusals(404))
async def parts(name: StoreName, actor: CurrentActor, services: CurrentServices) -> PartsView:
    """How PostgreSQL, Medusa, ingress, certificate and volume of a store are, with their pods and containers."""
    return await services.inside.parts(actor, name)


@router.get("/{name}/usage", responses=refusals(404, 422))
async def usage(
    name: StoreName,
    actor: CurrentActor,
    services: CurrentServices,
    over: Annotated[
        Literal["hour", "day"], Query(alias="range", description="A day is in steps of 5 minutes.")
    ] = "hour",
) -> UsageView:
    """What a store used of CPU and memory against its limits, as long as this process has measured."""
    return await services.inside.usage(actor, name, day=over == "day")


def _query(
    part: Annotated[Literal["medusa", "postgres"], Query(description="Its newest pod.")] = "medusa",
    pod: Annotated[str, Query(max_length=253, pattern=OBJECT_NAME, description="This pod of the part.")] = "",
    container: Annotated[str, Query(max_length=63, pattern=OBJECT_NAME, description="Where a pod has several.")] = "",
    tail: Annotated[int, Query(ge=0, le=MOST_LINES, description="So many of the last lines.")] = 200,
    previous: Annotated[bool, Query(description="Of the run before this one; not with `follow`.")] = False,
) -> LogQuery:
    return LogQuery(part, pod, container, tail, previous)


@router.get(
    "/{name}/logs",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {}, SSE: {}}}, **refusals(404, 409, 422, 429, 503)},
)
async def logs(
    name: StoreName,
    query: Annotated[LogQuery, Depends(_query)],
    request: Request,
    actor: CurrentActor,
    services: CurrentServices,
    follow: Annotated[bool, Query(description="Go on with what comes, over restarts and new pods.")] = False,
    accept: Annotated[str, Header(max_length=500, include_in_schema=False)] = "",
    last_event_id: Annotated[str, Header(max_length=40, description="Go on behind this line.")] = "",
) -> StreamingResponse:
    """What a store's containers printed, each line behind its time, without secrets.

    As text, or, where `Accept` asks for it, as Server-Sent Events: `of` says whose lines follow, `lines` holds pairs of
    time and text, `note` tells what is waited for; the last is `end`.
    """
    as_events = SSE in accept
    if not follow:
        lines = await services.inside.read_log(actor, name, query)
        body = _events(lines) if as_events else _text(lines)
    else:
        if last_event_id:
            query = LogQuery(query.part, query.pod, query.container, query.lines, since=_time(last_event_id))
        watch = Watch(services, request, actor, name)
        items = await services.inside.follow_log(actor, name, query)
        body = _events(watch.over(items)) if as_events else _text(watch.over(items))
    file = "-".join(filter(None, (name, query.pod or query.part, query.container)))
    headers = HEADERS if as_events else {**HEADERS, "Content-Disposition": f'inline; filename="{file}.log"'}
    return StreamingResponse(
        body, media_type=SSE if as_events else TEXT, headers=headers, background=BackgroundTask(body.aclose)
    )


class Watch:
    """Lets a log be followed as long as somebody listens who may: None stands for a moment in which nothing came."""

    def __init__(self, services: Services, request: Request, actor: Actor, name: str) -> None:
        self._services, self._request, self._actor, self._name = services, request, actor, name

    async def over(self, items: AsyncGenerator[LogItem, None]) -> AsyncGenerator[LogItem | None, None]:
        waiting: asyncio.Queue[LogItem | None] = asyncio.Queue(1)  # a slow reader so holds up what it reads

        async def pump() -> None:
            async with contextlib.aclosing(items):
                async for item in items:
                    await waiting.put(item)

        pumping = asyncio.create_task(pump(), name=f"log of {self._name}")
        stopping = asyncio.create_task(self._services.stopping.wait())
        taking: asyncio.Task[LogItem | None] | None = None
        try:
            while True:
                taking = taking or asyncio.create_task(waiting.get())
                await asyncio.wait({taking, pumping, stopping}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done():
                    return
                if taking.done():
                    item, taking = taking.result(), None
                    yield item
                elif pumping.done():
                    if waiting.empty():
                        pumping.result()  # raises what went wrong
                        return
                elif not await self._may_go_on():
                    return
                else:
                    yield None
        finally:
            for task in (taking, pumping, stopping):
                if task is not None:
                    task.cancel()
            await asyncio.gather(*(task for task in (taking, pumping, stopping) if task), return_exceptions=True)

    async def _may_go_on(self) -> bool:
        if await self._request.is_disconnected() or await actor_of(self._request) is None:
            return False
        with contextlib.suppress(Problem):
            await self._services.stores.row(self._actor, self._name)
            return True
        return False


async def _text(
    items: AsyncGenerator[list[LogLine], None] | AsyncGenerator[LogItem | None, None],
) -> AsyncGenerator[str, None]:
    async with contextlib.aclosing(items):
        async for item in items:
            if isinstance(item, list):
                yield "".join(f"{line.at} {line.text}\n" for line in item)
            elif isinstance(item, Note):
                yield f"-- {item.text}\n"
            elif isinstance(item, LogOf):
                yield f"-- {item.pod}, container {item.container}\n"


async def _events(
    items: AsyncGenerator[list[LogLine], None] | AsyncGenerator[LogItem | None, None],
) -> AsyncGenerator[str, None]:
    yield "retry: 2000\n\n"
    async with contextlib.aclosing(items):
        async for item in items:
            if isinstance(item, list):
                last = next((line.at for line in reversed(item) if line.at), "")
                yield _event("lines", {"lines": [[line.at, line.text] for line in item]}, last)
            elif isinstance(item, Note):
                yield _event("note", {"text": item.text})
            elif isinstance(item, LogOf):
                yield _event("of", {"pod": item.pod, "container": item.container})
            else:
                yield ": still here\n\n"
    yield _event("end", {})


def _event(kind: str, data: object, id_: str = "") -> str:
    return (f"id: {id_}\n" if id_ else "") + f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def _time(text: str) -> str:
    """A line's id, which is a time.  Problem 422."""
    try:
        if datetime.fromisoformat(text).tzinfo is not None and text.isascii() and " " not in text:
            return text
    except ValueError:
        pass
    raise Problem(422, "Last-Event-ID has to be the id of a line of this log.")
