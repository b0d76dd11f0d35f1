"""Several processes on one PostgreSQL: what one commits the others hear of, and what only one may do one does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from app import services
from app.migrations import migrate
from app.models import User
from app.problems import Problem
from app.services import Services
from app.settings import Settings
from provisioning import wishes
from provisioning.changes import Change
from provisioning.database import Database, Moved, add_events
from provisioning.models import Event, Store, now
from provisioning.notices import CHANNEL, Listener
from provisioning.secrets import Sealer, generate, new_key
from provisioning.states import State
from tests.integration.conftest import add_user

KEY = new_key()


@asynccontextmanager
async def process(database_url: str, folder: Path) -> AsyncIterator[Services]:
    """What another process would be made of."""
    settings = Settings(
        database_url=database_url, data_dir=folder, store_url="http://{name}.localhost", in_flight=4, key=KEY
    )
    composed = services.compose(settings)
    yield composed
    await composed.database.close()


class Process:
    """A database of its own, and what is heard from the others."""

    def __init__(self, database: Database) -> None:
        self.database, self.heard = database, []
        self.listener = Listener(database, self.heard.append)

    async def has_heard(self, *, of: str, within: float = 10, test: Callable[[Change], bool] = bool) -> Change:
        async with asyncio.timeout(within):
            while not (found := [change for change in self.heard if change.name == of and test(change)]):
                await asyncio.sleep(0.01)
        return found[0]


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[list[Process]]:
    await prepare(postgres_url)
    processes = [Process(Database(postgres_url)) for _ in range(2)]
    for each in processes:
        each.listener.start()
    await listening(processes[0].database, 2)
    yield processes
    for each in processes:
        await each.listener.stop()
        await each.database.close()


async def prepare(database_url: str) -> None:
    database = Database(database_url)
    await migrate(database)
    await database.close()


LISTENERS = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query = 'SELECT 1'"


async def listening(database: Database, count: int, within: float = 10) -> list[int]:
    """The server's processes of the listening connections, once there are so many."""
    async with asyncio.timeout(within):
        while True:
            async with database.engine.connect() as connection:
                pids = list((await connection.execute(text(LISTENERS + " AND datname = current_database()"))).scalars())
            if len(pids) == count:
                await asyncio.sleep(0.2)  # until it has compared for the first time
                return pids
            await asyncio.sleep(0.02)


async def request(database: Database, name: str) -> Store:
    async with database.session() as session:
        store = await wishes.request(
            session,
            name=name,
            owner_id="ann",
            template="medusa",
            plan="small",
            options={},
            url=f"http://{name}.localhost",
            version="1",
            sealed=Sealer([KEY]).seal(generate("ann@example.com")),
            limit_in_flight=20,
        )
        await session.commit()
    return store


def line(store: Store, key: str) -> Event:
    return Event(store_id=store.id, key=key, at=now(), kind="x", message=key)


async def test_every_change_is_heard_by_the_others_and_by_no_one_else(two):
    here, there = two
    store = await request(here.database, "shop")
    row = await there.has_heard(of="shop", test=lambda change: change.event_id is None)
    assert row == Change(store.id, "shop")
    await there.has_heard(of="shop", test=lambda change: change.event_id is not None)
    there.heard.clear()

    async with here.database.session() as session:
        (added,) = await add_events(session, [line(store, "one")])
        await asyncio.sleep(0.1)
        assert there.heard == [], "not before it is committed"
        await session.commit()
    assert await there.has_heard(of="shop") == Change(store.id, "shop", event_id=added)
    there.heard.clear()

    async with here.database.session() as session:
        await add_events(session, [line(store, "two")])
        await session.rollback()
    async with here.database.session() as session:
        await wishes.request_deletion(here.database, session, (await session.exec(select(Store))).one(), "ann")
        await session.commit()
    await there.has_heard(of="shop", test=lambda change: change.event_id is None)
    async with here.database.session() as session:
        await here.database.remove(session, (await session.exec(select(Store))).one())
        await session.commit()
    assert await there.has_heard(of="shop", test=lambda change: change.gone) == Change(store.id, "shop", gone=True)
    assert here.heard == []


