"""What open pages are told when stores change: at once, then in batches, and each question asked once."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from app.actor import Actor
from app.listing import Found, Look
from app.pages.live import PAUSE, Batch, Live
from app.services import Services
from app.status import ClusterStatus
from provisioning.changes import Change, Changes, UserChanges

ANNA = Actor("1", "anna@example.com", False, "session")
BORIS = Actor("2", "boris@example.com", False, "session")


class Stores:
    """Counts what it is asked; all stores are Anna's."""

    def __init__(self) -> None:
        self.looked: list[set[str]] = []
        self.counted: list[tuple[str, str | None]] = []

    async def look(self, names: Any) -> Look:
        self.looked.append(set(names))
        await asyncio.sleep(0)
        view: Any = SimpleNamespace(name="one")
        return Look({"one": Found(ANNA.user_id, view)})

    async def counts(self, actor: Actor, owner: str | None = None) -> dict[str, int]:
        self.counted.append((actor.email, owner))
        return {"ALL": 1}


@pytest.fixture
def services() -> Services:
    status = ClusterStatus("connected")
    fake: Any = SimpleNamespace(changes=Changes(), user_changes=UserChanges(), stores=Stores(), current=status)
    fake.status = lambda: fake.current
    return fake


@pytest.fixture
async def live(services: Services) -> Any:
    live = Live(services)
    yield live
    await live.stop()


async def test_the_first_change_goes_out_at_once_and_what_follows_together(services, live):
    batches: list[set[str]] = []

    async def listen(batch: Batch) -> None:
        batches.append(batch.names)

    live.follow(listen)
    services.changes.publish(Change("1", "one"))
    await asyncio.sleep(PAUSE / 5)
    assert batches == [{"one"}]
    for name in ("two", "three", "two"):
        services.changes.publish(Change(name, name))
    await asyncio.sleep(PAUSE / 5)
    assert batches == [{"one"}]
    await asyncio.sleep(PAUSE)
    assert batches == [{"one"}, {"two", "three"}]


async def test_many_pages_ask_once_and_each_person_sees_what_they_may(services, live):
    found: dict[str, list[Any]] = {"anna": [], "boris": [], "admin": []}

    def listener(actor: Actor, told: list[Any]) -> Any:
        async def listen(batch: Batch) -> None:
            await batch.counts(actor)
            told.append(await batch.store(actor, "one"))

        return listen

    for _ in range(50):
        live.follow(listener(ANNA, found["anna"]))
    live.follow(listener(BORIS, found["boris"]))
    for user in "34":
        live.follow(listener(Actor(user, f"admin-{user}@example.com", True, "session"), found["admin"]))
    services.changes.publish(Change("1", "one"))
    await asyncio.sleep(PAUSE / 2)
    assert [each.name for each in found["anna"]] == ["one"] * 50
    assert found["boris"] == [None]
    assert [each.name for each in found["admin"]] == ["one"] * 2
    assert services.stores.looked == [{"one"}]
    assert sorted(services.stores.counted) == [
        ("admin-3@example.com", None),
        ("anna@example.com", None),
        ("boris@example.com", None),
    ]


async def test_a_page_that_fails_or_leaves_does_not_hold_up_the_others(services, live, caplog):
    heard: list[str] = []

    async def fail(batch: Batch) -> None:
        raise RuntimeError("no")

    async def listen(batch: Batch) -> None:
        heard.extend(batch.names)

    live.follow(fail)
    leave = live.follow(listen)
    services.changes.publish(Change("1", "one"))
    await asyncio.sleep(PAUSE / 5)
    assert heard == ["one"]
    assert "a page could not show a change" in caplog.text
    leave()
    leave()
    services.changes.publish(Change("2", "two"))
    await asyncio.sleep(2 * PAUSE)
    assert heard == ["one"]


async def test_pages_hear_when_the_cluster_goes_and_comes_back(services, live, monkeypatch):
    monkeypatch.setattr("app.pages.live.WATCH", 0.01)
    heard: list[str] = []
    leave = live.follow_cluster(lambda status: heard.append(status.cluster))
    await asyncio.sleep(0.05)
    assert heard == []
    services.current = ClusterStatus("away")
    await asyncio.sleep(0.05)
    services.current = ClusterStatus("connected")
    await asyncio.sleep(0.05)
    assert heard == ["away", "connected"]
    leave()
