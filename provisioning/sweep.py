"""Looks through the whole cluster for orphans, and by policy or by hand removes them.

One look costs some forty lists by label, however many stores there are; it is taken every few minutes and when an
administrator asks.  Everything is asked of the cluster anew: what is deleted here has no row that would bring it back.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select

from provisioning import audit
from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.database import Database
from provisioning.destruction import RECEIPT
from provisioning.inventory import labelled
from provisioning.models import AuditEntry, Store, now
from provisioning.orphans import Orphan, Policy, Row, find, is_still, seen_since, to_clean, unmarked
from provisioning.states import State
from provisioning.templates import LABEL_INSTALLATION

log = logging.getLogger(__name__)

SWEEPER = audit.Who("the orphan sweep")


@dataclass(frozen=True)
class Report:
    """What one look found."""

    at: datetime
    orphans: tuple[Orphan, ...]


class Sweep:
    """One for the process."""

    def __init__(self, database: Database, cluster: Cluster, installation: str, policy: Policy) -> None:
        self._database, self._cluster, self._installation, self.policy = database, cluster, installation, policy
        self._seen: Mapping[str, datetime] = {}
        self._one = asyncio.Lock()

    async def run(self) -> None:
        """One round of the clock: look, label new volumes, and clean what the policy says.  Says what fails."""
        try:
            report = await self.look(mark=True)
            self._seen = seen_since(self._seen, report.orphans, report.at)
            for orphan in report.orphans:
                log.info("orphan: %s, since %s", orphan.reference, self._seen[orphan.id].isoformat())
            if self.policy is Policy.CLEAN:
                deleted = await self._deleted({orphan.store_id for orphan in report.orphans})
                for orphan in to_clean(report.orphans, self._seen, report.at, deleted):
                    await self.clean(orphan, SWEEPER)
        except ClusterError as error:
            log.warning("orphans were not looked for: %s", error)

    async def look(self, *, mark: bool = False) -> Report:
        """The orphans as they are now; `mark`: also label the volumes that lack it.  Raises ClusterError."""
        async with self._one:
            before = await self._rows()
            objects = await labelled(self._cluster, f"{LABEL_INSTALLATION}={self._installation}")
            after = await self._rows()
            # What began or ended while we looked is no orphan.
            rows = {row.id: row for row in [*before, *after]}
            settled = {row.id for row in before} & {row.id for row in after}
            orphans = find(objects, rows.values(), self._installation)
            orphans = [orphan for orphan in orphans if not orphan.is_row or orphan.id in settled]
            if mark:
                await self._mark(objects)
            return Report(now(), tuple(orphans))

    async def clean(self, orphan: Orphan, who: audit.Who) -> bool:
        """Ask for the deletion of an object that is an orphan still.  Whether it was.  Raises ClusterError."""
        if orphan.is_row:
            return False
        kinds = await self._cluster.kinds()
        kind = next(
            (each for each in kinds if (each.name, each.api_version) == (orphan.kind, orphan.api_version)), None
        )
        if kind is None:
            return False
        there = await self._cluster.get(kind, orphan.name, orphan.namespace or None)
        rows = {row.id for row in await self._rows()}
        if not is_still(there, orphan, self._installation) or orphan.store_id in rows:
            return False
        log.warning("orphan %s is removed by %s", orphan.reference, who.name, extra={"store": orphan.store_id})
        await self._cluster.delete(kind, orphan.name, orphan.namespace or None, uid=orphan.id)
        await self._note(orphan, who)
        return True

    async def _note(self, orphan: Orphan, who: audit.Who) -> None:
        """Into the audit trail: what was removed cannot be asked any more."""
        detail = {
            "object": orphan.reference,
            "namespace": orphan.namespace,
            "uid": orphan.id,
            "store_id": orphan.store_id,
            "created": orphan.created.isoformat(),
            "size": orphan.size,
            "contains": orphan.contains,
        }
        async with self._database.session() as session:
            await audit.append(session, who, "orphan.clean", detail=detail)
            await session.commit()

    async def _mark(self, objects: list[Obj]) -> None:
        """Label the volumes of our claims.  What is not permitted is left: such a volume is then never an orphan."""
        try:
            volumes, _ = await self._cluster.list_all("PersistentVolume")
            for volume in unmarked(objects, volumes, self._installation):
                await self._cluster.apply(volume)
        except ClusterError as error:
            if error.away:
                raise
            log.info("volumes were not labelled: %s", error)

    async def _deleted(self, ids: Collection[str]) -> set[str]:
        """Which of these stores left a receipt of their deletion."""
        query = select(AuditEntry.store_id).where(AuditEntry.action == RECEIPT, col(AuditEntry.store_id).in_(ids))
        async with self._database.session() as session:
            return set((await session.exec(query)).all())

    async def _rows(self) -> list[Row]:
        async with self._database.session() as session:
            found = (await session.exec(select(Store.id, Store.name, Store.state, Store.state_at))).all()
        return [Row(id_, name, state is State.READY, at) for id_, name, state, at in found]
