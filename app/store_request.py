"""What has to hold before a store is asked for: input that makes sense, a place in the queue, room in the cluster."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app import waiting
from app.problems import Problem
from app.settings import Settings
from app.store_problems import bad_input
from provisioning import names
from provisioning.capacity import Reader, Room, look_ahead
from provisioning.database import add_events
from provisioning.models import Event, Level, Store, now
from provisioning.plans import PLANS
from provisioning.states import IN_FLIGHT
from provisioning.templates import TEMPLATES, Options

PLACE_FREES_IN = (2, 15, 300)  # seconds to tell who waits for a place in the queue: at least, by guess, at most
ROOM_FREES_IN = 60  # seconds to tell who waits for room in the cluster


def checked(
    name: str, template: str, plan: str, options: Mapping[str, Any], unfit: Mapping[str, str]
) -> dict[str, Any]:
    """The options, as they are kept.  `unfit`: plans that would refuse a store, and a sentence on why.  Problem 422."""
    if complaint := names.problem(name):
        raise bad_input("name", complaint)
    if template not in TEMPLATES:
        raise bad_input("template", f"There is no such template. Choose one of: {', '.join(TEMPLATES)}.")
    if plan not in PLANS:
        raise bad_input("plan", f"There is no such plan. Choose one of: {', '.join(PLANS)}.")
    if plan in unfit:
        raise bad_input("plan", f"{unfit[plan]} Choose another plan, or tell an administrator.")
    try:
        return Options.model_validate(options).model_dump(exclude_unset=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(["options", *(str(each)[:40] for each in first["loc"])])
        raise bad_input(place, f"{first['msg']}.") from None


async def wait_for_room(
    session: AsyncSession, store: Store, capacity: Reader, room: Room, *, refuse: bool
) -> str | None:
    """What a new store will have to wait for, told in its timeline as well; `refuse`: Problem 503 instead."""
    on_the_way = await session.exec(
        select(Store).where(col(Store.state).in_(IN_FLIGHT), col(Store.id) != store.id).order_by(Store.created_at)
    )
    needs = [(each.name, capacity.need(each.template, each.plan)) for each in on_the_way]
    missing = look_ahead(room, needs, capacity.need(store.template, store.plan)).missing
    if not missing:
        return None
    if refuse:
        raise Problem(
            503,
            f"The cluster has no room for this store now. What is short: {'; '.join(missing)}.",
            retry_after=ROOM_FREES_IN,
            extra={"missing": list(missing)},
        )
    note = f"Accepted, will wait for capacity: {'; '.join(missing)}"
    kind, at = "capacity.short", now()
    event = Event(store_id=store.id, key=kind, at=at, kind=kind, message=note, level=Level.WARNING)
    await add_events(session, [event])
    return note


async def no_place(session: AsyncSession, settings: Settings) -> Problem:
    """No place is free; one will be when the first store that is on its way is through."""
    least, guess, most = PLACE_FREES_IN
    frees_in = (await waiting.look(session, settings.at_once)).place_frees_in()
    return Problem(
        429,
        f"{settings.in_flight} stores are being set up already. Try again in a moment.",
        retry_after=guess if frees_in is None else min(max(frees_in, least), most),
    )
