"""Whether the cluster that answers is the one in which this database's stores live.

Each engine on a database brings its own cluster to what the database says.  Two clusters on one database would each
have a leader (a Lease is known in its own cluster alone), and both would set up, mend and delete the same stores.  So
the first cluster that a database meets is written down, known by the uid of its namespace `kube-system` as everybody
knows clusters, and engines that find another one stand still and say so.
"""

import asyncio
import logging

from provisioning.cluster import Cluster, ClusterError
from provisioning.database import Database

log = logging.getLogger(__name__)

ELSEWHERE = (
    "This database's stores live in another cluster than the one that answers here, so nothing is done. "
    "Start this process with that cluster's kubeconfig. If the stores are to be set up here instead: "
    "stop all other processes on this database, then `storefleet cluster adopt`."
)


class Home:
    """One for an engine."""

    def __init__(self, database: Database, cluster: Cluster) -> None:
        self._database, self._cluster = database, cluster
        self._one = asyncio.Lock()
        self.known = False  # it is the right one, as far as it was asked since it was last away
        self.elsewhere = ""  # that it is another one, as a sentence

    def lost(self) -> None:
        """The cluster is away: what answers next may be another."""
        self.known = False

    async def ask(self) -> bool:
        """Ask cluster and database, if it is not known.  An error of the cluster's leaves it unknown."""
        async with self._one:
            return self.known or await self._ask()

    async def ask_again(self) -> None:
        """Also where it is known: somebody may have decided otherwise."""
        async with self._one:
            await self._ask()

    async def _ask(self) -> bool:
        try:
            uid = await self._cluster.uid()
        except ClusterError as error:
            log.debug("the cluster does not say which it is: %s", error)
            return self.known
        self.known = await self._database.claim_cluster(uid)
        if not self.known and not self.elsewhere:
            log.error(ELSEWHERE)
        self.elsewhere = "" if self.known else ELSEWHERE
        return self.known
