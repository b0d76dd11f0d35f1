"""The front page: the stores, live, and the dialog for a new one."""

import asyncio
from collections.abc import Sequence

from fastapi import Response

from app import texts
from app.actor import Actor
from app.pages.frame import Frame, page
from app.pages.live import Batch, Live, happening
from app.problems import Problem
from app.services import Services
from app.stores import StoreView
from components.create_dialog import Choice, CreateDialog, Wish
from components.store_list import Part, Query, Row, StoreList
from provisioning.states import State
from provisioning.templates import PLANS, TEMPLATES

PAGE = 50  # rows at a time


def register(services: Services, live: Live) -> None:
    @page(services, live, "/", texts.DOCUMENT_TITLES["stores"])
    async def stores(frame: Frame) -> Response | None:
        await _build(frame)
        return None


async def _build(frame: Frame) -> None:
    services, reader = frame.services, frame.reader
    query = Query.of(frame.request.query_params, list(State))

    async def load(query: Query, cursor: str) -> Part:
        found = await services.stores.list(
            await frame.actor(),
            q=query.q or None,
            state=State(query.state) if query.state else None,
            limit=PAGE,
            cursor=cursor or None,
        )
        notes = await asyncio.gather(*(happening(services, reader, store) for store in found.items))
        rows = [row_of(store, note) for store, note in zip(found.items, notes, strict=True)]
        return Part(rows, found.next or "")

    part, counts = await asyncio.gather(load(query, ""), services.stores.counts(reader))

    def open_dialog() -> None:
        before, _, after = services.stores.address("{name}").partition("{name}")
        dialog.open(before, after)

    stores = StoreList(
        part=part,
        query=query,
        counts=counts,
        texts=texts.STORES,
        load=load,
        on_create=open_dialog,
    )
    dialog = create_dialog(frame)
    if "create" in frame.request.query_params:
        open_dialog()

    async def show(batch: Batch) -> None:
        changed, gone = await _changed(batch, reader)
        stores.apply(changed, gone, await batch.counts(reader))

    frame.until_gone(frame.live.follow(show))


def create_dialog(frame: Frame) -> CreateDialog:
    """The dialog for a new store; once it is asked for, its page opens."""
    services = frame.services

    async def check(name: str) -> str | None:
        return await services.stores.name_problem(await frame.actor(), name)

    async def create(wish: Wish) -> str | None:
        try:
            store = await services.stores.create(
                await frame.actor(), wish.name, template=wish.template, plan=wish.plan, options=wish.options
            )
        except Problem as problem:
            return problem.detail
        frame.client.open(f"/stores/{store.name}")
        return None

    return CreateDialog(
        templates=[Choice(each.name, each.title, each.description) for each in TEMPLATES.values()],
        plans=[
            Choice(each.name, each.title, each.description, each.cpu, each.memory, each.storage)
            for each in PLANS.values()
        ],
        texts=texts.CREATE,
        check=frame.acting(check),
        create=frame.acting(create),
    )


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


def row_of(store: StoreView, note: str) -> Row:
    """A store as the list shows it; `note` is what happens to it right now."""
    if store.state is State.FAILED and store.reason:
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
        eta=store.eta_seconds,
    )
