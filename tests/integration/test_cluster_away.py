"""An engine whose cluster cannot be reached: it waits without asking its database over and over for every store."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlmodel import update

from provisioning.decide import Limits
from provisioning.models import Store, now
from provisioning.states import State
from tests.integration.fleet import Fleet, fleet_on
from tests.unit.kubeconfigs import a_kubeconfig

STORES = 60
STATES = (State.PROVISIONING, State.DELETING, State.READY, State.FAILED)


class Nowhere:
    """A cluster at an address where nothing answers."""

    ingress_url = "http://127.0.0.1:1"

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(a_kubeconfig("https://127.0.0.1:1"))


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    limits = Limits(provisioning=timedelta(minutes=10), takeover=timedelta(seconds=2))
    async with fleet_on(Nowhere(tmp_path), tmp_path, limits=limits) as fleet:
        yield fleet


@contextmanager
def looks(fleet: Fleet) -> Iterator[list[str]]:
    """Every reading of a single store."""
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if "FROM store" in statement and "store.name = " in statement:
            seen.append(statement)

    event.listen(fleet.database.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(fleet.database.engine.sync_engine, "before_cursor_execute", note)


async def insert(fleet: Fleet) -> None:
    async with fleet.database.session() as session:
        for number in range(STORES):
            name = f"shop-{number:03}"
            more = {"owner_id": "ann", "template": "medusa", "url": f"http://{name}", "version": "1", "plan": "small"}
            session.add(Store(id=uuid.uuid4().hex, name=name, state=STATES[number % len(STATES)], **more))
        await session.commit()


async def test_a_cluster_that_is_away_costs_no_reading_of_each_store(fleet: Fleet) -> None:
    await insert(fleet)
    with looks(fleet) as seen:
        for _ in range(5):
            await fleet.engine.resync()
            await fleet.engine.dispatch()
            await asyncio.sleep(0.3)
    assert fleet.engine.status().detail
    assert seen == []


async def test_a_store_whose_time_is_up_meanwhile_fails_all_the_same(fleet: Fleet) -> None:
    await fleet.ask("shop")
    async with fleet.database.session() as session:
        await session.exec(update(Store).values(state=State.PROVISIONING, state_at=now() - timedelta(minutes=10)))
        await session.commit()
    store = await fleet.settled("shop", within=30)
    assert store.state is State.FAILED
    assert store.reason is not None
    assert store.reason["message"] == "Not ready after 10 minutes: The cluster does not answer"
