"""What must be true when faults have ceased: of the database, the cluster and the machine, whatever happened before."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import audit, names
from provisioning.cluster import Cluster
from provisioning.database import Database
from provisioning.inventory import labelled
from provisioning.models import AuditEntry, Event, Store, Transition
from provisioning.states import LEGAL, State
from provisioning.templates import LABEL_INSTALLATION, LABEL_STORE

AT_REST = frozenset({State.READY, State.FAILED})
WELL = frozenset({State.READY})


async def until(holds: Callable[[], Awaitable[str]], within: float) -> None:
    """Wait until `holds` has no complaint any more."""
    end = time.monotonic() + within
    while complaint := await holds():
        assert time.monotonic() < end, complaint
        await asyncio.sleep(0.2)


async def stores(database: Database) -> list[Store]:
    async with database.session() as session:
        return list(await session.exec(select(Store)))


async def moving(database: Database) -> str:
    """Which stores are still on their way, and since which line; "" when none is."""
    said = []
    async with database.session() as session:
        for store in await session.exec(select(Store)):
            if store.state not in AT_REST:
                lines = await session.exec(
                    select(Event.message).where(col(Event.store_id) == store.id).order_by(col(Event.id).desc()).limit(5)
                )
                said.append(f"{store.name} is {store.state}, its last lines {lines.all()}")
    return "; ".join(said)


async def assert_no_orphans(cluster: Cluster, database: Database) -> None:
    """Whatever is labelled as ours belongs to a store that there is, and every volume and namespace, labelled or not.

    What is on its way out when it is seen first has a while to go.
    """
    selector = f"{LABEL_INSTALLATION}={await database.installation()}"

    async def complaint() -> str:
        rows = await stores(database)
        ids, spaces = {store.id for store in rows}, {names.namespace(store.name) for store in rows}
        found = [
            f"{obj['kind']} {obj['metadata']['name']} in {obj['metadata'].get('namespace')}"
            for obj in await labelled(cluster, selector)
            if LABEL_STORE in obj["metadata"]["labels"] and obj["metadata"]["labels"][LABEL_STORE] not in ids
        ]
        for volume in (await cluster.list_all("PersistentVolume"))[0]:
            claimed = (volume["spec"].get("claimRef") or {}).get("namespace", "")
            ours = volume["metadata"].get("labels", {}).get(LABEL_INSTALLATION) == await database.installation()
            if ours and claimed not in spaces:
                found.append(f"volume {volume['metadata']['name']} of {claimed}")
        return f"orphans: {found}" if found else ""

    await until(complaint, 20)


_UID = re.compile(r":[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


async def assert_history(database: Database) -> None:
    """Each store's states follow one from the other, each told once; each store that is gone left one receipt; the
    audit trail is whole."""
    async with database.session() as session:
        for store in (await session.exec(select(Store))).all():
            await _assert_history_of(session, store)
        receipts = Counter(await session.exec(select(AuditEntry.store_id).where(AuditEntry.action == "store.deleted")))
        assert set(receipts.values()) <= {1}, receipts
        verdict = await audit.verify(session)
        assert not verdict.broken, verdict.broken


async def _assert_history_of(session: AsyncSession, store: Store) -> None:
    moves = list(
        await session.exec(select(Transition).where(Transition.store_id == store.id).order_by(col(Transition.id)))
    )
    chain = [(move.before, move.after) for move in moves]
    assert chain, store.name
    assert chain[0] == (None, State.REQUESTED), (store.name, chain)
    assert chain[-1][1] is store.state, (store.name, chain)
    for (_, state), (before, after) in pairwise(chain):
        assert before is state, (store.name, chain)
        assert after in LEGAL[before], (store.name, chain)
    events = list(await session.exec(select(Event).where(Event.store_id == store.id)))
    kinds = Counter(event.kind for event in events)
    entered = Counter(after for _, after in chain)
    assert kinds["store.requested"] == 1, (store.name, kinds)
    assert kinds["store.ready"] == entered[State.READY], (store.name, kinds, chain)
    assert kinds["store.failed"] == entered[State.FAILED], (store.name, kinds, chain)
    assert len({event.key for event in events}) == len(events), store.name
    # The same line in the same second is one that was told twice under two keys; but what was deleted by hand and is
    # there again within the second is another object, by the uid in its key.
    ours = [event for event in events if event.level != "warning" and not _UID.search(event.key)]
    said = Counter((event.at, event.message, event.object) for event in ours)
    assert not [line for line, times in said.items() if times > 1], (store.name, said.most_common(3))


def helms(kubeconfig: Path) -> list[int]:
    """The process ids of the helms at work with this kubeconfig, whoever started them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--timeout" in arguments and str(kubeconfig).encode() in arguments:
            found.append(int(folder.name))
    return found


def assert_no_locks_of_others(locks: Path, there: list[Store]) -> None:
    """No lock file of a store that is gone."""
    spaces = {names.namespace(store.name) for store in there}
    left = [file.name for file in locks.glob("*.lock") if file.name.split(".")[0] not in spaces]
    assert not left, left
