"""The head of a store's page: name, state, what can be done with it."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element


class StoreHeader(Element, component="store_header.js"):
    """`store`: a dict with name, state, url, admin_url, owner, version, plan, created_at, note, due (when it is
    expected to be READY, or None), took (seconds from the wish to READY, or None), degraded (READY, but not well), open
    (there should be a shop to be opened)."""

    def __init__(
        self,
        store: Mapping[str, Any],
        texts: Mapping[str, Any],
        on_delete: Callable[[], Any],
        on_undo: Callable[[], Any],
    ) -> None:
        super().__init__()
        self._props.update(store=dict(store), texts=dict(texts))
        self.on("delete", lambda: on_delete())
        self.on("undo", lambda: on_undo())

    def show(self, store: Mapping[str, Any]) -> None:
        if dict(store) != self._props["store"]:
            self._props["store"] = dict(store)
            self.update()

    def refuse(self) -> None:
        """The deletion was not undone; whoever called says why."""
        self.run_method("refuse")
