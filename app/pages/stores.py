"""The front page: the stores, live, and the dialog for a new one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial

from fastapi import Response

from app.actor import Actor
from app.limits import Standing
from app.listing import Sort
from app.pages.frame import Frame, page
from app.pages.live import Batch, Happening, Live, happening
from app.services import Services
from app.store_views import StoreView
from app.texts import stores as texts
from app.texts.amounts import MINUTES, MOMENT, count
from components.bulk_dialog import BulkDialog, Outcome
from components.create_dialog import Choice, CreateDialog, Situation, Wish
from components.store_list import PAGE, Answered, Changed, Known, Part, Query, Row, StoreList
from provisioning.health import Health
from provisioning.models import now
from provisioning.plans import PLANS
from provisioning.states import State
from provisioning.templates import TEMPLATES

ON_THE_WAY = (State.PROVISIONING, State.DELETING)
KNOWN = Known(states=tuple(State), healths=tuple(Health), sorts=tuple(Sort))
CURRENCIES = ("eur", "usd", "gbp", "chf", "sek", "dkk", "nok", "pln", "czk", "cad", "aud", "jpy")


def register(services: Services, live: Live) -> None:
    @page(services, live, "/", texts.DOCUMENT_TITLE)
    async def stores(frame: Frame) -> Response | None:
        await _build(frame)
        return None


async def _build(frame: Frame) -> None:
    services, reader = frame.services, frame.reader
    query = Query.of(frame.request.query_params, KNOWN)

    async def load(actor: Actor, query: Query, cursor: str, limit: int) -> Part:
        found = await services.stores.list(
            actor,
            q=query.q or None,
            state=State(query.state) if query.state else None,
            health=Health(query.health) if query.health else None,
            owner=query.owner or None,
            sort=Sort(query.sort),
            limit=limit,
            cursor=cursor or None,
        )
        look = await services.stores.look([store.name for store in found.items if store.state in ON_THE_WAY])
        rows = [row_of(store, happening(store, look.events(actor, store.name))) for store in found.items]
        return Part(rows, found.next or "")

    async def load_more(query: Query, cursor: str) -> Answered | None:
        part, refused = await frame.attempt(lambda actor: load(actor, query, cursor, PAGE))
        if part is None:
            frame.notice(refused or "")
            return None
        counts, _ = await frame.attempt(lambda actor: services.stores.counts(actor, query.owner or None))
        return Answered(part, counts or {})

    async def attempt_each(names: Sequence[str], act: Callable[[Actor, str], Awaitable[StoreView]]) -> list[Outcome]:
        """Each by itself, as its own permission and state have it: one that is refused holds up no other."""
        outcomes = []
        for name in names:
            _, refused = await frame.attempt(partial(act, name=name))
            outcomes.append(Outcome(name, refused))
        return outcomes

    async def retry(names: Sequence[str]) -> list[Outcome]:
        return await attempt_each(names, services.stores.retry)

    async def upgrade(names: Sequence[str]) -> list[Outcome]:
        return await attempt_each(names, services.stores.upgrade)

    async def delete(names: Sequence[str]) -> list[Outcome]:
        return await attempt_each(names, services.stores.delete)

    async def undo(names: Sequence[str]) -> list[Outcome]:
        return await attempt_each(names, services.stores.undelete)

    stores: StoreList | None = None
    early: list[Batch] = []  # what changed while the list was read

    async def show(batch: Batch) -> None:
        if stores is None:
            early.append(batch)
            return
        owner = stores.query.owner
        key = ("list", "" if reader.admin else reader.user_id, owner)
        stores.send(await batch.once(key, partial(_told, batch, reader, owner or None)), batch.names)

    frame.until_gone(frame.live.follow(show))
    part, counts = await asyncio.gather(
        load(reader, query, "", query.rows), services.stores.counts(reader, query.owner or None)
    )
    minutes = services.settings.undo_minutes
    stores = StoreList(
        part=part,
        query=query,
        counts=counts,
        owners=await services.stores.owners(reader) if reader.admin else [],
        admin=reader.admin,
        texts=texts.STORES,
        known=KNOWN,
        load=load_more,
    )
    BulkDialog(
        undo=count(MINUTES, round(minutes)) if minutes >= 1 else MOMENT if minutes else "",
        texts=texts.BULK,
        act={"retry": retry, "upgrade": upgrade, "delete": delete, "undo": undo},
    )
    create_dialog(frame, opened="create" in frame.request.query_params)
    for batch in early:
        await show(batch)


async def _told(batch: Batch, reader: Actor, owner: str | None) -> Changed:
    """What a batch is to all lists that show the same to whoever reads them."""
    look, counts = await batch.look(), await batch.counts(reader, owner)
    rows = [row_of(store, await batch.happening(reader, store)) for store in look.stores(reader)]
    return Changed.of(rows, counts)


def create_dialog(frame: Frame, *, opened: bool) -> CreateDialog:
    """The dialog for a new store; once it is asked for, its page opens."""
    services = frame.services

    async def check(name: str) -> str | None:
        problem, refused = await frame.attempt(lambda actor: services.stores.name_problem(actor, name))
        return problem or refused

    async def create(wish: Wish) -> str | None:
        store, refused = await frame.attempt(
            lambda actor: services.stores.create(actor, wish.name, wish.template, wish.plan, wish.options)
        )
        if store:
            frame.client.open(f"/stores/{store.name}")
        return refused

    async def resume(name: str) -> bool:
        """A page that lost its connection just when it asked for `name`: did that still reach us?"""
        store, _ = await frame.attempt(lambda actor: services.stores.get(actor, name))
        if store is None or store.owner != frame.reader.email:
            return False
        frame.client.open(f"/stores/{store.name}")
        return True

    async def tell() -> Situation:
        standing, refused = await frame.attempt(services.stores.standing)
        before, _, after = services.stores.address("{name}").partition("{name}")
        return Situation(before, after, *(_room_left(standing) if standing else ("", refused or "")))

    return CreateDialog(
        templates=[Choice(each.name, each.title, each.description) for each in TEMPLATES.values()],
        plans=[
            Choice(each.name, each.title, each.description, each.cpu, _size(each.memory), _size(each.storage))
            for each in PLANS.values()
        ],
        currencies=CURRENCIES,
        texts=texts.CREATE,
        opened=opened,
        tell=tell,
        check=check,
        create=create,
        resume=resume,
    )


def _room_left(standing: Standing) -> tuple[str, str]:
    """How many stores somebody may still ask for, and why there can be none now ("" where there can)."""
    stores, problem = standing.view().stores, standing.refusal()
    left = ""
    if stores:
        left = texts.CREATE["left"].replace("{n}", str(stores.left)).replace("{of}", str(stores.of))
    return left, problem.detail if problem else ""


def _size(quantity: str) -> str:
    """Kubernetes' "3Gi" as people write it: "3 GiB"."""
    return f"{quantity[:-2]}\u00a0{quantity[-2:]}B" if quantity.endswith("i") else quantity


def row_of(store: StoreView, now: Happening) -> Row:
    """A store as the list shows it."""
    note = now.note
    if store.state in (State.FAILED, State.READY, State.DELETING) and store.reason:
        note = store.reason.message
    elif store.state is State.REQUESTED and store.queue_position:
        note = texts.STORES["queue"].replace("{n}", str(store.queue_position))
    return Row(
        name=store.name,
        state=store.state.value,
        url=store.url,
        owner=store.owner,
        version=f"{TEMPLATES[store.template].title if store.template in TEMPLATES else store.template} {store.version}",
        created_at=store.created_at.isoformat(),
        note=note,
        health=store.health.value if store.health else "",
        due=due(store),
        destroy_at=store.destroy_at.isoformat() if store.destroy_at else None,
        share=now.share,
        update=store.upgrade is not None,
    )


def due(store: StoreView) -> str | None:
    """When the store is expected to be READY, for the browser to count down to."""
    return None if store.eta_seconds is None else (now() + timedelta(seconds=store.eta_seconds)).isoformat()
