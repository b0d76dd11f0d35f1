"""The lasting facts about a store: address, plan, version, owner, age."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element


class About(Element, component="about.js"):
    """`store`: as for StoreHeader, and rollback (can it be rolled back?), which `on_rollback` hears of."""

    def __init__(self, store: Mapping[str, Any], texts: Mapping[str, Any], on_rollback: Callable[[], Any]) -> None:
        super().__init__()
        self._props.update(store=dict(store), texts=dict(texts))
        self.on("rollback", lambda: on_rollback())

    def show(self, store: Mapping[str, Any]) -> None:
        if dict(store) != self._props["store"]:
            self._props["store"] = dict(store)
            self.update()
