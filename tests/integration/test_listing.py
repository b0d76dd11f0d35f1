"""Lists of stores: every order, page by page, on both databases; by health and owner; and who sees what of a change."""

from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from app.actor import Actor
from app.listing import Sort
from app.problems import Problem
from app.services import Services
from provisioning.database import add_events
from provisioning.health import Condition, Health
from provisioning.models import Event, Store, now
from provisioning.states import State
from tests.integration.conftest import BOTH_DATABASES, add_user

STATES = [*State, State.READY, State.READY]


@pytest.fixture
async def fleet(parts: Services) -> Any:
    """Seven stores of two people, some made at the same moment; the parts, the people, an administrator."""
    anna, boris = await add_user(parts, "anna@example.com"), await add_user(parts, "boris@example.com")
    admin, at = await add_user(parts, "root@example.com", admin=True), now()
    async with parts.database.session() as session:
        for number, state in enumerate(STATES):
            made = at - timedelta(hours=number // 2)
            store = Store(
                id=f"{number:032x}",
                name=("b-b", "a", "ab", "a-b", "c", "b", "aa")[number],
                owner_id=(anna, boris)[number % 2].user_id,
                template="medusa",
                plan="small",
                state=state,
                state_at=made,
                created_at=made,
                url="http://x.localhost",
                version="1",
            )
            session.add(store)
            await session.flush()
            message = f"at {store.name}"
            await add_events(session, [Event(store_id=store.id, key="k", at=at, kind="k", message=message)])
        await session.commit()
    return SimpleNamespace(parts=parts, stores=parts.stores, anna=anna, boris=boris, admin=admin)


async def walk(fleet: Any, actor: Actor, limit: int, **asked: Any) -> list[Any]:
    found, cursor = [], None
    while True:
        page = await fleet.stores.list(actor, limit=limit, cursor=cursor, **asked)
        assert len(page.items) <= limit
        found += page.items
        if page.next is None:
            return found
        cursor = page.next


@BOTH_DATABASES
async def test_every_order_is_whole_and_the_same_page_by_page(fleet: Any):
    for sort in Sort:
        whole = await walk(fleet, fleet.admin, 50, sort=sort)
        assert len({each.name for each in whole}) == len(STATES), sort
        assert [each.name for each in await walk(fleet, fleet.admin, 2, sort=sort)] == [each.name for each in whole]
        if "name" not in sort:  # which a database may put in the order of a language
            for one, two in pairwise(sort.key(each) for each in whole):
                assert one >= two if sort.down else one <= two  # type: ignore[operator]
    assert {each.owner for each in await walk(fleet, fleet.anna, 2, sort=Sort.NAME)} == {"anna@example.com"}


async def test_a_page_of_another_order_or_none_at_all_is_refused(fleet: Any):
    page = await fleet.stores.list(fleet.admin, sort=Sort.NAME, limit=2)
    for sort, cursor in ((Sort.NEWEST, page.next), (Sort.NAME_DOWN, page.next), (Sort.NAME, "W10="), (Sort.NAME, "x")):
        with pytest.raises(Problem) as refused:
            await fleet.stores.list(fleet.admin, sort=sort, cursor=cursor)
        assert refused.value.status == 422


async def test_by_health_and_by_owner(fleet: Any):
    fleet.stores.condition = lambda store: Condition(Health.DEGRADED if store.name in ("b", "a-b") else Health.OK)
    assert [each.name for each in await walk(fleet, fleet.admin, 1, health=Health.DEGRADED)] == ["b"]  # READY alone
    assert [each.name for each in await walk(fleet, fleet.anna, 1, health=Health.DEGRADED)] == []
    boris = await walk(fleet, fleet.admin, 2, owner="Boris@example.com")
    assert {each.owner for each in boris} == {"boris@example.com"}
    assert [each.name for each in await walk(fleet, fleet.admin, 2, q="boris@")] == [each.name for each in boris]
    assert await walk(fleet, fleet.anna, 2, q="boris@") == []
    assert (await fleet.stores.counts(fleet.admin, "boris@example.com"))["ALL"] == len(boris)
    assert await fleet.stores.owners(fleet.admin) == ["anna@example.com", "boris@example.com"]
    assert await fleet.stores.owners(fleet.anna) == ["anna@example.com"]


@BOTH_DATABASES
async def test_what_is_read_once_for_all_shows_to_each_what_they_may_see(fleet: Any):
    look = await fleet.stores.look({"b-b", "a", "c", "nothing"})
    assert [each.name for each in look.stores(fleet.admin)] == ["a", "b-b", "c"]
    assert [each.name for each in look.stores(fleet.anna)] == ["b-b", "c"]
    assert look.store(fleet.anna, "a") is None
    assert look.events(fleet.anna, "a") == ()
    assert [event.message for event in look.events(fleet.boris, "a")] == ["at a"]  # on its way
    assert look.events(fleet.anna, "b-b") == ()  # not yet
    assert look.store(fleet.admin, "nothing") is None
