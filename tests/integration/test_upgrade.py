"""Another release for a store that runs: the platform comes with another chart, as after an upgrade of its own."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlmodel import col, select

from provisioning import templates, wishes
from provisioning.act import Actor
from provisioning.models import Attempt, Store, StoreSecret
from provisioning.sandbox import Sandbox
from provisioning.sandbox.faults import ImageFault
from provisioning.states import IllegalTransition, State
from tests.charts_of_another_time import NOTE, charts
from tests.integration.fleet import Fleet, fleet_on, sandbox_in
from tests.integration.test_rotation import rotated, secret

SPACE, OLD, NEW = "store-shop", "2.21.2", "2.22.0"
AWAY = "dial tcp 10.0.0.1:443: i/o timeout"  # an image that may come yet


class Platform:
    """One platform after the other on the same cluster, each with a chart of its own."""

    def __init__(self, sandbox: Sandbox, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.sandbox, self._folder, self._patch = sandbox, folder, patch
        self._charts = {OLD: templates.CHARTS, NEW: charts(folder, NEW, "new")}

    @asynccontextmanager
    async def of(self, version: str) -> AsyncIterator[Fleet]:
        self._patch.setattr(templates, "CHARTS", self._charts[version])
        async with fleet_on(self.sandbox, self._folder) as fleet:
            yield fleet

    @asynccontextmanager
    async def upgraded(self) -> AsyncIterator[Fleet]:
        """A store of the old chart, known to the platform with the new one."""
        async with self.of(OLD) as fleet:
            await fleet.ask("shop")
            assert (await fleet.settled("shop")).state is State.READY
            assert (await row(fleet)).upgrade_to is None
        async with self.of(NEW) as fleet:
            await fleet.until(lambda store: store is not None and store.upgrade_to == NEW, "shop")
            yield fleet


@pytest.fixture
async def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
    async with sandbox_in() as sandbox:
        yield Platform(sandbox, tmp_path, monkeypatch)


async def row(fleet: Fleet) -> Store:
    store = await fleet.store("shop")
    assert store is not None
    return store


async def notes(fleet: Fleet) -> list[tuple[str, bool]]:
    """Of each of the shop's pods: the note that its chart gave it, and whether it is ready."""
    pods, _ = await fleet.cluster.list_all("Pod", SPACE, "app.kubernetes.io/name=medusa")
    return [
        (
            (pod["metadata"].get("annotations") or {}).get(NOTE, ""),
            any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", [])),
        )
        for pod in pods
    ]


async def revisions(fleet: Fleet) -> dict[int, str]:
    found, _ = await fleet.cluster.list_all("Secret", SPACE, "owner=helm")
    return {int(each["metadata"]["labels"]["version"]): each["metadata"]["labels"]["status"] for each in found}


@asynccontextmanager
async def customers(sandbox: Sandbox) -> AsyncIterator[Counter[int]]:
    answers = Counter[int]()

    async def shopping() -> None:
        async with httpx.AsyncClient(base_url=sandbox.ingress_url, headers={"Host": "shop.localhost"}) as client:
            while True:
                answers[(await client.get("/ready")).status_code] += 1
                await asyncio.sleep(0.01)

    task = asyncio.create_task(shopping())
    yield answers
    task.cancel()


async def stays(fleet: Fleet, revision: int) -> None:
    """Nothing is done to a store at rest, however often it is looked at."""
    for _ in range(5):
        fleet.engine.poke("shop")
        await fleet.engine.resync()
        await asyncio.sleep(0.05)
    store = await row(fleet)
    assert (store.state, store.revision) == (State.READY, revision)
    assert max(await revisions(fleet)) == revision


async def test_a_store_is_upgraded_while_it_serves_and_its_database_has_a_new_password(platform):
    async with platform.upgraded() as fleet:
        await stays(fleet, 1)  # nobody asked
        before = await secret(fleet)
        slow = platform.sandbox.faults.add(ImageFault(f"*medusa-store:{NEW}", message=AWAY))
        async with customers(platform.sandbox) as answers:
            await fleet.upgrade("shop")
            with pytest.raises(IllegalTransition):  # the second click
                await fleet.upgrade("shop")
            await fleet.until(lambda store: store is not None and store.revision == 2, "shop")
            for _ in range(10):  # the old pod answers, and is not what was asked for
                fleet.engine.poke("shop")
                await asyncio.sleep(0.05)
            assert (await row(fleet)).state is State.PROVISIONING
            assert ("", True) in await notes(fleet)
            platform.sandbox.faults.remove(slow)
            store = await fleet.settled("shop", within=60)
            assert ("", True) not in await notes(fleet), "READY is what the new pod answered"
            assert (store.state, store.version, store.revision) == (State.READY, NEW, 2)
            values = await rotated(fleet, 2)
        assert set(answers) == {200}
        changed = {key for key in values if values[key] != before.get(key)}
        assert changed == {"database-password", "database-user"}, "who is signed in stays so"
        store = await row(fleet)
        assert store.upgrade_to is None
        assert [each["revision"] for each in store.earlier or []] == [1]
        lines = await fleet.lines("shop")
        told = [
            f"Upgrade requested by ann: {OLD} → {NEW}",
            "New database password requested, with the upgrade, by ann",
            f"Release upgraded: {NEW}, revision 2",
            "Medusa pod ready",
            "Store READY",
            "New secrets in place: the shop restarts",
            "Secrets rotated: the old ones are refused",
        ]
        assert [line for line in lines[lines.index(told[0]) :] if line in told and line != "Medusa pod ready"] == [
            each for each in told if each != "Medusa pod ready"
        ]
        assert lines.count("Medusa pod ready") >= 3  # of the first, the new, and the one with the new password
        async with fleet.database.session() as session:
            attempts = list(await session.exec(select(Attempt).order_by(col(Attempt.id))))
        assert [(each.again, each.code) for each in attempts] == [(False, ""), (True, "")]


