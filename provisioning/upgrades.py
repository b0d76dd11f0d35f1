"""A store's releases through time: which one it has, whether the platform's chart makes a newer one, and which earlier
ones it can be rolled back to.  Pure.

A store wants what the platform's chart makes of its values; one that is READY keeps the release that it has until
somebody asks for the upgrade.  After a rollback it wants one earlier release, named by its fingerprint
(`Store.pinned`), which only Helm's own record can make again: its chart is not there any more.  So by the fingerprint
alone each look tells whether there is something to do, and a rollback that was done is not done twice.

What there is to choose from stands in Helm's records in the cluster; of those only the ones that the store was READY
with (`Store.proven`) are offered.  The engine writes it into the store's row whenever it is different, so that pages
and API ask no cluster, and every replica says the same.
"""

from collections.abc import Sequence
from typing import Any

from provisioning.models import Store
from provisioning.release import Kept
from provisioning.states import State
from provisioning.wanted import Wanted


def standing(store: Store, wish: Wanted, history: Sequence[Kept]) -> dict[str, Any]:
    """The columns of the store's row that say how its releases stand, as far as they are known now.

    `history`: what Helm keeps of it, oldest first.
    """
    newest = history[-1] if history and history[-1].status == "deployed" else None
    if store.state is State.READY and newest is None:  # it is being repaired: what there is to choose stays
        return {}
    has = newest.spec if newest and store.state is State.READY else wish.spec
    proven = set(store.proven or ())
    found: dict[str, Any] = {"upgrade_to": wish.version if has != wish.present else None}
    if store.state is State.READY:
        proven = {has} | proven.intersection(each.spec for each in history)
        found["proven"] = sorted(proven)
    found["earlier"] = _earlier(history, proven - {has, wish.present}) or None
    if newest is not None:
        found |= {"revision": newest.number, "version": newest.version or store.version}
    return found


def _earlier(history: Sequence[Kept], specs: set[str]) -> list[dict[str, Any]]:
    """The revisions to go back to, newest first: of each release of `specs` the newest one."""
    found: dict[str, dict[str, Any]] = {}
    for each in reversed(history):
        if each.was_deployed and each.spec in specs:
            found.setdefault(each.spec, {"revision": each.number, "version": each.version, "spec": each.spec})
    return list(found.values())
