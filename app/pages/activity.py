"""The administrators' page of who did what: the audit trail, live, with its filters in the page's address."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import Response
from fastapi.responses import HTMLResponse

from app.actor import Actor
from app.audit import AuditFilter, AuditPage, Chain
from app.pages.frame import Frame, page
from app.pages.live import Live
from app.pages.missing import render_missing
from app.services import Services
from app.statistics import Span
from app.texts import activity as texts
from components.activity_list import ActivityList, ActivityQuery, Entries
from provisioning.models import Outcome, now

PAGE = 50  # entries at a time
SPANS = {Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(days=1), Span.WEEK: timedelta(7), Span.MONTH: timedelta(30)}
LEAST_WALK = 5_000  # entries that are walked along on a visit, unasked


def register(services: Services, live: Live) -> None:
    @page(services, live, "/activity", texts.DOCUMENT_TITLE)
    async def activity(frame: Frame) -> Response | None:
        if not frame.reader.admin:
            return HTMLResponse(render_missing("page"), 404)
        await _build(frame)
        return None


async def _build(frame: Frame) -> None:
    trail, reader = frame.services.audit, frame.reader
    actions = await trail.actions(reader)
    query, trouble = asked_for(dict(frame.request.query_params), actions)

    async def load(actor: Actor, query: ActivityQuery, cursor: str = "") -> Entries:
        wanted = filter_of(query)
        return _entries(await trail.list(actor, wanted, limit=PAGE, cursor=cursor or None), wanted)

    async def load_again(query: ActivityQuery, cursor: str) -> Entries | None:
        known, _ = asked_for(vars(query), actions)
        entries, refused = await frame.attempt(lambda actor: load(actor, known, cursor))
        if refused:
            frame.notice(refused)
        return entries

    async def verify() -> None:
        chain, refused = await frame.attempt(trail.verify)
        if refused:
            frame.notice(refused)
        if not shown.is_deleted:
            shown.show_chain(_chain(chain or await trail.chain(reader)))

    chain = await trail.chain(reader)
    newest = chain.count
    shown = ActivityList(
        entries=await load(reader, query),
        query=query,
        choices={"action": actions, "outcome": list(Outcome), "range": list(Span)},
        chain=_chain(chain),
        texts=texts.ACTIVITY,
        load=load_again,
        on_verify=verify,
        trouble=trouble,
    )

    async def look() -> None:
        """Send what is new, as far as it is wanted."""
        nonlocal newest
        if shown.is_deleted:
            return
        chain = await trail.chain(reader)
        if chain.count == newest:
            return
        known, _ = asked_for(vars(shown.query), actions)
        found = await trail.list(reader, replace(filter_of(known), after=newest), limit=PAGE)
        newest = chain.count
        shown.add([_entry(each) for each in found.items], _chain(chain))

    frame.until_gone(frame.live.follow_audit(look))
    if chain.verified_at is None and chain.count <= LEAST_WALK:
        walking = asyncio.create_task(verify(), name="page: walk along the chain")
        frame.until_gone(walking.cancel)


def asked_for(sent: dict[str, Any], actions: list[str]) -> tuple[ActivityQuery, list[str]]:
    """The filters that an address asks for, and a sentence for each that there is not, which is left out.

    `user` and `store`, as the API has them, are looked for as well."""
    query = ActivityQuery.of({**sent, "q": sent.get("q") or sent.get("user") or sent.get("store")})
    trouble = []
    for name, known in (("action", actions), ("outcome", list(Outcome)), ("range", list(Span))):
        if (wanted := getattr(query, name)) and wanted not in known:
            trouble.append(texts.ACTIVITY["no_such"][name].replace("{value}", wanted[:60]))
            query = replace(query, **{name: ""})
    return query, trouble


def filter_of(query: ActivityQuery) -> AuditFilter:
    return AuditFilter(
        q=query.q or None,
        action=query.action or None,
        outcome=Outcome(query.outcome) if query.outcome else None,
        since=now() - SPANS[Span(query.range)] if query.range else None,
    )


def _entries(found: AuditPage, wanted: AuditFilter) -> Entries:
    sent = {name: getattr(wanted, name) for name in ("q", "action", "outcome") if getattr(wanted, name)}
    if wanted.since:
        sent["since"] = wanted.since.isoformat()
    return Entries([_entry(each) for each in found.items], found.next or "", urlencode(sent))


def _entry(entry: Any) -> dict[str, Any]:
    told: dict[str, Any] = entry.model_dump(mode="json")
    return told


def _chain(chain: Chain) -> dict[str, Any]:
    return chain.model_dump(mode="json")
