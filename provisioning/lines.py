"""The lines of a timeline that speak of what we did or found ourselves; all others are the cluster's (`milestones`).

Pure.
"""

from provisioning.act import Mended
from provisioning.models import Event, Level, Store, now


def line(store: Store, kind: str, message: str, level: Level = Level.INFO, evidence: str = "", key: str = "") -> Event:
    """A line about what we did or decided ourselves, once for each time the store comes into its state, or by `key`."""
    key = f"{kind}:{key or store.state_at.isoformat()}"[:250]
    return Event(store_id=store.id, key=key, at=now(), kind=kind, message=message, level=level, evidence=evidence)


def mended_line(store: Store, mended: Mended) -> Event:
    """What was found missing or changed, by whom, and put back."""
    drift, by = mended.drift, f" by {mended.by}" if mended.by else ""
    if not drift.differences:
        return _repaired(store, f"Missing and put back: {drift.reference}", "", drift.key)
    first, more = drift.differences[0], len(drift.differences) - 1
    also = f" and {more} more" if more else ""
    evidence = "\n".join(str(each) for each in drift.differences[:20])
    said = f"Changed{by} and put back: {drift.reference}, {first}{also}"[:300]
    return _repaired(store, said, evidence, drift.key)


def namespace_lost(store: Store) -> Event:
    said = "The namespace was deleted from outside: the shop is set up anew, its data is lost"
    return line(store, "data.lost", said, Level.ERROR, key=stamp())


def labels_lost(store: Store) -> Event:
    return _repaired(store, "Changed and put back: the namespace's labels", "", "")


def unpinned(store: Store) -> Event:
    said = "The release it was rolled back to cannot be had any more: the platform's present one takes its place"
    return line(store, "release.unpinned", said, Level.WARNING, key=store.pinned or "")


def _repaired(store: Store, said: str, evidence: str, what: str) -> Event:
    return line(store, "repaired", said, Level.WARNING, evidence, key=f"{now().isoformat()}:{what}")


def stamp() -> str:
    """A key for a line that may come again."""
    return now().isoformat()