async def test_an_upgrade_that_fails_leaves_the_old_shop_serving_and_is_rolled_back(platform):
    platform.sandbox.faults.add(ImageFault(f"*medusa-store:{NEW}"))
    async with platform.upgraded() as fleet, customers(platform.sandbox) as answers:
        await fleet.upgrade("shop")
        store = await fleet.settled("shop", within=60)
        assert (store.state, store.revision, store.upgrade_to) == (State.FAILED, 2, None)
        assert store.reason is not None
        assert store.reason["code"] == "image_pull"
        with pytest.raises(wishes.NothingNewer):  # another try is a retry
            await fleet.upgrade("shop")
        with pytest.raises(wishes.NoRevision) as refused:
            await fleet.rollback("shop", 7)
        assert list(refused.value.there) == [1]
        await fleet.rollback("shop", 1)
        with pytest.raises(IllegalTransition):
            await fleet.rollback("shop", 1)
        store = await fleet.settled("shop", within=60)
        assert (store.state, store.version, store.revision) == (State.READY, OLD, 3)
        assert await notes(fleet) == [("", True)]
        await rotated(fleet, 2)  # which the upgrade asked for, and the old release can do as well
        await stays(fleet, 3)
        store = await row(fleet)
        assert (store.upgrade_to, store.earlier) == (NEW, None)
        lines = await fleet.lines("shop")
        assert f"Rollback requested by ann: to revision 1, {OLD}" in lines
        assert f"Release rolled back to revision 1: {OLD}, revision 3" in lines
        assert not [line for line in lines if "put back" in line], "nothing of it is drift"
        with pytest.raises(wishes.NoRevision):  # a page from before, clicked once more
            await fleet.rollback("shop", 1)
    assert set(answers) == {200}
    async with platform.of(NEW) as fleet:  # a restart finds what is wanted in the row
        await stays(fleet, 3)
        platform.sandbox.faults.clear()
        await fleet.upgrade("shop")
        store = await fleet.settled("shop", within=60)
        assert (store.state, store.version, store.revision, store.pinned) == (State.READY, NEW, 4, None)


async def test_repairs_of_a_store_that_was_rolled_back(platform):
    async with platform.upgraded() as fleet:
        await fleet.upgrade("shop")
        await fleet.settled("shop", within=60)
        await rotated(fleet, 2)
        await fleet.rollback("shop")
        assert (await fleet.settled("shop", within=60)).version == OLD
        await fleet.cluster.delete("Deployment", "medusa", SPACE)
        await fleet.until_line("shop", "Missing and put back: deployment/medusa")
        await fleet.cluster.delete("Secret", f"sh.helm.release.v1.{SPACE}.v3", SPACE)
        await fleet.until_line("shop", "Release failed: installed again")  # Helm keeps another record of it
        await fleet.until(lambda store: store is not None and (store.revision, store.version) == (3, OLD), "shop", 60)
        assert (await row(fleet)).pinned
        await fleet.cluster.delete("Namespace", SPACE)
        lost = "The release it was rolled back to cannot be had any more: the platform's present one takes its place"
        await fleet.until_line("shop", lost)
        await fleet.until(lambda store: store is not None and (store.revision, store.version) == (1, NEW), "shop", 60)
        store = await row(fleet)
        assert (store.state, store.pinned, store.upgrade_to) == (State.READY, None, None)


@pytest.mark.parametrize(("wish", "step"), [(Fleet.upgrade, "install"), (Fleet.rollback, "roll_back")])
async def test_cut_off_behind_helm_it_goes_on_and_nothing_is_done_twice(platform, monkeypatch, wish, step):
    """The process dies right behind the effect, before it knows of it; another goes on."""
    reached, died, original = asyncio.Event(), asyncio.Event(), getattr(Actor, step)

    async def dies(self: Actor, *arguments: object) -> None:
        await original(self, *arguments)
        reached.set()
        await died.wait()

    async with platform.upgraded() as fleet:
        if wish is Fleet.rollback:
            await fleet.upgrade("shop")
            assert (await fleet.settled("shop", within=60)).state is State.READY
            await rotated(fleet, 2)
        last = max(await revisions(fleet))
        monkeypatch.setattr(Actor, step, dies)
        await wish(fleet, "shop")
        async with asyncio.timeout(30):
            await reached.wait()
    monkeypatch.setattr(Actor, step, original)
    async with platform.of(NEW) as fleet:
        store = await fleet.settled("shop", within=60)
        assert (store.state, store.version) == (State.READY, NEW if wish is Fleet.upgrade else OLD)
        assert max(await revisions(fleet)) == store.revision == last + 1
        assert sum(line.startswith("Release ") for line in await fleet.lines("shop")) == last


async def test_a_rotation_that_is_under_way_is_not_doubled(platform):
    async with platform.upgraded() as fleet:
        async with fleet.database.session() as session:
            store = (await session.exec(select(Store))).one()
            await wishes.request_rotation(
                fleet.database, session, store, "ann", parts=frozenset({"admin"}), sealer=fleet.sealer
            )
            await session.commit()
            await session.refresh(store)
            asked = (await session.exec(select(StoreSecret.next))).one()
            await wishes.request_upgrade(fleet.database, session, store, "ann", sealer=fleet.sealer)
            await session.commit()
            assert (await session.exec(select(StoreSecret.next))).one() == asked
        fleet.engine.poke("shop")
        assert (await fleet.settled("shop", within=60)).version == NEW
        values = await rotated(fleet, 2)
        assert values["database-user"] == "medusa"
