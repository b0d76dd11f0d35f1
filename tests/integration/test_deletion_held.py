"""A deletion that stands still says which object holds it, once, and ends when that does."""

import asyncio
from pathlib import Path

from provisioning import reconcile
from provisioning.sandbox import ApiFault
from provisioning.states import State
from tests.integration.fleet import Fleet, fleet_on, sandbox_in


async def told(fleet: Fleet) -> list[str]:
    return [event.message for event in await fleet.events("shop") if event.kind == "deletion.held"]


async def test_what_holds_a_deletion_is_named_once_and_let_go_ends_it(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(reconcile, "HELD_AFTER", 0.3)
    async with sandbox_in() as sandbox, fleet_on(sandbox, tmp_path) as fleet:
        await fleet.ask("shop")
        await fleet.settled("shop")
        metadata = {"name": "hold", "namespace": "store-shop", "finalizers": ["example.com/hold"]}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
        await fleet.cluster.create(secret)
        await fleet.delete("shop")
        line = "Deletion waits for secret/hold: finalizer example.com/hold"
        for _ in range(500):
            if line in await told(fleet):
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(1)  # in which it is asked again
        assert (await told(fleet)).count(line) == 1
        store = await fleet.store("shop")
        assert store is not None
        assert store.state is State.DELETING
        reason = fleet.engine.condition(store).reason
        assert reason is not None
        assert reason.code == "deletion_held"
        assert reason.message == "The deletion of shop is held by secret/hold (finalizer example.com/hold)"
        assert "kubectl patch secret hold --namespace store-shop" in reason.hint
        there = await fleet.cluster.get("Secret", "hold", "store-shop")
        await fleet.cluster.update({**there, "metadata": {**there["metadata"], "finalizers": []}})
        await fleet.gone("shop")


async def test_a_namespace_that_lost_its_labels_is_deleted_as_well(tmp_path: Path):
    """No watch sees it, and nothing could be put back before the deletion began."""
    async with sandbox_in() as sandbox, fleet_on(sandbox, tmp_path) as fleet:
        await fleet.ask("shop")
        await fleet.settled("shop")
        sandbox.faults.add(ApiFault(500, verbs=("patch",), kinds=("Namespace",)))
        there = await fleet.cluster.get("Namespace", "store-shop")
        await fleet.cluster.update({**there, "metadata": {**there["metadata"], "labels": {}}})
        await fleet.delete("shop")
        await fleet.gone("shop", within=30)
        assert await fleet.cluster.get("Namespace", "store-shop") is None