async def test_what_happened_while_the_connection_was_cut_is_heard_afterwards(two):
    here, there = two
    await request(here.database, "before")
    leaves = await request(here.database, "leaves")
    await there.has_heard(of="leaves")
    pids = await listening(here.database, 2)
    there.heard.clear()
    async with here.database.engine.begin() as connection:
        for pid in pids:
            await connection.execute(text(f"SELECT pg_terminate_backend({pid})"))
        # In one transaction with the end of the connections: nobody listens when it commits.
        await connection.execute(text("UPDATE store SET revision = 7 WHERE name = 'before'"))
        await connection.execute(text("DELETE FROM store WHERE name = 'leaves'"))
    assert (await there.has_heard(of="before")).event_id is None
    assert await there.has_heard(of="leaves") == Change(leaves.id, "leaves", gone=True)
    there.heard.clear()
    await listening(here.database, 2)
    await request(here.database, "after")
    await there.has_heard(of="after")


async def test_what_nobody_told_is_found_by_comparing(two, monkeypatch):
    here, there = two
    monkeypatch.setattr("provisioning.notices.COMPARE_EVERY", 0.3)
    async with here.database.engine.begin() as connection:  # a round of the old length ends
        for pid in await listening(here.database, 2):
            await connection.execute(text(f"SELECT pg_terminate_backend({pid})"))
    await listening(here.database, 2)
    store = await request(here.database, "shop")
    await there.has_heard(of="shop", test=lambda change: change.event_id is not None)
    await asyncio.sleep(1)
    there.heard.clear()
    async with here.database.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO event (store_id, key, at, kind, message, level) VALUES (:id, 'k', now(), 'x', 'x', 'info')"
            ),
            {"id": store.id},
        )
    assert (await there.has_heard(of="shop")).event_id is not None
    there.heard.clear()
    await asyncio.sleep(1)
    assert there.heard == [], "told again, though nothing changed"


async def test_notices_that_are_none_of_ours_do_no_harm(two, caplog):
    here, there = two
    async with here.database.engine.begin() as connection:
        for payload in ("", "{", "[]", "null", '{"store": 1}', '{"store": "x", "name": "y", "told": "z"}'):
            await connection.execute(text("SELECT pg_notify(:channel, :it)"), {"channel": CHANNEL, "it": payload})
    await request(here.database, "shop")
    await there.has_heard(of="shop")
    assert caplog.text.count("none of ours") >= 6


async def test_a_process_that_wakes_up_late_changes_nothing(two):
    """There and back again: the state is the same as it read, and yet another one."""
    here, there = two
    await request(here.database, "shop")

    async def move(after: State) -> None:
        async with here.database.session() as session:
            store = (await session.exec(select(Store))).one()
            await here.database.transition(session, store, after, "on its way")
            await session.commit()

    await move(State.PROVISIONING)
    async with there.database.session() as first, there.database.session() as second:
        late = (await first.exec(select(Store))).one()
        late_too = (await second.exec(select(Store))).one()
        await first.commit()
        await second.commit()
        for after in (State.FAILED, State.REQUESTED, State.PROVISIONING):
            await move(after)
        with pytest.raises(Moved):
            await there.database.transition(first, late, State.READY, "it was ready long ago")
        with pytest.raises(Moved):
            await there.database.set_release(second, late_too, revision=9)
    async with here.database.session() as session:
        store = (await session.exec(select(Store))).one()
        assert (store.state, store.revision) == (State.PROVISIONING, 0)


async def test_a_line_for_a_store_that_is_gone_is_told_as_such(two):
    here, there = two
    store = await request(here.database, "shop")
    async with here.database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM store"))
    async with there.database.session() as session:
        with pytest.raises(Moved):
            await add_events(session, [line(store, "late")])


async def test_the_limit_of_stores_in_flight_holds_over_all_processes(postgres_url, tmp_path):
    await prepare(postgres_url)
    async with process(postgres_url, tmp_path) as one, process(postgres_url, tmp_path) as other:
        anna = await add_user(one, "anna@example.com")

        asked = [(one, other)[number % 2].stores.create(anna, f"shop-{number}") for number in range(12)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert len(answers) - len(refused) == 4
        assert {isinstance(each, Problem) and each.status for each in refused} == {429}


async def test_processes_that_start_at_once_agree_on_the_installation_and_the_administrator(postgres_url, tmp_path):
    await prepare(postgres_url)
    databases = [Database(postgres_url) for _ in range(5)]
    ids = await asyncio.gather(*(database.installation() for database in databases))
    assert len(set(ids)) == 1
    for database in databases:
        await database.close()
    async with process(postgres_url, tmp_path) as one, process(postgres_url, tmp_path) as other:
        both = (
            one.users.ensure_admin("a@example.com", "correct horse"),
            other.users.ensure_admin("a@example.com", "correct horse"),
        )
        assert sorted(await asyncio.gather(*both)) == [False, True]
        async with one.database.session() as session:
            assert len((await session.exec(select(User))).all()) == 1
