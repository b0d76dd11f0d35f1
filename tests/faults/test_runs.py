"""Hundreds of ways for everything to go wrong, each from a seed: at the end all is as people wanted it.

    STOREFLEET_FAULT_RUNS=200 pytest tests/faults/test_runs.py         # the seeds 1 to 200
    STOREFLEET_FAULT_SEEDS=17,123 pytest tests/faults/test_runs.py     # these

A seed repeats what goes wrong and when; what the machine was doing at that moment it cannot repeat.
"""

import asyncio
import contextlib
import logging
import os
import random
from pathlib import Path

import pytest

from provisioning import templates
from provisioning.cluster import ClusterError
from provisioning.database import Moved
from provisioning.decide import Limits
from provisioning.failures import causes
from provisioning.sandbox import Sandbox, SandboxOptions
from provisioning.states import IllegalTransition, State
from provisioning.wishes import NameTaken, NoRevision, NothingNewer, TooLate
from tests.charts_of_another_time import charts
from tests.faults import ends
from tests.faults.mischief import Clock, Mischief
from tests.integration.fleet import Fleet, fleet_on

MISCHIEF = 6.0  # seconds of it
SETTLED_WITHIN = 300.0  # seconds; on a machine with other things to do
DEFAULT_RUNS = 1


def seeds() -> list[int]:
    if named := os.environ.get("STOREFLEET_FAULT_SEEDS"):
        return [int(seed) for seed in named.split(",")]
    return list(range(1, 1 + int(os.environ.get("STOREFLEET_FAULT_RUNS", DEFAULT_RUNS))))


class Run:
    """Some stores, people who want things of them, engines that come and go, and mischief."""

    def __init__(
        self, seed: int, sandbox: Sandbox, folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._chance, self._sandbox, self._folder = random.Random(seed), sandbox, folder  # noqa: S311 - chance
        self._names = [f"shop-{number}" for number in range(self._chance.randint(3, 6))]
        self.mischief = Mischief(sandbox, folder / "fleet.db", self._chance, clock)
        self.engines = 0
        self._charts, self._patch = (templates.CHARTS, charts(folder, "2.22.0", "new")), monkeypatch

    async def goes_wrong(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + MISCHIEF
        while loop.time() < end:
            # What comes may be a newer platform, or an older one.
            self._patch.setattr(templates, "CHARTS", self._chance.choice(self._charts))
            async with fleet_on(self._sandbox, self._folder, limits=Limits()) as fleet:
                self.engines += 1
                this_long = min(end, loop.time() + self._chance.uniform(1, 5))
                while loop.time() < this_long:
                    await self._wish(fleet)
                    await self.mischief.something(fleet.cluster)
                    await asyncio.sleep(self._chance.uniform(0.05, 0.4))

    async def _wish(self, fleet: Fleet) -> None:
        """Somebody wants something, which may not be possible now."""
        name = self._chance.choice(self._names)
        others = ["delete", "delete in a while", "undelete", "retry", "upgrade", "rollback", ""]
        wish = self._chance.choice(["create"] * 4 + others)
        refused = (NameTaken, Moved, TooLate, IllegalTransition, NothingNewer, NoRevision)
        with contextlib.suppress(*refused):
            if wish == "create":
                await fleet.ask(name, self._chance.choice(["ann", "bob"]))
            elif wish and await fleet.store(name) is not None:
                if wish.startswith("delete"):
                    await fleet.delete(name, undo=0 if wish == "delete" else 3)
                else:
                    wished = {"undelete": fleet.undelete, "retry": fleet.retry, "upgrade": fleet.upgrade}
                    await wished.get(wish, fleet.rollback)(name)

    async def ends_right(self) -> None:
        await self.mischief.heal()
        async with fleet_on(self._sandbox, self._folder) as fleet:
            await ends.until(lambda: self._away(fleet), SETTLED_WITHIN)
            await ends.until(lambda: self._moving(fleet), SETTLED_WITHIN)
            await self._assert_all_is_right(fleet)
            failed = [store for store in await ends.stores(fleet.database) if store.state is State.FAILED]
            for store in failed:
                assert store.reason, store.name
                await fleet.retry(store.name)
            await ends.until(lambda: self._moving(fleet), SETTLED_WITHIN)
            for store in await ends.stores(fleet.database):
                assert store.state is State.READY, (store.name, store.reason)
            await ends.until(lambda: self._unwell(fleet), SETTLED_WITHIN)
            await self._assert_all_is_right(fleet)
            for store in await ends.stores(fleet.database):
                await fleet.delete(store.name)
            await ends.until(lambda: self._moving(fleet), SETTLED_WITHIN)
            await self._assert_all_is_right(fleet)
        assert ends.helms(self._sandbox.kubeconfig) == []

    async def _away(self, fleet: Fleet) -> str:
        """Why the cluster does not answer; the last of the mischief may outlast the others."""
        try:
            await fleet.cluster.server_version()
        except ClusterError as error:
            return str(error)
        return ""

    async def _moving(self, fleet: Fleet) -> str:
        """With what the engine knows of those that are."""
        if not (said := await ends.moving(fleet.database)):
            return ""
        known = [f"{store.name}: {fleet.engine.condition(store)}" for store in await ends.stores(fleet.database)]
        return f"{said}; {'; '.join(known)}"

    async def _unwell(self, fleet: Fleet) -> str:
        """A claim that was deleted by hand goes when its pod does: until then its store is degraded, and rightly so."""
        found = [(store.name, fleet.engine.condition(store).reason) for store in await ends.stores(fleet.database)]
        lasts = causes.VOLUME_LEAVING.code
        return "; ".join(f"{name}: {reason}" for name, reason in found if reason and reason.code != lasts)

    async def _assert_all_is_right(self, fleet: Fleet) -> None:
        await ends.assert_no_orphans(fleet.cluster, fleet.database)
        await ends.assert_history(fleet.database)
        ends.assert_no_locks_of_others(self._folder / "helm", await ends.stores(fleet.database))


# The sandbox's API server goes away in the middle of handshakes, whose sockets asyncio leaves to the garbage collector.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <(function _S|socket.socket):pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("seed", seeds())
async def test_whatever_goes_wrong_it_ends_right(seed, tmp_path, monkeypatch, caplog):
    clock = Clock(monkeypatch)
    caplog.set_level(logging.DEBUG, "provisioning.reconcile")  # every step, to be read when it fails
    async with Sandbox(SandboxOptions(speed=50, seed=seed)) as sandbox:
        run = Run(seed, sandbox, tmp_path, clock, monkeypatch)
        print(f"STOREFLEET_FAULT_SEEDS={seed}")
        try:
            await run.goes_wrong()
            await run.ends_right()
        finally:
            print(f"engines {run.engines}, helms killed {run.mischief.helms_killed}: {', '.join(run.mischief.done)}")
    assert not [record.getMessage() for record in caplog.records if _is_a_mistake(record)]


def _is_a_mistake(record: logging.LogRecord) -> bool:
    """An error of the engine's that nobody expected.  That a database is locked is told so, and tried again."""
    ours = record.name.startswith("provisioning.") and record.levelno >= logging.ERROR
    return ours and "database is locked" not in str(record.exc_info)
