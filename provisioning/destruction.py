"""The end of a store: stopped while it can be taken back, then destroyed, with a receipt.

The receipt names what was there when the destruction began and what the cluster itself said to be absent at its end.
The first half waits in the store's row, so that whoever takes a deletion up after a restart still has it; the whole
goes into the audit trail in the transaction that removes the row.
"""

from datetime import UTC, datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import audit, names
from provisioning.cluster import Cluster
from provisioning.database import Database
from provisioning.decide import Desired
from provisioning.inventory import Item, inventory
from provisioning.models import Event, Level, Store, now
from provisioning.objects import belongs_to

RECEIPT = "store.deleted"  # the action under which a receipt stands in the audit trail
MOST_OBJECTS = 500  # named in a receipt; of those beyond it tells the number


def desired_of(store: Store) -> Desired:
    """What a row wants."""
    return Desired(store.state, store.state_at, store.destroy_at, destroying=store.destroying_at is not None)


def stopped(store: Store) -> Event:
    """The line of the timeline about a store that can still be taken back."""
    until = store.destroy_at.astimezone(UTC) if store.destroy_at else now()
    return Event(
        store_id=store.id,
        key=f"store.stopped:{store.state_at.isoformat()}",
        at=now(),
        kind="store.stopped",
        message=f"Store stopped; it will be destroyed at {until:%Y-%m-%d %H:%M} UTC",
        level=Level.WARNING,
    )


async def begin(database: Database, cluster: Cluster, session: AsyncSession, store: Store) -> None:
    """Write down what is there; from here on the deletion cannot be undone.  Raises ClusterError or Moved."""
    namespace = names.namespace(store.name)
    there = await cluster.get("Namespace", namespace)
    # What is in somebody else's namespace is not the store's; where there is none, volumes may be left.
    ours = there if there is not None and belongs_to(there, store.id) else None
    items = [] if there is not None and ours is None else await inventory(cluster, namespace)
    volumes = [each for each in items if each.kind == "PersistentVolume" and each.created >= _second(store.created_at)]
    found: dict[str, Any] = {
        "namespace": {"name": namespace, "uid": there["metadata"]["uid"]}
        if there and belongs_to(there, store.id)
        else None,
        "objects": [_named(each) for each in items[:MOST_OBJECTS]],
        "count": len(items),
        "volumes": [_named(each) for each in volumes[:MOST_OBJECTS]],
    }
    async with database.writing():
        await database.begin_destruction(session, store, found)
        await session.commit()


async def absence(cluster: Cluster, store: Store) -> list[str] | None:
    """What of the inventory the cluster says to be gone, asked now; None when something is there.

    Raises ClusterError.
    """
    namespace = names.namespace(store.name)
    there = await cluster.get("Namespace", namespace)
    if there is not None and belongs_to(there, store.id):
        return None
    volumes = (store.inventory or {}).get("volumes", [])
    left = {each["metadata"]["uid"] for each in (await cluster.list_all("PersistentVolume"))[0]}
    if any(each["uid"] in left for each in volumes):
        return None
    return [f"namespace/{namespace}", *(f"persistentvolume/{each['name']}" for each in volumes)]


async def leave_receipt(session: AsyncSession, store: Store, absent: list[str]) -> None:
    """Into the audit trail, as the last write of the transaction that removes the row; `absent`: see `absence`."""
    before = store.inventory or {"namespace": None, "objects": [], "count": 0, "volumes": []}
    ended, began = now(), store.destroying_at or store.state_at
    receipt = {
        "requested_at": store.state_at.isoformat(),
        "began_at": began.isoformat(),
        "ended_at": ended.isoformat(),
        "seconds": round((ended - began).total_seconds(), 3),
        "before": before,
        "absent": [*absent, f"store/{store.name}"],
    }
    await audit.append(session, audit.ENGINE, RECEIPT, store=store, detail=receipt)


def _second(at: datetime) -> datetime:
    """The cluster's times are whole seconds."""
    return at.replace(microsecond=0)


def _named(item: Item) -> dict[str, str]:
    return {"kind": item.kind, "name": item.name, "uid": item.uid}
