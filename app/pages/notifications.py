"""Tells a browser that wants it when a store of its reader's is READY or FAILED, while a page is open.

Whether it wants that, the browser keeps by itself, as its permission is the browser's too; the server begins to look
only when it says so.
"""

from typing import TYPE_CHECKING

from app.pages.live import Batch
from app.store_views import StoreView
from app.texts import notifications as texts
from components.store_notifications import StoreNotifications
from provisioning.states import IN_FLIGHT, State

if TYPE_CHECKING:
    from app.pages.frame import Frame

ON_THE_WAY = 100  # of the newest stores, that are looked at in the beginning
TOLD = (State.READY, State.FAILED)


class OnTheWay:
    """Which stores of one reader are on their way, so that it shows when they arrive."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def arrived(self, store: StoreView) -> bool:
        """Is `store`, as it is now, READY or FAILED and was not before?"""
        if store.state in IN_FLIGHT:
            self._names.add(store.name)
            return False
        known = store.name in self._names
        self._names.discard(store.name)
        return known and store.state in TOLD


def notify(frame: "Frame") -> None:
    """Put what a page needs for it onto the page."""
    on_the_way = OnTheWay()

    async def begin() -> None:
        found, _ = await frame.attempt(
            lambda actor: frame.services.stores.list(actor, owner=actor.email, limit=ON_THE_WAY)
        )
        for store in found.items if found else ():
            on_the_way.arrived(store)
        frame.until_gone(frame.live.follow(tell))

    async def tell(batch: Batch) -> None:
        for name in sorted(batch.names):
            store = await batch.store(frame.reader, name)
            if store and store.owner == frame.reader.email and on_the_way.arrived(store):
                title = texts.NOTIFICATIONS[store.state.value].replace("{name}", store.name)
                told = store.reason.message if store.reason else store.url
                element.tell(title, told, f"/stores/{store.name}", f"{store.id} {store.state}")

    element = StoreNotifications(on_wanted=begin)
