"""The front page: the stores, live, and the dialog for a new one."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from fastapi import Response

from app import texts
from app.actor import Actor
from app.limits import Standing
from app.pages.frame import Frame, page
from app.pages.live import Batch, Happening, Live, happening
from app.services import Services
from app.stores import StoreView
from components.create_dialog import Choice, CreateDialog, Wish
from components.store_list import Part, Query, Row, StoreList
from provisioning.health import Health
from provisioning.models import now
from provisioning.plans import PLANS
from provisioning.states import State
from provisioning.templates import TEMPLATES

PAGE = 50  # rows at a time
CURRENCIES = ("eur", "usd", "gbp", "chf", "sek", "dkk", "nok", "pln", "czk", "cad", "aud", "jpy")


def register(services: Services, live: Live) -> None:
    @page(services, live, "/", texts.DOCUMENT_TITLES["stores"])
    async def stores(frame: Frame) -> Response | None:
        await _build(frame)
        return None


async def _build(frame: Frame) -> None:
    services, reader = frame.services, frame.reader
    query = Query.of(frame.request.query_params, list(State))

    async def load(actor: Actor, query: Query, cursor: str = "") -> Part:
        state = State(query.state) if query.state else None
        found = await services.stores.list(actor, q=query.q or None, state=state, limit=PAGE, cursor=cursor or None)
        now = await asyncio.gather(*(happening(services, actor, store) for store in found.items))
        return Part([row_of(*each) for each in zip(found.items, now, strict=True)], found.next or "")

    async def load_more(query: Query, cursor: str) -> Part | None:
        part, refused = await frame.attempt(lambda actor: load(actor, query, cursor))
        if refused:
            frame.notice(refused)
        return part

    part, counts = await asyncio.gather(load(reader, query), services.stores.counts(reader))

    async def open_dialog() -> None:
        standing, refused = await frame.attempt(services.stores.standing)
        if standing is None:
            frame.notice(refused or "")
            return
        before, _, after = services.stores.address("{name}").partition("{name}")
        dialog.open(before, after, *_room_left(standing))

    async def undo(name: str) -> None:
        _, refused = await frame.attempt(lambda actor: services.stores.undelete(actor, name))
        if refused:
            frame.notice(refused)

    stores = StoreList(
        part=part,
        query=query,
        counts=counts,
        owners=reader.admin,
        texts=texts.STORES,
        load=load_more,
        on_create=open_dialog,
        on_undo=undo,
    )
    dialog = create_dialog(frame)
    if "create" in frame.request.query_params:
        await open_dialog()

    async def show(batch: Batch) -> None:
        changed, gone = await _changed(batch, reader)
        stores.apply(changed, gone, await batch.counts(reader))

    frame.until_gone(frame.live.follow(show))


def create_dialog(frame: Frame) -> CreateDialog:
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

    return CreateDialog(
        templates=[Choice(each.name, each.title, each.description) for each in TEMPLATES.values()],
        plans=[
            Choice(each.name, each.title, each.description, each.cpu, _size(each.memory), _size(each.storage))
            for each in PLANS.values()
        ],
        currencies=CURRENCIES,
        texts=texts.CREATE,
        check=check,
        create=create,
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


async def _changed(batch: Batch, reader: Actor) -> tuple[Sequence[Row], Sequence[str]]:
    """The rows of a batch as `reader` may see them, and the names of those that are gone."""
    rows, gone = [], []
    for name in sorted(batch.names):
        store = await batch.store(reader, name)
        if store is None:
            gone.append(name)
        else:
            rows.append(row_of(store, await batch.happening(reader, store)))
    return rows, gone


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
        degraded=store.health is Health.DEGRADED,
        due=due(store),
        destroy_at=store.destroy_at.isoformat() if store.destroy_at else None,
        share=now.share,
    )


def due(store: StoreView) -> str | None:
    """When the store is expected to be READY, for the browser to count down to."""
    return (now() + timedelta(seconds=store.eta_seconds)).isoformat() if store.eta_seconds else None
